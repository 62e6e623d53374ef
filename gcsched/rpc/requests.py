"""Filters and orders of jobs, as callers name them."""

from gcsched.domain.checks import Checks
from gcsched.domain.job_list import JobFilter, Listing, Order, allowed, listing
from gcsched.domain.request import LONGEST_EMPID
from gcsched.domain.validation import request_id_violations, text_violations
from gcsched.errors import Violation
from gcsched.pb import task_pb2
from gcsched.rpc.addresses import address_from
from gcsched.rpc.call import LONGEST_ID
from gcsched.rpc.messages import state_from
from gcsched.rpc.moments import moment


def filter_from(message: task_pb2.JobFilter, checks: Checks) -> JobFilter:
    """Read a filter; what is wrong with it is left in *checks*."""
    wanted = fields_from(message, checks)
    checks.taken(allowed(wanted), otherwise=None)
    return wanted


def listing_from(message: task_pb2.ListJobsRequest, checks: Checks) -> Listing:
    """Read filter and order; what is wrong with them is left in *checks*."""
    wanted = fields_from(message.filter, checks)
    order = checks.taken(order_from(message.order), otherwise=None)
    anything = Listing(filter=wanted, order=Order.CREATED_DESC)
    return checks.taken(listing(wanted, order), otherwise=anything)


def fields_from(message: task_pb2.JobFilter, checks: Checks) -> JobFilter:
    given = {
        name: checks.taken(moment(getattr(message, name), f"filter.{name}"), otherwise=None)
        for name in ("due_from", "due_before")
        if message.HasField(name)
    }
    email = address_from(message.email, "filter.email") if message.email else ""
    checks.add(text_violations("filter.empid", message.empid, at_least=0, at_most=LONGEST_EMPID))
    if message.request_id:
        checks.add(request_id_violations(message.request_id, "filter.request_id"))
    prefix = message.id_prefix
    checks.add(text_violations("filter.id_prefix", prefix, at_least=0, at_most=LONGEST_ID))
    return JobFilter(
        state=checks.taken(state_from(message.state, "filter.state"), otherwise=None),
        due_from=given.get("due_from"),
        due_before=given.get("due_before"),
        empid=message.empid,
        email=checks.taken(email, otherwise=""),
        request_id=message.request_id,
        id_prefix=prefix,
    )


def order_from(number: int) -> Order | Violation | None:
    if not number:
        return None
    try:
        return Order(task_pb2.ListJobsRequest.Order.Name(number))
    except ValueError:
        return Violation("order", f"must be one of {', '.join(Order)}; {number} is none")
