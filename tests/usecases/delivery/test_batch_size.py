"""Claims grow with the backlog, and start small again when it is gone."""

from gcsched.usecases.delivery.batch_size import BatchSize


def test_each_full_claim_doubles_the_next_up_to_four_times_the_first() -> None:
    size, seen = BatchSize(64), list[int]()

    for _ in range(4):
        seen.append(size.current)
        size.adapt(was_full=True)

    assert seen == [64, 128, 256, 256]


def test_a_claim_that_leaves_nothing_due_starts_over() -> None:
    size = BatchSize(64)
    size.adapt(was_full=True)

    size.adapt(was_full=False)

    assert size.current == 64
