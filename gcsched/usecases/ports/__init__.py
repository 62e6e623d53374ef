"""The ports of the use cases: all that they need from the outside world, small Protocols.

Import them from here; how they are spread over the modules follows the subsystems.
"""

from gcsched.usecases.ports.admission import Admissions, Drafter, Recipients
from gcsched.usecases.ports.delivery import (
    Batch,
    Claims,
    Composer,
    Conclusion,
    Marks,
    Outcomes,
    Suppressions,
)
from gcsched.usecases.ports.management import (
    BlockedAddresses,
    ClaimedJobs,
    Erased,
    JobList,
    JobReader,
    ManyJobs,
    Page,
    Pair,
    PersonalData,
    Steering,
)
from gcsched.usecases.ports.monitoring import Beats, JobCounts, RelayInUse, Sessions, Tally
from gcsched.usecases.ports.observer import AdmissionError, Observer, Step, Unobserved
from gcsched.usecases.ports.recovery import (
    AddressStore,
    FoldedAddresses,
    FoldedPage,
    Indexes,
    IndexFault,
    IndexTrouble,
    Orphan,
    Recovery,
    Runs,
)
from gcsched.usecases.ports.relays import (
    Allowance,
    Begin,
    Carried,
    Carrier,
    Checkable,
    Gate,
    GatedCarrier,
    Mailer,
    Pauses,
)
from gcsched.usecases.ports.wakeups import Bell, Clock

__all__ = [
    "AddressStore",
    "AdmissionError",
    "Admissions",
    "Allowance",
    "Batch",
    "Beats",
    "Begin",
    "Bell",
    "BlockedAddresses",
    "Carried",
    "Carrier",
    "Checkable",
    "ClaimedJobs",
    "Claims",
    "Clock",
    "Composer",
    "Conclusion",
    "Drafter",
    "Erased",
    "FoldedAddresses",
    "FoldedPage",
    "Gate",
    "GatedCarrier",
    "IndexFault",
    "IndexTrouble",
    "Indexes",
    "JobCounts",
    "JobList",
    "JobReader",
    "Mailer",
    "ManyJobs",
    "Marks",
    "Observer",
    "Orphan",
    "Outcomes",
    "Page",
    "Pair",
    "Pauses",
    "PersonalData",
    "Recipients",
    "Recovery",
    "RelayInUse",
    "Runs",
    "Sessions",
    "Steering",
    "Step",
    "Suppressions",
    "Tally",
    "Unobserved",
]
