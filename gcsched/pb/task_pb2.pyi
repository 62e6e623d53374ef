import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NORMAL: _ClassVar[Priority]
    URGENT: _ClassVar[Priority]
NORMAL: Priority
URGENT: Priority

class MeetRequest(_message.Message):
    __slots__ = ("empid", "emailID", "message", "empName", "timestamp", "request_id", "template", "variables", "not_after", "reply_to", "labels", "priority", "validate_only", "event", "sender")
    class VariablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EMPID_FIELD_NUMBER: _ClassVar[int]
    EMAILID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EMPNAME_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    empid: str
    emailID: str
    message: str
    empName: str
    timestamp: int
    request_id: str
    template: str
    variables: _containers.ScalarMap[str, str]
    not_after: int
    reply_to: str
    labels: _containers.ScalarMap[str, str]
    priority: Priority
    validate_only: bool
    event: Event
    sender: str
    def __init__(self, empid: _Optional[str] = ..., emailID: _Optional[str] = ..., message: _Optional[str] = ..., empName: _Optional[str] = ..., timestamp: _Optional[int] = ..., request_id: _Optional[str] = ..., template: _Optional[str] = ..., variables: _Optional[_Mapping[str, str]] = ..., not_after: _Optional[int] = ..., reply_to: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., validate_only: bool = ..., event: _Optional[_Union[Event, _Mapping]] = ..., sender: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("start", "end", "duration", "time_zone", "location", "url", "description", "organizer", "strict_time")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ORGANIZER_FIELD_NUMBER: _ClassVar[int]
    STRICT_TIME_FIELD_NUMBER: _ClassVar[int]
    start: str
    end: str
    duration: _duration_pb2.Duration
    time_zone: str
    location: str
    url: str
    description: str
    organizer: Person
    strict_time: bool
    def __init__(self, start: _Optional[str] = ..., end: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_zone: _Optional[str] = ..., location: _Optional[str] = ..., url: _Optional[str] = ..., description: _Optional[str] = ..., organizer: _Optional[_Union[Person, _Mapping]] = ..., strict_time: bool = ...) -> None: ...

class Person(_message.Message):
    __slots__ = ("email", "name")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    email: str
    name: str
    def __init__(self, email: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class MeetResponse(_message.Message):
    __slots__ = ("success", "job_id", "outcome", "due_time", "state", "preview", "meeting_id", "time_note")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[MeetResponse.Outcome]
        CREATED: _ClassVar[MeetResponse.Outcome]
        REPLAYED: _ClassVar[MeetResponse.Outcome]
        QUEUED_FOR_DAILY: _ClassVar[MeetResponse.Outcome]
        REFUSED_DUPLICATE: _ClassVar[MeetResponse.Outcome]
    OUTCOME_UNSPECIFIED: MeetResponse.Outcome
    CREATED: MeetResponse.Outcome
    REPLAYED: MeetResponse.Outcome
    QUEUED_FOR_DAILY: MeetResponse.Outcome
    REFUSED_DUPLICATE: MeetResponse.Outcome
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_NOTE_FIELD_NUMBER: _ClassVar[int]
    success: bool
    job_id: str
    outcome: MeetResponse.Outcome
    due_time: _timestamp_pb2.Timestamp
    state: Job.State
    preview: Preview
    meeting_id: str
    time_note: str
    def __init__(self, success: bool = ..., job_id: _Optional[str] = ..., outcome: _Optional[_Union[MeetResponse.Outcome, str]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[Job.State, str]] = ..., preview: _Optional[_Union[Preview, _Mapping]] = ..., meeting_id: _Optional[str] = ..., time_note: _Optional[str] = ...) -> None: ...

class Preview(_message.Message):
    __slots__ = ("subject", "text", "html", "size_bytes", "duplicate_of", "suppression", "calendar", "sender")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_OF_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSION_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    subject: str
    text: str
    html: str
    size_bytes: int
    duplicate_of: str
    suppression: Suppression
    calendar: str
    sender: str
    def __init__(self, subject: _Optional[str] = ..., text: _Optional[str] = ..., html: _Optional[str] = ..., size_bytes: _Optional[int] = ..., duplicate_of: _Optional[str] = ..., suppression: _Optional[_Union[Suppression, _Mapping]] = ..., calendar: _Optional[str] = ..., sender: _Optional[str] = ...) -> None: ...

class BatchScheduleMeetsRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[MeetRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[MeetRequest, _Mapping]]] = ...) -> None: ...

class BatchScheduleMeetsResponse(_message.Message):
    __slots__ = ("answers",)
    class Answer(_message.Message):
        __slots__ = ("response", "error")
        RESPONSE_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        response: MeetResponse
        error: _status_pb2.Status
        def __init__(self, response: _Optional[_Union[MeetResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[BatchScheduleMeetsResponse.Answer]
    def __init__(self, answers: _Optional[_Iterable[_Union[BatchScheduleMeetsResponse.Answer, _Mapping]]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("job_id", "state", "etag", "empid", "email", "name", "message", "template", "variables", "labels", "priority", "reply_to", "create_time", "schedule_time", "due_time", "expire_time", "state_time", "reason", "attempt", "lease_expirations", "message_id", "request_id", "attempts", "meeting_id", "purpose", "sequence", "client", "steps", "sender")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Job.State]
        QUEUED: _ClassVar[Job.State]
        SCHEDULED: _ClassVar[Job.State]
        SENDING: _ClassVar[Job.State]
        RETRYING: _ClassVar[Job.State]
        UNCERTAIN: _ClassVar[Job.State]
        SENT: _ClassVar[Job.State]
        FAILED: _ClassVar[Job.State]
        CANCELLED: _ClassVar[Job.State]
        EXPIRED: _ClassVar[Job.State]
        SUPPRESSED: _ClassVar[Job.State]
    STATE_UNSPECIFIED: Job.State
    QUEUED: Job.State
    SCHEDULED: Job.State
    SENDING: Job.State
    RETRYING: Job.State
    UNCERTAIN: Job.State
    SENT: Job.State
    FAILED: Job.State
    CANCELLED: Job.State
    EXPIRED: Job.State
    SUPPRESSED: Job.State
    class Purpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PURPOSE_UNSPECIFIED: _ClassVar[Job.Purpose]
        INVITATION: _ClassVar[Job.Purpose]
        UPDATE: _ClassVar[Job.Purpose]
        CANCELLATION: _ClassVar[Job.Purpose]
        REMINDER: _ClassVar[Job.Purpose]
    PURPOSE_UNSPECIFIED: Job.Purpose
    INVITATION: Job.Purpose
    UPDATE: Job.Purpose
    CANCELLATION: Job.Purpose
    REMINDER: Job.Purpose
    class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BASIC: _ClassVar[Job.View]
        FULL: _ClassVar[Job.View]
    BASIC: Job.View
    FULL: Job.View
    class VariablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    EMPID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LEASE_EXPIRATIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    state: Job.State
    etag: str
    empid: str
    email: str
    name: str
    message: str
    template: str
    variables: _containers.ScalarMap[str, str]
    labels: _containers.ScalarMap[str, str]
    priority: Priority
    reply_to: str
    create_time: _timestamp_pb2.Timestamp
    schedule_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    state_time: _timestamp_pb2.Timestamp
    reason: str
    attempt: int
    lease_expirations: int
    message_id: str
    request_id: str
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    meeting_id: str
    purpose: Job.Purpose
    sequence: int
    client: str
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    sender: str
    def __init__(self, job_id: _Optional[str] = ..., state: _Optional[_Union[Job.State, str]] = ..., etag: _Optional[str] = ..., empid: _Optional[str] = ..., email: _Optional[str] = ..., name: _Optional[str] = ..., message: _Optional[str] = ..., template: _Optional[str] = ..., variables: _Optional[_Mapping[str, str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., reply_to: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., schedule_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., attempt: _Optional[int] = ..., lease_expirations: _Optional[int] = ..., message_id: _Optional[str] = ..., request_id: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., meeting_id: _Optional[str] = ..., purpose: _Optional[_Union[Job.Purpose, str]] = ..., sequence: _Optional[int] = ..., client: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., sender: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("time", "client", "via", "method", "previous_state", "state", "reason")
    TIME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    VIA_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    client: str
    via: str
    method: str
    previous_state: Job.State
    state: Job.State
    reason: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., client: _Optional[str] = ..., via: _Optional[str] = ..., method: _Optional[str] = ..., previous_state: _Optional[_Union[Job.State, str]] = ..., state: _Optional[_Union[Job.State, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("start_time", "end_time", "kind", "relay", "code", "enhanced_code", "text")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Attempt.Kind]
        ACCEPTED: _ClassVar[Attempt.Kind]
        DEFERRED: _ClassVar[Attempt.Kind]
        RECIPIENT: _ClassVar[Attempt.Kind]
        CONTENT: _ClassVar[Attempt.Kind]
        POLICY: _ClassVar[Attempt.Kind]
        RELAY: _ClassVar[Attempt.Kind]
        UNCERTAIN: _ClassVar[Attempt.Kind]
    KIND_UNSPECIFIED: Attempt.Kind
    ACCEPTED: Attempt.Kind
    DEFERRED: Attempt.Kind
    RECIPIENT: Attempt.Kind
    CONTENT: Attempt.Kind
    POLICY: Attempt.Kind
    RELAY: Attempt.Kind
    UNCERTAIN: Attempt.Kind
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    kind: Attempt.Kind
    relay: str
    code: int
    enhanced_code: str
    text: str
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[_Union[Attempt.Kind, str]] = ..., relay: _Optional[str] = ..., code: _Optional[int] = ..., enhanced_code: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class JobFilter(_message.Message):
    __slots__ = ("state", "due_time_from", "due_time_before", "empid", "email", "request_id", "id_prefix", "meeting_id", "client")
    STATE_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_BEFORE_FIELD_NUMBER: _ClassVar[int]
    EMPID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    state: Job.State
    due_time_from: _timestamp_pb2.Timestamp
    due_time_before: _timestamp_pb2.Timestamp
    empid: str
    email: str
    request_id: str
    id_prefix: str
    meeting_id: str
    client: str
    def __init__(self, state: _Optional[_Union[Job.State, str]] = ..., due_time_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., empid: _Optional[str] = ..., email: _Optional[str] = ..., request_id: _Optional[str] = ..., id_prefix: _Optional[str] = ..., meeting_id: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("filter", "order", "page_size", "page_token", "view")
    class Order(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORDER_UNSPECIFIED: _ClassVar[ListJobsRequest.Order]
        CREATE_TIME_DESC: _ClassVar[ListJobsRequest.Order]
        CREATE_TIME_ASC: _ClassVar[ListJobsRequest.Order]
        DUE_TIME_ASC: _ClassVar[ListJobsRequest.Order]
        DUE_TIME_DESC: _ClassVar[ListJobsRequest.Order]
    ORDER_UNSPECIFIED: ListJobsRequest.Order
    CREATE_TIME_DESC: ListJobsRequest.Order
    CREATE_TIME_ASC: ListJobsRequest.Order
    DUE_TIME_ASC: ListJobsRequest.Order
    DUE_TIME_DESC: ListJobsRequest.Order
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    filter: JobFilter
    order: ListJobsRequest.Order
    page_size: int
    page_token: str
    view: Job.View
    def __init__(self, filter: _Optional[_Union[JobFilter, _Mapping]] = ..., order: _Optional[_Union[ListJobsRequest.Order, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[Job.View, str]] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs", "next_page_token")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    next_page_token: str
    def __init__(self, jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CountJobsRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: JobFilter
    def __init__(self, filter: _Optional[_Union[JobFilter, _Mapping]] = ...) -> None: ...

class CountJobsResponse(_message.Message):
    __slots__ = ("count", "has_more")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    count: int
    has_more: bool
    def __init__(self, count: _Optional[int] = ..., has_more: bool = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("job_id", "etag", "reason")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    etag: str
    reason: str
    def __init__(self, job_id: _Optional[str] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RescheduleJobRequest(_message.Message):
    __slots__ = ("job_id", "etag", "timestamp")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    etag: str
    timestamp: int
    def __init__(self, job_id: _Optional[str] = ..., etag: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class RetryJobRequest(_message.Message):
    __slots__ = ("job_id", "etag")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    etag: str
    def __init__(self, job_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ResolveJobRequest(_message.Message):
    __slots__ = ("job_id", "etag", "state", "reason")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    etag: str
    state: Job.State
    reason: str
    def __init__(self, job_id: _Optional[str] = ..., etag: _Optional[str] = ..., state: _Optional[_Union[Job.State, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class ChangeJobsRequest(_message.Message):
    __slots__ = ("filter", "all", "validate_only", "reason")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    filter: JobFilter
    all: bool
    validate_only: bool
    reason: str
    def __init__(self, filter: _Optional[_Union[JobFilter, _Mapping]] = ..., all: bool = ..., validate_only: bool = ..., reason: _Optional[str] = ...) -> None: ...

class ChangeJobsResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class RunDailyQueueRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunDailyQueueResponse(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class PauseSendingRequest(_message.Message):
    __slots__ = ("by", "reason")
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    by: str
    reason: str
    def __init__(self, by: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeSendingRequest(_message.Message):
    __slots__ = ("by",)
    BY_FIELD_NUMBER: _ClassVar[int]
    by: str
    def __init__(self, by: _Optional[str] = ...) -> None: ...

class ResumeSendingResponse(_message.Message):
    __slots__ = ("pause",)
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    pause: Pause
    def __init__(self, pause: _Optional[_Union[Pause, _Mapping]] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = ("by", "reason", "start_time")
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    by: str
    reason: str
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, by: _Optional[str] = ..., reason: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusReport(_message.Message):
    __slots__ = ("counts", "count_time", "oldest_due_lateness", "lateness", "relays", "pause", "version", "python", "start_time", "unreadable_jobs", "problems", "stores", "report_time", "access", "sending", "zone_version")
    class StateCount(_message.Message):
        __slots__ = ("state", "count")
        STATE_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        state: Job.State
        count: int
        def __init__(self, state: _Optional[_Union[Job.State, str]] = ..., count: _Optional[int] = ...) -> None: ...
    class Lateness(_message.Message):
        __slots__ = ("mails", "p50", "p99")
        MAILS_FIELD_NUMBER: _ClassVar[int]
        P50_FIELD_NUMBER: _ClassVar[int]
        P99_FIELD_NUMBER: _ClassVar[int]
        mails: int
        p50: _duration_pb2.Duration
        p99: _duration_pb2.Duration
        def __init__(self, mails: _Optional[int] = ..., p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., p99: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class Relay(_message.Message):
        __slots__ = ("name", "is_down", "sessions_open", "sessions_busy", "rate", "effective_rate", "state", "last_error", "state_time", "sessions_limit")
        class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            UNKNOWN: _ClassVar[StatusReport.Relay.State]
            UP: _ClassVar[StatusReport.Relay.State]
            FAILED: _ClassVar[StatusReport.Relay.State]
            DOWN: _ClassVar[StatusReport.Relay.State]
        UNKNOWN: StatusReport.Relay.State
        UP: StatusReport.Relay.State
        FAILED: StatusReport.Relay.State
        DOWN: StatusReport.Relay.State
        NAME_FIELD_NUMBER: _ClassVar[int]
        IS_DOWN_FIELD_NUMBER: _ClassVar[int]
        SESSIONS_OPEN_FIELD_NUMBER: _ClassVar[int]
        SESSIONS_BUSY_FIELD_NUMBER: _ClassVar[int]
        RATE_FIELD_NUMBER: _ClassVar[int]
        EFFECTIVE_RATE_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
        STATE_TIME_FIELD_NUMBER: _ClassVar[int]
        SESSIONS_LIMIT_FIELD_NUMBER: _ClassVar[int]
        name: str
        is_down: bool
        sessions_open: int
        sessions_busy: int
        rate: float
        effective_rate: float
        state: StatusReport.Relay.State
        last_error: str
        state_time: _timestamp_pb2.Timestamp
        sessions_limit: int
        def __init__(self, name: _Optional[str] = ..., is_down: bool = ..., sessions_open: _Optional[int] = ..., sessions_busy: _Optional[int] = ..., rate: _Optional[float] = ..., effective_rate: _Optional[float] = ..., state: _Optional[_Union[StatusReport.Relay.State, str]] = ..., last_error: _Optional[str] = ..., state_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sessions_limit: _Optional[int] = ...) -> None: ...
    class Store(_message.Message):
        __slots__ = ("name", "problem", "state_time")
        NAME_FIELD_NUMBER: _ClassVar[int]
        PROBLEM_FIELD_NUMBER: _ClassVar[int]
        STATE_TIME_FIELD_NUMBER: _ClassVar[int]
        name: str
        problem: str
        state_time: _timestamp_pb2.Timestamp
        def __init__(self, name: _Optional[str] = ..., problem: _Optional[str] = ..., state_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    class Access(_message.Message):
        __slots__ = ("is_controlled", "is_encrypted", "is_insecure", "clients", "problem")
        IS_CONTROLLED_FIELD_NUMBER: _ClassVar[int]
        IS_ENCRYPTED_FIELD_NUMBER: _ClassVar[int]
        IS_INSECURE_FIELD_NUMBER: _ClassVar[int]
        CLIENTS_FIELD_NUMBER: _ClassVar[int]
        PROBLEM_FIELD_NUMBER: _ClassVar[int]
        is_controlled: bool
        is_encrypted: bool
        is_insecure: bool
        clients: int
        problem: str
        def __init__(self, is_controlled: bool = ..., is_encrypted: bool = ..., is_insecure: bool = ..., clients: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...
    class Sending(_message.Message):
        __slots__ = ("redirect_to", "allowed_recipients", "senders")
        REDIRECT_TO_FIELD_NUMBER: _ClassVar[int]
        ALLOWED_RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
        SENDERS_FIELD_NUMBER: _ClassVar[int]
        redirect_to: str
        allowed_recipients: _containers.RepeatedScalarFieldContainer[str]
        senders: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, redirect_to: _Optional[str] = ..., allowed_recipients: _Optional[_Iterable[str]] = ..., senders: _Optional[_Iterable[str]] = ...) -> None: ...
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    COUNT_TIME_FIELD_NUMBER: _ClassVar[int]
    OLDEST_DUE_LATENESS_FIELD_NUMBER: _ClassVar[int]
    LATENESS_FIELD_NUMBER: _ClassVar[int]
    RELAYS_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_JOBS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    STORES_FIELD_NUMBER: _ClassVar[int]
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    SENDING_FIELD_NUMBER: _ClassVar[int]
    ZONE_VERSION_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[StatusReport.StateCount]
    count_time: _timestamp_pb2.Timestamp
    oldest_due_lateness: _duration_pb2.Duration
    lateness: StatusReport.Lateness
    relays: _containers.RepeatedCompositeFieldContainer[StatusReport.Relay]
    pause: Pause
    version: str
    python: str
    start_time: _timestamp_pb2.Timestamp
    unreadable_jobs: int
    problems: _containers.RepeatedScalarFieldContainer[str]
    stores: _containers.RepeatedCompositeFieldContainer[StatusReport.Store]
    report_time: _timestamp_pb2.Timestamp
    access: StatusReport.Access
    sending: StatusReport.Sending
    zone_version: str
    def __init__(self, counts: _Optional[_Iterable[_Union[StatusReport.StateCount, _Mapping]]] = ..., count_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., oldest_due_lateness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lateness: _Optional[_Union[StatusReport.Lateness, _Mapping]] = ..., relays: _Optional[_Iterable[_Union[StatusReport.Relay, _Mapping]]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., version: _Optional[str] = ..., python: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., unreadable_jobs: _Optional[int] = ..., problems: _Optional[_Iterable[str]] = ..., stores: _Optional[_Iterable[_Union[StatusReport.Store, _Mapping]]] = ..., report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., access: _Optional[_Union[StatusReport.Access, _Mapping]] = ..., sending: _Optional[_Union[StatusReport.Sending, _Mapping]] = ..., zone_version: _Optional[str] = ...) -> None: ...

class Suppression(_message.Message):
    __slots__ = ("email", "reason", "job_id", "create_time", "expire_time")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    email: str
    reason: str
    job_id: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, email: _Optional[str] = ..., reason: _Optional[str] = ..., job_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListSuppressionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSuppressionsResponse(_message.Message):
    __slots__ = ("suppressions", "next_page_token")
    SUPPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    suppressions: _containers.RepeatedCompositeFieldContainer[Suppression]
    next_page_token: str
    def __init__(self, suppressions: _Optional[_Iterable[_Union[Suppression, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetSuppressionRequest(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class AddSuppressionRequest(_message.Message):
    __slots__ = ("email", "reason", "expire_time")
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    email: str
    reason: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, email: _Optional[str] = ..., reason: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RemoveSuppressionRequest(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class RemoveSuppressionResponse(_message.Message):
    __slots__ = ("suppression",)
    SUPPRESSION_FIELD_NUMBER: _ClassVar[int]
    suppression: Suppression
    def __init__(self, suppression: _Optional[_Union[Suppression, _Mapping]] = ...) -> None: ...

class GetRecipientRequest(_message.Message):
    __slots__ = ("empid",)
    EMPID_FIELD_NUMBER: _ClassVar[int]
    empid: str
    def __init__(self, empid: _Optional[str] = ...) -> None: ...

class Recipient(_message.Message):
    __slots__ = ("empid", "name", "email", "first_seen_time", "last_seen_time", "accepted_count")
    EMPID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    empid: str
    name: str
    email: str
    first_seen_time: _timestamp_pb2.Timestamp
    last_seen_time: _timestamp_pb2.Timestamp
    accepted_count: int
    def __init__(self, empid: _Optional[str] = ..., name: _Optional[str] = ..., email: _Optional[str] = ..., first_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., accepted_count: _Optional[int] = ...) -> None: ...

class ForgetRecipientRequest(_message.Message):
    __slots__ = ("empid",)
    EMPID_FIELD_NUMBER: _ClassVar[int]
    empid: str
    def __init__(self, empid: _Optional[str] = ...) -> None: ...

class ForgetRecipientResponse(_message.Message):
    __slots__ = ("erased_jobs", "unfinished_jobs", "details_erased")
    ERASED_JOBS_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_JOBS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_ERASED_FIELD_NUMBER: _ClassVar[int]
    erased_jobs: int
    unfinished_jobs: int
    details_erased: bool
    def __init__(self, erased_jobs: _Optional[int] = ..., unfinished_jobs: _Optional[int] = ..., details_erased: bool = ...) -> None: ...

class ListTemplatesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListTemplatesResponse(_message.Message):
    __slots__ = ("templates",)
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    templates: _containers.RepeatedCompositeFieldContainer[Template]
    def __init__(self, templates: _Optional[_Iterable[_Union[Template, _Mapping]]] = ...) -> None: ...

class Template(_message.Message):
    __slots__ = ("name", "required_variables", "has_text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_VARIABLES_FIELD_NUMBER: _ClassVar[int]
    HAS_TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    required_variables: _containers.RepeatedScalarFieldContainer[str]
    has_text: bool
    def __init__(self, name: _Optional[str] = ..., required_variables: _Optional[_Iterable[str]] = ..., has_text: bool = ...) -> None: ...

class PreviewTemplateRequest(_message.Message):
    __slots__ = ("template", "variables", "empid", "email", "name", "message")
    class VariablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    EMPID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    template: str
    variables: _containers.ScalarMap[str, str]
    empid: str
    email: str
    name: str
    message: str
    def __init__(self, template: _Optional[str] = ..., variables: _Optional[_Mapping[str, str]] = ..., empid: _Optional[str] = ..., email: _Optional[str] = ..., name: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class SendTestMailRequest(_message.Message):
    __slots__ = ("template", "variables", "empid", "email", "name", "message", "sender", "request_id")
    class VariablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    EMPID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    template: str
    variables: _containers.ScalarMap[str, str]
    empid: str
    email: str
    name: str
    message: str
    sender: str
    request_id: str
    def __init__(self, template: _Optional[str] = ..., variables: _Optional[_Mapping[str, str]] = ..., empid: _Optional[str] = ..., email: _Optional[str] = ..., name: _Optional[str] = ..., message: _Optional[str] = ..., sender: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListAuditRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "client", "subject", "from_time", "before_time")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_TIME_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    client: str
    subject: str
    from_time: _timestamp_pb2.Timestamp
    before_time: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., client: _Optional[str] = ..., subject: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., before_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAuditResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("id", "time", "client", "via", "method", "details", "outcome", "count", "error", "end_time")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STARTED: _ClassVar[AuditEntry.Outcome]
        DONE: _ClassVar[AuditEntry.Outcome]
        ERROR: _ClassVar[AuditEntry.Outcome]
    STARTED: AuditEntry.Outcome
    DONE: AuditEntry.Outcome
    ERROR: AuditEntry.Outcome
    ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    VIA_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    time: _timestamp_pb2.Timestamp
    client: str
    via: str
    method: str
    details: str
    outcome: AuditEntry.Outcome
    count: int
    error: str
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., client: _Optional[str] = ..., via: _Optional[str] = ..., method: _Optional[str] = ..., details: _Optional[str] = ..., outcome: _Optional[_Union[AuditEntry.Outcome, str]] = ..., count: _Optional[int] = ..., error: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Meeting(_message.Message):
    __slots__ = ("meeting_id", "uid", "etag", "state", "sequence", "summary", "start", "end", "duration", "time_zone", "location", "url", "description", "organizer", "attendees", "guests_see_each_other", "reminders", "invite_at", "strict_time", "texts", "labels", "start_time", "end_time", "time_note", "zone_version", "create_time", "update_time", "reason", "effects", "request_id", "client", "sender", "steps")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Meeting.State]
        SCHEDULED: _ClassVar[Meeting.State]
        CANCELLED: _ClassVar[Meeting.State]
    STATE_UNSPECIFIED: Meeting.State
    SCHEDULED: Meeting.State
    CANCELLED: Meeting.State
    class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BASIC: _ClassVar[Meeting.View]
        FULL: _ClassVar[Meeting.View]
    BASIC: Meeting.View
    FULL: Meeting.View
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ORGANIZER_FIELD_NUMBER: _ClassVar[int]
    ATTENDEES_FIELD_NUMBER: _ClassVar[int]
    GUESTS_SEE_EACH_OTHER_FIELD_NUMBER: _ClassVar[int]
    REMINDERS_FIELD_NUMBER: _ClassVar[int]
    INVITE_AT_FIELD_NUMBER: _ClassVar[int]
    STRICT_TIME_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_NOTE_FIELD_NUMBER: _ClassVar[int]
    ZONE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    uid: str
    etag: str
    state: Meeting.State
    sequence: int
    summary: str
    start: str
    end: str
    duration: _duration_pb2.Duration
    time_zone: str
    location: str
    url: str
    description: str
    organizer: Person
    attendees: _containers.RepeatedCompositeFieldContainer[Attendee]
    guests_see_each_other: bool
    reminders: _containers.RepeatedCompositeFieldContainer[Reminder]
    invite_at: _timestamp_pb2.Timestamp
    strict_time: bool
    texts: MeetingTexts
    labels: _containers.ScalarMap[str, str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    time_note: str
    zone_version: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    reason: str
    effects: _containers.RepeatedCompositeFieldContainer[Effect]
    request_id: str
    client: str
    sender: str
    steps: _containers.RepeatedCompositeFieldContainer[MeetingStep]
    def __init__(self, meeting_id: _Optional[str] = ..., uid: _Optional[str] = ..., etag: _Optional[str] = ..., state: _Optional[_Union[Meeting.State, str]] = ..., sequence: _Optional[int] = ..., summary: _Optional[str] = ..., start: _Optional[str] = ..., end: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_zone: _Optional[str] = ..., location: _Optional[str] = ..., url: _Optional[str] = ..., description: _Optional[str] = ..., organizer: _Optional[_Union[Person, _Mapping]] = ..., attendees: _Optional[_Iterable[_Union[Attendee, _Mapping]]] = ..., guests_see_each_other: bool = ..., reminders: _Optional[_Iterable[_Union[Reminder, _Mapping]]] = ..., invite_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., strict_time: bool = ..., texts: _Optional[_Union[MeetingTexts, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_note: _Optional[str] = ..., zone_version: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., effects: _Optional[_Iterable[_Union[Effect, _Mapping]]] = ..., request_id: _Optional[str] = ..., client: _Optional[str] = ..., sender: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[MeetingStep, _Mapping]]] = ...) -> None: ...

class Attendee(_message.Message):
    __slots__ = ("email", "name", "empid", "role", "told", "told_sequence", "delivery", "job_id", "delivery_reason", "removed")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REQUIRED: _ClassVar[Attendee.Role]
        OPTIONAL: _ClassVar[Attendee.Role]
        INFORMED: _ClassVar[Attendee.Role]
    REQUIRED: Attendee.Role
    OPTIONAL: Attendee.Role
    INFORMED: Attendee.Role
    class Told(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NOTHING: _ClassVar[Attendee.Told]
        MAYBE: _ClassVar[Attendee.Told]
        SURE: _ClassVar[Attendee.Told]
    NOTHING: Attendee.Told
    MAYBE: Attendee.Told
    SURE: Attendee.Told
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMPID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    TOLD_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_REASON_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    email: str
    name: str
    empid: str
    role: Attendee.Role
    told: Attendee.Told
    told_sequence: int
    delivery: Job.State
    job_id: str
    delivery_reason: str
    removed: bool
    def __init__(self, email: _Optional[str] = ..., name: _Optional[str] = ..., empid: _Optional[str] = ..., role: _Optional[_Union[Attendee.Role, str]] = ..., told: _Optional[_Union[Attendee.Told, str]] = ..., told_sequence: _Optional[int] = ..., delivery: _Optional[_Union[Job.State, str]] = ..., job_id: _Optional[str] = ..., delivery_reason: _Optional[str] = ..., removed: bool = ...) -> None: ...

class Reminder(_message.Message):
    __slots__ = ("before", "template")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    before: _duration_pb2.Duration
    template: str
    def __init__(self, before: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., template: _Optional[str] = ...) -> None: ...

class MeetingTexts(_message.Message):
    __slots__ = ("invitation", "update", "cancellation", "reminder", "variables")
    class Mail(_message.Message):
        __slots__ = ("template", "subject")
        TEMPLATE_FIELD_NUMBER: _ClassVar[int]
        SUBJECT_FIELD_NUMBER: _ClassVar[int]
        template: str
        subject: str
        def __init__(self, template: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...
    class VariablesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    REMINDER_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    invitation: MeetingTexts.Mail
    update: MeetingTexts.Mail
    cancellation: MeetingTexts.Mail
    reminder: MeetingTexts.Mail
    variables: _containers.ScalarMap[str, str]
    def __init__(self, invitation: _Optional[_Union[MeetingTexts.Mail, _Mapping]] = ..., update: _Optional[_Union[MeetingTexts.Mail, _Mapping]] = ..., cancellation: _Optional[_Union[MeetingTexts.Mail, _Mapping]] = ..., reminder: _Optional[_Union[MeetingTexts.Mail, _Mapping]] = ..., variables: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Effect(_message.Message):
    __slots__ = ("email", "purpose", "what", "in_flight", "count")
    class What(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NOTHING: _ClassVar[Effect.What]
        MAKES: _ClassVar[Effect.What]
        CHANGES: _ClassVar[Effect.What]
        CANCELS: _ClassVar[Effect.What]
    NOTHING: Effect.What
    MAKES: Effect.What
    CHANGES: Effect.What
    CANCELS: Effect.What
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    email: str
    purpose: Job.Purpose
    what: Effect.What
    in_flight: int
    count: int
    def __init__(self, email: _Optional[str] = ..., purpose: _Optional[_Union[Job.Purpose, str]] = ..., what: _Optional[_Union[Effect.What, str]] = ..., in_flight: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class MeetingStep(_message.Message):
    __slots__ = ("time", "client", "via", "method", "revision", "reason")
    TIME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    VIA_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    client: str
    via: str
    method: str
    revision: int
    reason: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., client: _Optional[str] = ..., via: _Optional[str] = ..., method: _Optional[str] = ..., revision: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class CreateMeetingRequest(_message.Message):
    __slots__ = ("meeting", "request_id", "validate_only")
    MEETING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    meeting: Meeting
    request_id: str
    validate_only: bool
    def __init__(self, meeting: _Optional[_Union[Meeting, _Mapping]] = ..., request_id: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class GetMeetingRequest(_message.Message):
    __slots__ = ("meeting_id", "view")
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    view: Meeting.View
    def __init__(self, meeting_id: _Optional[str] = ..., view: _Optional[_Union[Meeting.View, str]] = ...) -> None: ...

class MeetingFilter(_message.Message):
    __slots__ = ("start_time_from", "start_time_before", "organizer", "attendee", "client")
    START_TIME_FROM_FIELD_NUMBER: _ClassVar[int]
    START_TIME_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ORGANIZER_FIELD_NUMBER: _ClassVar[int]
    ATTENDEE_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    start_time_from: _timestamp_pb2.Timestamp
    start_time_before: _timestamp_pb2.Timestamp
    organizer: str
    attendee: str
    client: str
    def __init__(self, start_time_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., organizer: _Optional[str] = ..., attendee: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class ListMeetingsRequest(_message.Message):
    __slots__ = ("filter", "order", "page_size", "page_token", "view")
    class Order(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ORDER_UNSPECIFIED: _ClassVar[ListMeetingsRequest.Order]
        CREATE_TIME_DESC: _ClassVar[ListMeetingsRequest.Order]
        CREATE_TIME_ASC: _ClassVar[ListMeetingsRequest.Order]
        START_TIME_ASC: _ClassVar[ListMeetingsRequest.Order]
        START_TIME_DESC: _ClassVar[ListMeetingsRequest.Order]
    ORDER_UNSPECIFIED: ListMeetingsRequest.Order
    CREATE_TIME_DESC: ListMeetingsRequest.Order
    CREATE_TIME_ASC: ListMeetingsRequest.Order
    START_TIME_ASC: ListMeetingsRequest.Order
    START_TIME_DESC: ListMeetingsRequest.Order
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    filter: MeetingFilter
    order: ListMeetingsRequest.Order
    page_size: int
    page_token: str
    view: Meeting.View
    def __init__(self, filter: _Optional[_Union[MeetingFilter, _Mapping]] = ..., order: _Optional[_Union[ListMeetingsRequest.Order, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[Meeting.View, str]] = ...) -> None: ...

class ListMeetingsResponse(_message.Message):
    __slots__ = ("meetings", "next_page_token")
    MEETINGS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    meetings: _containers.RepeatedCompositeFieldContainer[Meeting]
    next_page_token: str
    def __init__(self, meetings: _Optional[_Iterable[_Union[Meeting, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateMeetingRequest(_message.Message):
    __slots__ = ("meeting", "update_mask", "validate_only")
    MEETING_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    meeting: Meeting
    update_mask: _field_mask_pb2.FieldMask
    validate_only: bool
    def __init__(self, meeting: _Optional[_Union[Meeting, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class CancelMeetingRequest(_message.Message):
    __slots__ = ("meeting_id", "etag", "reason", "validate_only")
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    etag: str
    reason: str
    validate_only: bool
    def __init__(self, meeting_id: _Optional[str] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class AddAttendeesRequest(_message.Message):
    __slots__ = ("meeting_id", "etag", "attendees", "tell_others", "validate_only")
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ATTENDEES_FIELD_NUMBER: _ClassVar[int]
    TELL_OTHERS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    etag: str
    attendees: _containers.RepeatedCompositeFieldContainer[Attendee]
    tell_others: bool
    validate_only: bool
    def __init__(self, meeting_id: _Optional[str] = ..., etag: _Optional[str] = ..., attendees: _Optional[_Iterable[_Union[Attendee, _Mapping]]] = ..., tell_others: bool = ..., validate_only: bool = ...) -> None: ...

class RemoveAttendeesRequest(_message.Message):
    __slots__ = ("meeting_id", "etag", "emails", "reason", "validate_only")
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    EMAILS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    etag: str
    emails: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    validate_only: bool
    def __init__(self, meeting_id: _Optional[str] = ..., etag: _Optional[str] = ..., emails: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class GetMeetingCalendarRequest(_message.Message):
    __slots__ = ("meeting_id", "email")
    MEETING_ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    meeting_id: str
    email: str
    def __init__(self, meeting_id: _Optional[str] = ..., email: _Optional[str] = ...) -> None: ...

class CalendarFile(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...
