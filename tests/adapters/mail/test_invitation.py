"""The mail of an invitation, as two parsers read it."""

from typing import Any

import pytest
from fast_mail_parser import parse_email, parse_email_tree
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcsched.adapters.mail.composer import Composer
from gcsched.domain.calendar_file import write_request
from gcsched.domain.meeting import Person
from tests.support.invitations import (
    INTERVIEW,
    an_invitation_job,
    compose_by_rendering,
    parse_mail,
    read_calendar,
    unfold,
)
from tests.support.mail_trees import (
    ALTERNATIVE,
    LINES,
    MIXED,
    TEXTS,
    a_composer,
    find_copies,
    on_the_wire,
    outline,
    read_calendar_part,
)

MEETINGS = st.fixed_dictionaries(
    {},
    optional={
        "location": LINES,
        "url": st.sampled_from(
            ["", "https://example.org/?a=1&b=2", f"https://a.example/{'x' * 900}"]
        ),
        "description": st.one_of(TEXTS, st.integers(1, 40).map(lambda n: ".line\n" * n)),
        "organizer": st.builds(Person, st.just("people@example.org"), LINES),
    },
)
SUMMARIES = LINES.map(lambda text: "".join(filter(str.isprintable, text)).strip() or "Stand-up")
NAMES = LINES.map(lambda text: "".join(filter(str.isprintable, text)))


@pytest.fixture(scope="module")
def composer() -> Composer:
    return a_composer()


def outline_otherwise(part: Any) -> Any:
    kind = part.content_type.split(";")[0]
    return (kind, [outline_otherwise(each) for each in part.children]) if part.children else kind


@pytest.mark.parametrize(("has_file", "tree"), [(True, MIXED), (False, ALTERNATIVE)])
def test_both_parsers_find_the_parts_that_calendars_look_for(*, has_file: bool, tree: Any) -> None:
    content = a_composer(has_invite_file=has_file).compose(an_invitation_job()).content

    message = parse_mail(content)
    assert outline(message) == tree
    assert outline_otherwise(parse_email_tree(content)) == tree
    assert not [defect for part in message.walk() for defect in part.defects]


def test_the_calendar_part_has_the_method_of_the_file_and_the_copy_has_none(
    composer: Composer,
) -> None:
    content = composer.compose(an_invitation_job()).content
    calendar, file = find_copies(content)

    assert f"METHOD:{calendar.get_param('method')}" in unfold(read_calendar_part(calendar))
    assert b'\r\nContent-Type: text/calendar; charset="utf-8"; method=REQUEST\r\n' in content
    assert calendar.get_content_charset() == "utf-8"
    assert file.get_param("method") is None
    assert (file.get_filename(), file.get_content_disposition()) == ("invite.ics", "attachment")
    assert calendar["content-transfer-encoding"] == file["content-transfer-encoding"] == "base64"
    assert read_calendar_part(calendar) == read_calendar_part(file)


def test_an_invitation_has_the_headers_of_a_mail_but_auto_submitted(composer: Composer) -> None:
    job = an_invitation_job(job={"reply_to": "team@example.org"})
    content = composer.compose(job).content

    plain = parse_mail(
        composer.compose(
            an_invitation_job(
                job={"meeting": None, "template": "doc", "reply_to": "team@example.org"}
            )
        ).content
    )
    message = parse_mail(content)
    without = {name: value for name, value in plain.items() if name != "Auto-Submitted"}
    assert "Auto-Submitted" in plain
    assert list(message) == list(without)
    for name in set(without) - {"Content-Type"}:
        assert message[name] == without[name]


@settings(deadline=None, max_examples=80)
@given(summary=SUMMARIES, name=NAMES, meeting=MEETINGS)
@example(summary="--=_mixed", name="=_", meeting={"description": "--=_\n--=_mixed=_--\n.\n..\n."})
@example(summary="é" * 255, name="é", meeting={"description": "é\u2028\x85\r\r\n" * 900})
@example(
    summary="x" * 255,
    name="x" * 256,
    meeting={"location": "x" * 255, "url": "https://x.example/" + "x" * 980},
)
def test_any_text_is_in_both_copies_and_filling_gives_the_octets_of_rendering(
    composer: Composer, summary: str, name: str, meeting: dict[str, Any]
) -> None:
    job = an_invitation_job(job={"name": name}, summary=summary, **meeting)

    mail = composer.compose(job)

    rendered = compose_by_rendering(composer, job)
    assert mail == rendered
    assert on_the_wire(mail) == on_the_wire(rendered)
    calendar, file = find_copies(mail.content)
    (*_, other_calendar), other_file = parse_parts_otherwise(mail.content)
    assert read_calendar_part(calendar) == read_calendar_part(file) == other_calendar == other_file
    assert outline(parse_mail(mail.content)) == MIXED
    lines = mail.content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert mail.content.isascii()


def parse_parts_otherwise(content: bytes) -> tuple[list[bytes], bytes]:
    alternative, file = parse_email_tree(content).children
    return [each.content or b"" for each in alternative.children], file.content or b""


def test_the_date_of_an_invitation_is_inserted_when_it_leaves(composer: Composer) -> None:
    for reply_to in ("", "team@example.org"):
        mail = composer.compose(an_invitation_job(job={"reply_to": reply_to}))

        assert parse_mail(on_the_wire(mail))["date"] == "Mon, 04 Jan 2027 08:00:01 +0000"


def test_an_ordinary_invitation_is_filled_in_and_needs_no_encoding(composer: Composer) -> None:
    mail = composer.compose(an_invitation_job())

    codings = [
        part["content-transfer-encoding"]
        for part in parse_mail(mail.content).walk()
        if not part.is_multipart()
    ]
    assert codings == ["7bit", "7bit", "base64", "base64"]
    assert mail.is_canonical
    assert composer.templates.find_prerenderer("invitation") is not None


def test_a_resend_is_byte_identical(composer: Composer) -> None:
    job = an_invitation_job(summary="Gespräch über die Zusammenarbeit")

    assert composer.compose(job) == a_composer().compose(job)


def test_the_calendar_invites_the_recipient_and_names_the_organizer(composer: Composer) -> None:
    job = an_invitation_job(
        job={"email": "ada@müller.example"},
        organizer=Person("grace@example.org", "Grace"),
        sent_by="people@example.org",
    )

    lines = unfold(read_calendar(composer.compose(job).content))

    assert lines[lines.index("BEGIN:VEVENT") + 1] == f"UID:{INTERVIEW.uid}"
    assert (
        'ORGANIZER;CN="Grace";SENT-BY="mailto:people@example.org":mailto:grace@example.org' in lines
    )
    (attendee,) = (line for line in lines if line.startswith("ATTENDEE"))
    assert attendee.endswith(';CN="Ada Lovelace":mailto:ada@xn--mller-kva.example')


def test_any_template_can_invite(composer: Composer) -> None:
    job = an_invitation_job(job={"template": "doc"})
    mail = composer.compose(job)

    assert outline(parse_mail(mail.content)) == MIXED
    assert read_calendar(mail.content) == write_request(INTERVIEW, Person(job.email, job.name))
    assert parse_email(mail.content).text_plain[0].startswith("Hello Ada Lovelace,")


def test_a_preview_shows_the_calendar_and_the_size_of_the_mail(composer: Composer) -> None:
    job = an_invitation_job(summary="Gespräch")

    preview, mail = composer.draft(job), composer.compose(job)

    assert preview.size == len(mail.content)
    assert preview.calendar.encode() == read_calendar(mail.content)
    assert (
        composer.draft(an_invitation_job(job={"meeting": None, "template": "doc"})).calendar == ""
    )


def test_a_mail_has_ten_kilobytes_and_with_the_longest_texts_eighty(composer: Composer) -> None:
    longest = an_invitation_job(
        summary="x" * 255,
        location="x" * 255,
        url=f"https://example.org/{'x' * 1_980}",
        description="x" * 8_000,
    )

    assert 9_000 < len(composer.compose(an_invitation_job()).content) < 11_000
    assert len(composer.compose(longest).content) < 90_000


@pytest.mark.parametrize("has_file", [True, False])
def test_no_line_of_one_boundary_is_a_line_of_the_other(*, has_file: bool) -> None:
    content = a_composer(has_invite_file=has_file).compose(an_invitation_job()).content
    message = parse_mail(content)
    boundaries = {part.get_boundary() for part in message.walk() if part.is_multipart()}

    lines = content.decode().split("\r\n")
    for boundary in boundaries:
        others = boundaries - {boundary}
        assert boundary is not None
        assert not any(str(other).startswith(boundary) for other in others)
        assert lines.count(f"--{boundary}--") == 1
