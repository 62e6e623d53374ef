"""Loads the templates that the settings name, and logs warnings about their folder."""

from pathlib import Path

import structlog

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.config.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def template_folder(settings: Settings) -> Path:
    return settings.templates_dir or default_folder()


def load_templates(settings: Settings) -> Templates:
    """Return the validated templates. Raises TemplateProblem with all that is wrong."""
    templates = Templates.load(template_folder(settings))
    for file, _, problem in templates.warnings:
        log.warning("template warning", file=file, problem=problem)
    return templates
