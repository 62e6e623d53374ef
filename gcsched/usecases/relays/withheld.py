"""Why a mail that could go to a relay does not: nothing is sent, and no attempt is counted."""

from datetime import timedelta

from gcsched.domain.smtp_reply import Withheld

RATE_LIMITED = Withheld("the relay has had as many mails as it may get now")
RELAY_WENT_DOWN = Withheld("the relay went down while the mail waited for a session")
OTHER_DOMAIN_FIRST = Withheld(
    "the relay is probed with a mail to another domain first", wait=timedelta(seconds=5)
)
