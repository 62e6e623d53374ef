"""The table of all addresses of the console, with the act whose scope each of them needs."""

from gcsched.web.console.pages import (
    audit,
    bulk,
    clients,
    frame,
    inbox,
    job,
    job_acts,
    job_search,
    jobs,
    lateness,
    login,
    meeting_routes,
    now,
    recipients,
    relays,
    send_again,
    suppression_files,
    suppressions,
    templates,
    test_mail,
    ticked,
)
from gcsched.web.console.routing import CHANGE_MANY_WITHIN, OPEN, Handler, Kind, Route


def of_job(name: str, act: str, handler: Handler) -> Route:
    """Return the route of an act on one job, whose page it belongs to."""
    return Route(
        method="POST",
        path=f"/jobs/{{id}}/{name}",
        act=act,
        handler=handler,
        kind=Kind.ACT,
        page="/jobs/{id}",
    )


def of_jobs(which: str, name: str, act: str, handler: Handler) -> Route:
    """Return the route of an act on many jobs, which has two steps at one address."""
    return Route(
        method="POST",
        path=f"/jobs-{which}/{name}",
        act=act,
        handler=handler,
        kind=Kind.ACT,
        page="/jobs",
        within=CHANGE_MANY_WITHIN,
    )


ROUTES = (
    Route(method="GET", path="/static/{name}", act=OPEN, handler=frame.send_file, kind=Kind.FILE),
    Route(method="GET", path="/login", act=OPEN, handler=login.show),
    Route(method="POST", path="/login", act=OPEN, handler=login.log_in, kind=Kind.ACT),
    Route(method="POST", path="/logout", act=OPEN, handler=login.log_out, kind=Kind.ACT),
    Route(method="POST", path="/view", act=OPEN, handler=frame.choose_view, kind=Kind.ACT),
    Route(method="GET", path="/keys", act="console", handler=frame.show_keys),
    Route(method="GET", path="/", act="GetStatus", handler=now.show),
    Route(
        method="POST",
        path="/resume",
        act="ResumeSending",
        handler=frame.resume_sending,
        kind=Kind.ACT,
    ),
    Route(method="GET", path="/jobs", act="ListJobs", handler=jobs.show),
    Route(
        method="POST",
        path="/jobs",
        act="ListJobs",
        handler=job_search.act,
        kind=Kind.ACT,
        page="/jobs",
    ),
    Route(method="GET", path="/jobs-count", act="CountJobs", handler=jobs.count),
    of_jobs("ticked", "cancel", "CancelJob", ticked.cancel),
    of_jobs("ticked", "retry", "RetryJob", ticked.retry),
    of_jobs("filtered", "cancel", "CancelJobs", bulk.cancel),
    of_jobs("filtered", "retry", "RetryJobs", bulk.retry),
    Route(method="GET", path="/jobs/{id}", act="GetJob", handler=job.show),
    Route(method="GET", path="/jobs/{id}/mail", act="GetJob", handler=job.show_html),
    of_job("cancel", "CancelJob", job_acts.cancel),
    of_job("reschedule", "RescheduleJob", job_acts.reschedule),
    of_job("retry", "RetryJob", job_acts.retry),
    of_job("resolve", "ResolveJob", job_acts.resolve),
    of_job("block", "AddSuppression", job_acts.block),
    Route(method="GET", path="/jobs/{id}/again", act="ScheduleMeet", handler=send_again.show),
    of_job("again", "ScheduleMeet", send_again.act),
    Route(method="GET", path="/now-due", act="CountJobs", handler=now.show_due),
    Route(
        method="POST", path="/pause", act="PauseSending", handler=now.pause_sending, kind=Kind.ACT
    ),
    Route(method="GET", path="/daily", act="RunDailyQueue", handler=now.show_daily),
    Route(
        method="POST",
        path="/daily",
        act="RunDailyQueue",
        handler=now.run_daily_queue,
        kind=Kind.ACT,
        page="/daily",
        within=CHANGE_MANY_WITHIN,
    ),
    Route(method="GET", path="/relays", act="GetStatus", handler=relays.show),
    Route(method="GET", path="/lateness", act="GetStatus", handler=lateness.show),
    Route(method="GET", path="/audit", act="ListAudit", handler=audit.show),
    Route(method="POST", path="/audit", act="ListAudit", handler=audit.choose, kind=Kind.ACT),
    Route(method="GET", path="/clients", act="clients", handler=clients.show),
    *meeting_routes.ROUTES,
    *inbox.ROUTES,
    *recipients.ROUTES,
    *suppressions.ROUTES,
    *suppression_files.ROUTES,
    *templates.ROUTES,
    *test_mail.ROUTES,
)
