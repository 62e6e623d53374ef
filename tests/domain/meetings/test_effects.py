"""What the answer to a call says about the mails, where its first and its last plan differ."""

from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import Effect, What, combine_effects
from tests.support.meetings.scene import ADA, BOB, MOVED, START, Scene, remind

CHANGED = Effect(email=ADA, purpose=Purpose.INVITATION, what=What.CHANGES, count=1)
NOTHING = Effect(email=ADA, purpose=Purpose.INVITATION)


def test_what_a_call_does_is_said_by_its_first_plan() -> None:
    assert combine_effects([CHANGED], [NOTHING]) == [CHANGED]


def test_what_is_in_flight_is_said_by_the_last_plan() -> None:
    first = Effect(email=ADA, purpose=Purpose.REMINDER, what=What.CANCELS, count=2, in_flight=1)
    last = Effect(email=ADA, purpose=Purpose.REMINDER, in_flight=2)

    [both] = combine_effects([first], [last])
    assert (both.what, both.count, both.in_flight) == (What.CANCELS, 2, 2)
    [none] = combine_effects([first], [])
    assert none.in_flight == 0


def test_a_mail_that_began_after_the_first_plan_is_in_flight_and_is_corrected_later() -> None:
    flying = Effect(email=ADA, purpose=Purpose.INVITATION, in_flight=1)
    update = Effect(email=ADA, purpose=Purpose.UPDATE, what=What.MAKES, count=1)

    assert combine_effects([CHANGED], [update, flying]) == [
        Effect(email=ADA, purpose=Purpose.INVITATION, what=What.CHANGES, count=1, in_flight=1),
        update,
    ]
    assert combine_effects([], [flying]) == [flying]


def test_one_who_gets_no_mail_is_named_and_one_who_is_gone_is_not() -> None:
    scene = Scene(ADA, BOB)
    scene.remove(BOB)
    scene.send_all(ADA)
    scene.reconcile()

    assert [*scene.effects] == [Effect(email=ADA, purpose=Purpose.UPDATE)]


def test_a_meeting_that_is_over_counts_what_is_in_flight() -> None:
    scene = Scene(ADA, reminders=remind(15))
    scene.send_all()
    scene.begin(scene.last())
    scene.world.now = MOVED
    scene.reconcile()

    assert scene.world.now > START
    assert [*scene.effects] == [Effect(email=ADA, purpose=Purpose.REMINDER, in_flight=1)]
