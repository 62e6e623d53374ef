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
from gcsched.web.console.routing import (
    CHANGE_MANY_WITHIN,
    OPEN,
    Handler,
    Route,
    RouteKind,
    of_one,
    of_page,
)

JOB = "/jobs/{id}"


def of_jobs(which: str, name: str, act: str, handler: Handler) -> Route:
    """Return the route of an act on many jobs, which has two steps at one address."""
    path = f"/jobs-{which}/{name}"
    return of_page("/jobs", path, act, handler, within=CHANGE_MANY_WITHIN)


ROUTES = (
    Route(
        method="GET", path="/static/{name}", act=OPEN, handler=frame.send_file, kind=RouteKind.FILE
    ),
    Route(method="GET", path="/login", act=OPEN, handler=login.show),
    of_page("/", "/login", OPEN, login.log_in),
    of_page("/", "/logout", OPEN, login.log_out),
    of_page("/", "/view", OPEN, frame.choose_view),
    Route(method="GET", path="/keys", act="console", handler=frame.show_keys),
    Route(method="GET", path="/", act="GetStatus", handler=now.show),
    of_page("/", "/resume", "ResumeSending", frame.resume_sending),
    Route(method="GET", path="/jobs", act="ListJobs", handler=jobs.show),
    of_page("/jobs", "/jobs", "ListJobs", job_search.act),
    Route(method="GET", path="/jobs-count", act="CountJobs", handler=jobs.count),
    of_jobs("ticked", "cancel", "CancelJob", ticked.cancel),
    of_jobs("ticked", "retry", "RetryJob", ticked.retry),
    of_jobs("filtered", "cancel", "CancelJobs", bulk.cancel),
    of_jobs("filtered", "retry", "RetryJobs", bulk.retry),
    Route(method="GET", path=JOB, act="GetJob", handler=job.show),
    Route(method="GET", path="/jobs/{id}/mail", act="GetJob", handler=job.show_html),
    of_one(JOB, "cancel", "CancelJob", job_acts.cancel),
    of_one(JOB, "reschedule", "RescheduleJob", job_acts.reschedule),
    of_one(JOB, "retry", "RetryJob", job_acts.retry),
    of_one(JOB, "resolve", "ResolveJob", job_acts.resolve),
    of_one(JOB, "block", "AddSuppression", job_acts.block),
    Route(method="GET", path="/jobs/{id}/again", act="ScheduleMeet", handler=send_again.show),
    of_one(JOB, "again", "ScheduleMeet", send_again.act),
    Route(method="GET", path="/now-due", act="CountJobs", handler=now.show_due),
    of_page("/", "/pause", "PauseSending", now.pause_sending),
    Route(method="GET", path="/daily", act="RunDailyQueue", handler=now.show_daily),
    of_page("/daily", "/daily", "RunDailyQueue", now.run_daily_queue, within=CHANGE_MANY_WITHIN),
    Route(method="GET", path="/relays", act="GetStatus", handler=relays.show),
    Route(method="GET", path="/lateness", act="GetStatus", handler=lateness.show),
    Route(method="GET", path="/audit", act="ListAudit", handler=audit.show),
    of_page("/audit", "/audit", "ListAudit", audit.choose),
    Route(method="GET", path="/clients", act="clients", handler=clients.show),
    *meeting_routes.ROUTES,
    *inbox.ROUTES,
    *recipients.ROUTES,
    *suppressions.ROUTES,
    *suppression_files.ROUTES,
    *templates.ROUTES,
    *test_mail.ROUTES,
)
