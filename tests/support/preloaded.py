"""What a fork of the service finds ready: its modules and the default templates.

Only the process that forks imports this.
"""

import gc
from importlib import import_module
from unittest import mock

from gcsched import app
from tests.support.kept_templates import default_templates, load_kept_templates

for name in ("gcsched.hosting", "gcsched.logs", "gcsched.dev.run", "uvloop"):
    import_module(name)  # what `serve` and `dev` import when they start
default_templates()
mock.patch.object(app, "load_templates", load_kept_templates).start()
gc.collect()
gc.freeze()  # a service collects garbage at its start: what is here need not be examined again
