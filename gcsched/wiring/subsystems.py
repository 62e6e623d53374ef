"""All that the service is built of, one field for each subsystem."""

from dataclasses import dataclass

from gcsched.usecases.audit import Audit
from gcsched.usecases.recovery.index_keeper import IndexKeeper
from gcsched.usecases.wakeups import WakeUps
from gcsched.wiring.admission import Admission
from gcsched.wiring.delivery import Delivery
from gcsched.wiring.limits import Limits
from gcsched.wiring.meetings import Meetings
from gcsched.wiring.monitoring import Monitored, Monitoring
from gcsched.wiring.recovery import Recovery
from gcsched.wiring.relays import RelaySubsystem
from gcsched.wiring.stores import StoreMonitoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsystems:
    """All subsystems, in the order in which they are built: each may use those above it."""

    audit: Audit
    wake_ups: WakeUps
    indexes: IndexKeeper
    relays: RelaySubsystem
    limits: Limits
    admission: Admission
    meetings: Meetings
    delivery: Delivery
    recovery: Recovery
    stores: StoreMonitoring
    monitored: Monitored
    monitoring: Monitoring
