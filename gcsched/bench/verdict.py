"""Which part was the limit of a scenario, as far as the figures show it. Pure."""

from collections.abc import Mapping
from typing import Any

from gcsched.bench.cpu import OTHER_PROGRAMS
from gcsched.bench.scenario import Kind, Scenario
from gcsched.bench.system import LOAD_GENERATOR

BUSY_SHARE = 0.85
"""Of a core. A part of one thread with more than this cannot do much more."""
WAITING_SHARE = 0.6
"""Of one mail for each reply time and session: with more the sessions do little but wait."""
CROWDED_SHARE = 0.25
"""Of a core: with more used by other programs, figures are lower than the machine allows."""
ON_TIME_MS = 1_000.0


def judge(
    scenario: Scenario, summary: Mapping[str, Any], *, is_pinned: bool, cores: int, sessions: int
) -> str:
    """Return one sentence or two; they name what cannot be seen."""
    shares = {
        name.partition(".")[2]: each["median"]
        for name, each in summary.items()
        if name.startswith("core_shares.")
    }
    seen = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    others_share = shares.pop(OTHER_PROGRAMS, 0.0)
    if "gcsched" not in shares:
        return judge_remote(shares, is_limit_sought=scenario.is_bounded_by_load)
    suffix = f" Of a core each: {seen}."
    if others_share >= CROWDED_SHARE:
        suffix += " Other programs were in the way: measure on a quiet machine."
    if not scenario.is_bounded_by_load:
        return judge_paced(summary) + suffix
    if (found := judge_sessions(scenario, summary, sessions)) is not None:
        return found + suffix
    if shares["gcsched"] >= BUSY_SHARE:
        return "The limit was the service: it used its core. More processes do more." + suffix
    return (
        judge_others(shares, is_pinned=is_pinned, cores=cores, others_share=others_share) + suffix
    )


def judge_remote(shares: Mapping[str, float], *, is_limit_sought: bool) -> str:
    own = shares.get(LOAD_GENERATOR)
    hidden = "The service, its stores and its relay cannot be seen from here: see `gcsched status`."
    if own is None:
        return f"This system does not tell what the load generator used. {hidden}"
    if own >= BUSY_SHARE:
        return f"The limit was the load generator: it used {own:.0%} of a core. {hidden}"
    what = "was not the limit" if is_limit_sought else "kept its pace"
    return f"The load generator {what}: it used {own:.0%} of a core. {hidden}"


def judge_paced(summary: Mapping[str, Any]) -> str:
    late = summary["late_p99_ms"]["median"]
    if late <= ON_TIME_MS and not summary["missing"]["max"]:
        return "The load was paced, and nothing was a limit."
    return f"The load was paced, and the mails did not keep up: 99 % within {late:,.0f} ms."


def judge_sessions(scenario: Scenario, summary: Mapping[str, Any], sessions: int) -> str | None:
    if scenario.kind is not Kind.MAILS or not scenario.reply_delay or not sessions:
        return None
    share = summary["mails_per_s"]["median"] * scenario.reply_delay / sessions
    if share < WAITING_SHARE:
        return None
    return (
        f"The limit was the relay's reply time: {sessions} sessions sent {share:.2f} mails each per"
        " reply time. More sessions (GCSCHED_SMTP_SESSIONS) do more."
    )


def judge_others(
    shares: Mapping[str, float], *, is_pinned: bool, cores: int, others_share: float
) -> str:
    """Judge the parts beside the service; where cores are split, they share all but one."""
    others = {name: share for name, share in shares.items() if name != "gcsched"}
    first = max(others, key=lambda name: others[name])
    if others[first] >= BUSY_SHARE:
        what = "was measuring itself" if first == LOAD_GENERATOR else f"was {first}"
        return f"The limit {what}: {first} used {others[first]:.0%} of a core."
    places = max(1, cores - 1) if is_pinned else cores
    used = sum(others.values()) if is_pinned else sum(shares.values())
    if used >= BUSY_SHARE * places:
        return (
            "The limit was this machine: load generator, stores and relay used"
            f" {used:.0%} of {places} {'core' if places == 1 else 'cores'}."
        )
    if others_share >= CROWDED_SHARE:
        return "No part used its core, and the limit is not visible."
    return "No part used its core: the waits for the stores or for the relay were the limit."
