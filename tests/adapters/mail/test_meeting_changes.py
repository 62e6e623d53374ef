"""What an update says has changed."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from gcsched.adapters.mail.meeting_changes import Change, find_excerpts
from gcsched.adapters.mail.meeting_texts import MeetingTexts
from gcsched.adapters.mail.template_structure import MAX_CHANGES
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from tests.support.invitations import INTERVIEW
from tests.support.meeting_mails import MOVED

HOUR = timedelta(hours=1)
WORDS = st.lists(st.sampled_from(["a", "tea", "x" * 200, "é", "\n", "  ", ".", "日本" * 40]))


def find_changes(**later: Any) -> tuple[Change, ...]:
    mail = MeetingMail(
        revision=structs.replace(INTERVIEW, **later), purpose=Purpose.UPDATE, earlier=INTERVIEW
    )
    return MeetingTexts.describe(mail).changes


def a_change(name: str, label: str, old: str, new: str) -> Change:
    return Change(name=name, label=label, old=old, new=new)


@pytest.mark.parametrize(
    ("later", "change"),
    [
        ({"summary": "Talk"}, a_change("summary", "Title", "Interview with Ada Lovelace", "Talk")),
        (
            {"location": "Library"},
            a_change("location", "Where", "Room 4.2, second floor", "Library"),
        ),
        ({"location": ""}, a_change("location", "Where", "Room 4.2, second floor", "")),
        ({"url": ""}, a_change("url", "Link", "https://meet.example.org/j/42", "")),
        (
            {"description": f"{INTERVIEW.description}\n- some tea"},
            a_change(
                "description",
                "Description",
                "...Please bring: - the notes - a pencil",
                "...Please bring: - the notes - a pencil - some tea",
            ),
        ),
        (
            {"end": INTERVIEW.end + HOUR, "end_wall": INTERVIEW.end_wall + HOUR},
            a_change(
                "when",
                "When",
                "Tuesday, 5 January 2027, 09:00-09:45 (Europe/Berlin, UTC+1)",
                "Tuesday, 5 January 2027, 09:00-10:45 (Europe/Berlin, UTC+1)",
            ),
        ),
        (  # the same instants: the words of the time differ, and people read the words
            {"zone": "Africa/Lagos"},
            a_change(
                "when",
                "When",
                "Tuesday, 5 January 2027, 09:00-09:45 (Europe/Berlin, UTC+1)",
                "Tuesday, 5 January 2027, 09:00-09:45 (Africa/Lagos, UTC+1)",
            ),
        ),
        (  # newer rules of the zone: the same clocks at another instant
            {"start": INTERVIEW.start + HOUR, "end": INTERVIEW.end + HOUR},
            a_change(
                "when",
                "When",
                "Tuesday, 5 January 2027, 09:00-09:45 (Europe/Berlin, UTC+1)",
                "Tuesday, 5 January 2027, 09:00-09:45 (Europe/Berlin, UTC)",
            ),
        ),
    ],
)
def test_each_thing_that_people_read_is_a_change(later: dict[str, Any], change: Change) -> None:
    assert find_changes(**later) == (change,)


def test_a_place_that_was_not_known_has_no_old_text() -> None:
    mail = MeetingMail(revision=MOVED, earlier=structs.replace(INTERVIEW, location=""))

    changes = {each.name: each for each in MeetingTexts.describe(mail).changes}

    assert changes["location"] == a_change("location", "Where", "", "Library, first floor")


def test_what_no_mail_shows_is_no_change() -> None:
    same = find_changes(
        number=2,
        sequence=1,
        stamp=INTERVIEW.stamp + HOUR,
        zone_version="2027a",
        guests=(Person("grace@example.org"),),
        reason="why",
        description=f" {INTERVIEW.description}\r\n",
    )

    assert same == ()
    assert MeetingTexts.describe(MeetingMail(revision=MOVED)).changes == ()


def test_there_are_no_more_changes_than_templates_are_prepared_for() -> None:
    everything = find_changes(
        summary="Talk", location="", url="", description="", zone="Africa/Lagos"
    )

    assert len(everything) == MAX_CHANGES


def test_only_a_cancellation_shows_its_reason() -> None:
    revision = structs.replace(MOVED, reason="The panel has three members now.")

    shown = {
        purpose: MeetingTexts.describe(MeetingMail(revision=revision, purpose=purpose)).reason
        for purpose in Purpose
    }

    assert shown.pop(Purpose.CANCELLATION) == revision.reason
    assert set(shown.values()) == {""}


@given(common=WORDS, old=WORDS, new=WORDS, after=WORDS)
@example(["x" * 200], [], [], [])
@example(["See"], ["x" * 20 + "a" + "x" * 200], ["x" * 20 + "b" + "x" * 200], [])
@example(["a b " * 100], [], ["c"], ["d"])
def test_excerpts_show_where_two_texts_differ(
    common: list[str], old: list[str], new: list[str], after: list[str]
) -> None:
    one, two = (" ".join([*common, *middle, *after]) for middle in (old, new))

    shown = find_excerpts(one, two)

    plain = [" ".join(text.split()) for text in (one, two)]
    assert (shown[0] == shown[1]) == (plain[0] == plain[1])
    for excerpt, whole in zip(shown, plain, strict=True):
        assert "\n" not in excerpt
        assert len(excerpt) <= 160 + 2 * len("...")
        assert excerpt == whole or any(
            excerpt == f"{before}{piece}{dots}"
            for before in ("", "...")
            for dots in ("", "...")
            if (piece := excerpt.removeprefix(before)[: -len(dots) or None]) in whole
        )
