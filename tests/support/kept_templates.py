"""The default templates, loaded once: to compile and check them takes a third of a start."""

from functools import cache

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.config.settings import Settings
from gcsched.wiring.templates import load_templates


@cache
def default_templates() -> Templates:
    return Templates.load(default_folder())


def load_kept_templates(settings: Settings) -> Templates:
    """Load the templates that *settings* name, the default ones once only."""
    return default_templates() if settings.templates_dir is None else load_templates(settings)
