"""A18, A19, A27: one wrong share in any message, or one wrong product that fits everything later, never goes unseen.

Shown for a program that uses every operation: some honest node stops with a SuspectFault or MachineFault, no honest
node opens an output that differs from the honest run's, and with security = "passive" the same changes pass.
"""

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.deploy.attack.cheaters import cheating, once
from tacita.deploy.attack.engines import WAITING, Run, attempt
from tacita.deploy.attack.programs import EVERY_INPUT, FIRST, dropped, every_operation, messages, wrong_share
from tacita.protocols.faults import MachineFault, SuspectFault

SEED = "every message"
LINKS = {3: [(0, 1), (1, 0), (2, 0), (0, 2)], 4: [(3, 0), (0, 1), (2, 3)], 5: [(4, 0), (0, 1), (1, 4)]}


def honest(parties: int, security: str = "abort") -> Run:
    return attempt(every_operation, EVERY_INPUT, parties, SEED, security=security)


def wrongly_opened(run: Run, right: Run, cheater: int) -> list[tuple[int, str]]:
    """(honest node, output) whose opened values differ from those of the honest run with the same randomness."""
    truth = right.engines[0].opened
    return [
        (i, label)
        for i, engine in enumerate(run.engines)
        if i != cheater
        for label, values in engine.opened.items()
        if values != truth[label]
    ]


def check(run: Run, right: Run, cheater: int, what: str) -> None:
    """Noticed by an honest node, nothing wrong opened; who neither fails nor waits has finished correctly."""
    ends = [end for i, end in enumerate(run.ends) if i != cheater]
    assert any(isinstance(end, SuspectFault | MachineFault) for end in ends), f"{what}: {ends}"
    assert all(end in (None, WAITING) or isinstance(end, SuspectFault | MachineFault) for end in ends), what
    assert not wrongly_opened(run, right, cheater), what
    for i, end in enumerate(run.ends):
        assert end is not None or run.engines[i].opened == right.engines[0].opened, what


def links(steps: dict[int, list[int]]) -> list[tuple[int, tuple[int, int], int]]:
    """(nodes, link, every how many-th message)."""
    return [(m, link, step) for m, strides in steps.items() for link, step in zip(LINKS[m], strides, strict=False)]


def change_messages(parties: int, link: tuple[int, int], step: int) -> None:
    right = honest(parties)
    count = messages(right, *link)
    for number in [*range(1 + count % step, count, step), count]:
        tamper = wrong_share(right.demand, *link, number, f"{SEED} {link} {number}")
        run = attempt(every_operation, EVERY_INPUT, parties, SEED, tamper)
        check(run, right, link[0], f"m={parties}, message {number} of {link}")


@pytest.mark.parametrize(("parties", "link", "step"), links({3: [4, 8], 4: [25, 25], 5: [50, 50]}))
def test_a_wrong_share_in_any_message_is_noticed(parties: int, link: tuple[int, int], step: int) -> None:
    change_messages(parties, link, step)


@pytest.mark.slow
@pytest.mark.parametrize(("parties", "link", "step"), links({3: [1, 1, 1, 1], 4: [1, 1, 1], 5: [1, 1, 1]}))
def test_a_wrong_share_in_every_message_is_noticed(parties: int, link: tuple[int, int], step: int) -> None:
    change_messages(parties, link, step)


def errors_at_every_product(parties: int, cheater: int, security: str, step: int) -> tuple[list[Run], Run]:
    """Runs in which one node adds a random error to one element of one resharing: a value or a tag."""
    right = honest(parties, security)
    runs = []
    for n, length in list(enumerate(right.engines[cheater].reshared, start=1))[::step]:
        entropy = SeededEntropy(f"{SEED} product {parties} {n}")
        error = once(n, random_below(entropy, min(FIRST, length)), 1 + random_below(entropy, right.demand.prime - 1))
        nodes = {cheater: cheating(error)}
        runs.append(attempt(every_operation, EVERY_INPUT, parties, SEED, security=security, nodes=nodes))
    return runs, right


@pytest.mark.parametrize(("parties", "cheater", "step"), [(3, 2, 2), (3, 0, 5), (4, 1, 9), (5, 4, 15)])
def test_a_wrong_product_that_fits_everything_later_is_noticed_by_all(parties: int, cheater: int, step: int) -> None:
    """Values, tags, the pool of `verify`, ρ·r, squares for random bits, the tree of a comparison."""
    runs, right = errors_at_every_product(parties, cheater, "abort", step)
    for n, run in enumerate(runs):
        ends = [end for i, end in enumerate(run.ends) if i != cheater]
        assert all(isinstance(end, SuspectFault) for end in ends), f"product {n * step + 1}: {ends}"
        assert len({type(end) for end in ends}) == 1
        assert not wrongly_opened(run, right, cheater)


def test_control_with_passive_security_the_same_errors_pass() -> None:
    """Most give wrong outputs at nodes that have all finished without an error."""
    runs, right = errors_at_every_product(3, 2, "passive", 2)
    silent = [run for run in runs if run.ends == [None] * 3 and wrongly_opened(run, right, 2)]
    assert len(silent) > len(runs) * 2 / 3, f"{len(silent)} of {len(runs)}"


def test_control_with_passive_security_a_wrong_message_can_pass_too() -> None:
    """A wrong sub-share that is multiplied once more before it is opened."""
    right = honest(3, "passive")
    silent = 0
    for number in range(1, messages(right, 0, 1) + 1):
        tamper = wrong_share(right.demand, 0, 1, number, f"{SEED} passive {number}")
        run = attempt(every_operation, EVERY_INPUT, 3, SEED, tamper, "passive")
        silent += run.ends == [None] * 3 and bool(wrongly_opened(run, right, 0))
    assert silent >= 3


@pytest.mark.parametrize(("parties", "step"), [(3, 9), (4, 40), (5, 60)])
def test_when_a_message_is_missing_its_receiver_waits(parties: int, step: int) -> None:
    """The engine has no clock; the session's deadline ends the wait. Nobody goes on without the message."""
    right = honest(parties)
    count = messages(right, 0, 1)
    for number in [*range(1, count, step), count]:
        run = attempt(every_operation, EVERY_INPUT, parties, SEED, dropped(0, 1, number))
        assert run.ends[1] == WAITING, f"m={parties}, message {number}: {run.ends}"
        assert all(end in (None, WAITING) for end in run.ends)
        # All other nodes need the next message of the node that waits; only the last opening ends without it.
        assert number == count or run.ends == [WAITING] * parties
        assert not wrongly_opened(run, right, -1)
