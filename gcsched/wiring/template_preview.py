"""Preview the templates of a folder as the service would, without stores, settings or a sender."""

from datetime import time
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_variables import RESERVED
from gcsched.adapters.mail.templates import TemplateSet
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.dedup import DedupRule
from gcsched.domain.due import KEEP_TRYING, DailyPlan
from gcsched.domain.request import Offer
from gcsched.usecases.admission.job_factory import JobFactory
from gcsched.usecases.admission.preview import PreviewTemplate
from gcsched.usecases.ports import Clock

SENDER = "no-reply@example.org"


def preview_of(templates: TemplateSet, *, zone: ZoneInfo, now: Clock) -> PreviewTemplate:
    """Return what previews *templates*; ``due`` is shown in *zone*."""
    offer = Offer(
        templates=templates.needs,
        given=RESERVED,
        daily=DailyPlan(at=time(10), zone=zone),
        addresses=AddressRules.ANY,  # which may be written to, only a service knows
    )
    return PreviewTemplate(
        make_job=JobFactory(
            offer=offer,
            dedup=DedupRule(),
            message_id_domain=SENDER.rpartition("@")[2],
            keep_trying=KEEP_TRYING,
        ),
        drafter=Composer(
            templates=templates, sender_email=SENDER, sender_name="gcsched", timezone=zone
        ),
        now=now,
    )
