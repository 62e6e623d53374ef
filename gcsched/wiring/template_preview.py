"""Previews the templates of a folder as the service would, without stores, settings or a sender."""

from datetime import time
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_variables import RESERVED_NAMES
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.dedup import DedupRule
from gcsched.domain.due import KEEP_TRYING, DailyPlan
from gcsched.domain.meeting import Person
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.request import RequestContext
from gcsched.process.zone_data import find_zone_version
from gcsched.usecases.admission.job_factory import JobFactory
from gcsched.usecases.admission.preview import PreviewTemplate
from gcsched.usecases.ports import Clock

SENDER = "no-reply@example.org"


def build_template_preview(
    templates: TemplateSet, *, zone: ZoneInfo, now: Clock
) -> PreviewTemplate:
    """Build the preview of *templates*; ``due`` is shown in *zone*."""
    context = RequestContext(
        templates=templates.variables_by_template,
        reserved_names=RESERVED_NAMES,
        daily_plan=DailyPlan(at=time(10), zone=zone),
        address_rules=AddressRules.ANY,  # only a service knows which addresses it may write to
        organizers=OrganizerRule(sender=Person(email=SENDER, name="gcsched")),
    )
    return PreviewTemplate(
        job_factory=JobFactory(
            context=context,
            dedup=DedupRule(),
            message_id_domain=SENDER.rpartition("@")[2],
            keep_trying=KEEP_TRYING,
            zone_version=find_zone_version(),
        ),
        drafter=Composer(
            templates=templates, sender_email=SENDER, sender_name="gcsched", timezone=zone
        ),
        now=now,
    )
