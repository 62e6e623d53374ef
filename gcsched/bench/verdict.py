"""Which part was the limit of a scenario, as far as the figures show it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from gcsched.bench.cpu import OTHER_PROGRAMS
from gcsched.bench.scenario import Scenario, ScenarioKind
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
    """Return some sentences: first what makes the figures doubtful, then what the limit was.

    They name what cannot be seen.
    """
    shares = {
        name.partition(".")[2]: each["median"]
        for name, each in summary.items()
        if name.startswith("core_shares.")
    }
    seen = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    others_share = shares.pop(OTHER_PROGRAMS, 0.0)
    found = list(judge_mails(scenario, summary))
    if "gcsched" not in shares:
        found.append(judge_remote(shares, is_limit_sought=scenario.is_bounded_by_load))
        return " ".join(found)
    # Where calls were late, what looks like a limit of the service or the relay may be one of them.
    if scenario.is_bounded_by_load and not is_behind(summary):
        found.append(
            judge_sessions(scenario, summary, sessions)
            or judge_parts(shares, is_pinned=is_pinned, cores=cores, others_share=others_share)
        )
    found.append(f"Of a core each: {seen}.")
    if others_share >= CROWDED_SHARE:
        found.append("Other programs were in the way: measure on a quiet machine.")
    return " ".join(found)


def is_behind(summary: Mapping[str, Any]) -> bool:
    """Return whether a mail was due before its call was answered."""
    return "scheduled_ahead_s" in summary and summary["scheduled_ahead_s"]["min"] < 0


def judge_mails(scenario: Scenario, summary: Mapping[str, Any]) -> Iterator[str]:
    """Judge whether the mails were scheduled in time, came once, and kept a chosen pace."""
    if is_behind(summary):
        seconds = -summary["scheduled_ahead_s"]["min"]
        yield (
            f"The calls were late: mails were scheduled up to {seconds:,.1f} s after they were due,"
            " so lateness and rate are those of the load generator and of the calls. Make the load"
            " smaller (--count)."
        )
    if "missing" in summary and (missing := summary["missing"]["max"]):
        yield f"{missing:,.0f} mails of a round did not arrive: see `gcsched status`."
    if "duplicates" in summary and (second := summary["duplicates"]["max"]):
        yield f"{second:,.0f} mails of a round arrived a second time."
    if not scenario.is_bounded_by_load and not is_behind(summary):
        yield judge_paced(summary)


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
    if late > ON_TIME_MS:
        return f"The load was paced, and the mails did not keep up: 99 % within {late:,.0f} ms."
    if summary["missing"]["max"]:
        return f"The load was paced; of the mails that arrived 99 % were within {late:,.0f} ms."
    return "The load was paced, and nothing was a limit."


def judge_sessions(scenario: Scenario, summary: Mapping[str, Any], sessions: int) -> str | None:
    if scenario.kind is not ScenarioKind.MAILS or not scenario.reply_delay or not sessions:
        return None
    share = summary["mails_per_s"]["median"] * scenario.reply_delay / sessions
    if share < WAITING_SHARE:
        return None
    return (
        f"The limit was the relay's reply time: {sessions} sessions sent {share:.2f} mails each per"
        " reply time. More sessions (GCSCHED_SMTP_SESSIONS) do more."
    )


def judge_parts(
    shares: Mapping[str, float], *, is_pinned: bool, cores: int, others_share: float
) -> str:
    """Judge the service and the parts beside it; where cores are split, these share all but one."""
    if shares["gcsched"] >= BUSY_SHARE:
        return "The limit was the service: it used its core. More processes do more."
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
