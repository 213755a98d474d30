"""What one peer may use: frames per second, waiting bytes, lines in the log."""

import logging

import pytest

from tacita.node import limits
from tacita.node.limits import MESSAGE_OVERHEAD, Budget, Early, Refusals


class Clock:
    """A clock that stands still until it is told otherwise."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_used_up_and_comes_back_with_time() -> None:
    clock = Clock()
    budget = Budget(rate=10, burst=5, clock=clock)
    assert [budget.take() for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now = 0.3
    assert [budget.take() for _ in range(4)] == [True] * 3 + [False]
    clock.now = 1000
    assert sum(budget.take() for _ in range(100)) == 5, "never more than the burst at once"


def test_messages_wait_for_their_session_in_order() -> None:
    early = Early(10_000)
    assert early.hold(b"one", "bob", b"1") and early.hold(b"two", "bob", b"2") and early.hold(b"one", "carol", b"3")
    assert early.release(b"one") == [("bob", b"1"), ("carol", b"3")]
    assert early.release(b"one") == [] and early.release(b"two") == [("bob", b"2")]


def test_one_peer_s_share_of_the_memory_is_bounded_and_others_keep_theirs() -> None:
    early = Early(100_000)
    kept = [early.hold(bytes([i]), "mallory", bytes(10_000)) for i in range(50)]
    assert kept == [True] * 9 + [False] * 41
    assert early.hold(b"session", "bob", bytes(10_000))
    early.release(bytes([0]))
    assert early.hold(b"again", "mallory", bytes(10_000)), "what was delivered does not count any more"


def test_empty_messages_are_not_free() -> None:
    early = Early(100_000)
    kept = [early.hold(b"", "mallory", b"") for _ in range(10_000)]
    assert sum(kept) == 100_000 // MESSAGE_OVERHEAD


def test_labels_are_not_free() -> None:
    """The session that engine bytes are for is whatever the peer writes there."""
    clock = Clock()
    early = Early(100_000, clock)
    kept = sum(early.hold(bytes([i]) * 9_000, "mallory", b"") for i in range(100))
    assert kept == 100_000 // (9_000 + MESSAGE_OVERHEAD)
    assert early.release(bytes(9_000)) == [("mallory", b"")] and early.hold(b"\xff" * 9_000, "mallory", b"")
    clock.now = 2
    assert not early.hold(b"after the sweep", "mallory", bytes(9_000)), "what stays is counted as before"


def test_what_nobody_asks_for_is_forgotten() -> None:
    clock = Clock()
    early = Early(10_000, clock)
    while early.hold(b"old", "bob", bytes(1000)):
        pass
    clock.now = limits.EARLY_SECONDS + 1
    assert early.hold(b"new", "bob", b"later")
    assert early.release(b"old") == [] and early.release(b"new") == [("bob", b"later")]
    assert early._used["bob"] == 0


def test_old_messages_are_not_delivered_even_if_there_was_room() -> None:
    clock = Clock()
    early = Early(10_000, clock)
    early.hold(b"session", "bob", b"old")
    clock.now = limits.EARLY_SECONDS + 1
    early.hold(b"session", "bob", b"new")
    assert early.release(b"session") == [("bob", b"new")]


def test_sweeping_looks_at_everything_at_most_once_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sweeps = Clock(), list[float]()
    early = Early(2_000, clock)

    def sweep(now: float) -> None:
        sweeps.append(now)
        early._swept = now

    monkeypatch.setattr(early, "_sweep", sweep)
    for i in range(1000):
        clock.now = 2 + i / 100
        early.hold(b"x", "mallory", bytes(500))
    assert 9 <= len(sweeps) <= 11


def test_refusals_name_who_and_why_and_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "tacita.node"):
        for _ in range(1000):
            refusals.note("mallory", "a stream that is not expected")
        refusals.note("", "its certificate has another name")
        refusals.note("evil\nname", "its certificate has another name")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 10 + 2
    assert lines[9] == "refused 'mallory': a stream that is not expected (512 times so far)"
    assert "somebody" in lines[10] and all("\n" not in line for line in lines)


def test_many_names_do_not_fill_the_memory() -> None:
    refusals = Refusals()
    for i in range(10_000):
        refusals.note(f"name{i}", "why")
    assert len(refusals._count) <= Refusals.MOST_NAMES + 1
