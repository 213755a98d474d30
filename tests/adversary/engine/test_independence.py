"""A25: where a session stops, and what travels until then, does not depend on the secrets; honest sessions never stop.

Two worlds with the same randomness and the same deviation, but different inputs, look alike: the number, order and
lengths of all messages, the error and the step of every node.
"""

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.protocols.faults import SuspectFault
from tests.adversary.engine.cheaters import NoDegreeCheck, cheating, once
from tests.adversary.engine.programs import FIRST, dropped, every_operation, wrong_share
from tests.economics.engines import HEADER, WAITING, Inputs, Run, attempt, clear

WORLDS: list[Inputs] = [{"a": [-1024, 1024], "b": [1, 1024]}, {"a": [0, 0], "b": [700, 700]}]
SEEDS = 64


def deviate(kind: str, inputs: Inputs, parties: int, seed: str, honest: Run) -> Run:
    """The deviation is a function of the seed alone."""
    entropy = SeededEntropy(seed)
    if kind == "product":
        cheater = random_below(entropy, 3)
        lengths = honest.engines[cheater].reshared
        n = random_below(entropy, len(lengths))
        position = random_below(entropy, min(FIRST, lengths[n]))
        error = 1 + random_below(entropy, honest.demand.prime - 1)
        nodes = {cheater: cheating(once(n + 1, position, error))}
        return attempt(every_operation, inputs, parties, seed, nodes=nodes)
    sender, receiver, _ = honest.traffic[random_below(entropy, len(honest.traffic))]
    count = sum((i, j) == (sender, receiver) for i, j, _ in honest.traffic)
    number = 1 + random_below(entropy, count)
    tamper = dropped(sender, receiver, number)
    if kind == "share":
        tamper = wrong_share(honest.demand, sender, receiver, number, seed)
    return attempt(every_operation, inputs, parties, seed, tamper)


@pytest.mark.parametrize("kind", ["product", "share", "nothing"])
def test_traffic_and_end_of_a_session_do_not_depend_on_the_secrets(kind: str) -> None:
    honest = [attempt(every_operation, inputs, 3, "shape") for inputs in WORLDS]
    assert honest[0].shape() == honest[1].shape()
    for n in range(SEEDS if kind == "product" else SEEDS // 4):
        seed = f"two worlds {kind} {n}"
        one, other = (deviate(kind, inputs, 3, seed, honest[0]) for inputs in WORLDS)
        assert one.shape() == other.shape(), f"{seed}: {one.ends} but {other.ends}"
        assert any(one.ends), f"{seed}: nothing was noticed"


@pytest.mark.slow
@pytest.mark.parametrize("parties", [4, 5])
def test_traffic_and_end_do_not_depend_on_the_secrets_with_more_nodes(parties: int) -> None:
    honest = attempt(every_operation, WORLDS[0], parties, "shape")
    for kind in ("product", "share"):
        for n in range(SEEDS):
            seed = f"two worlds {parties} {kind} {n}"
            one, other = (deviate(kind, inputs, parties, seed, honest) for inputs in WORLDS)
            assert one.shape() == other.shape(), f"{seed}: {one.ends} but {other.ends}"


# ---- honest sessions ----------------------------------------------------------------------------------------------


def never_abort(parties: int, sessions: int) -> None:
    verifications = 0
    for n in range(sessions):
        run = attempt(every_operation, WORLDS[n % 2], parties, f"honest {parties} {n}")
        assert run.ends == [None] * parties, f"session {n}: {run.ends}"
        right = clear(every_operation, WORLDS[n % 2], parties)
        assert all(run.outputs[label] == right[label] for label in ("abb", "dot", "minimum", "zero")), f"session {n}"
        verifications += run.engines[0]._verified
    assert verifications >= 30 * sessions


@pytest.mark.parametrize(("parties", "sessions"), [(3, 35), (4, 5), (5, 3)])
def test_honest_sessions_never_stop(parties: int, sessions: int) -> None:
    """More than a thousand verifications."""
    never_abort(parties, sessions)


@pytest.mark.slow
@pytest.mark.parametrize(("parties", "sessions"), [(3, 1000), (4, 200), (5, 100), (7, 40)])
def test_a_thousand_honest_sessions_never_stop(parties: int, sessions: int) -> None:
    never_abort(parties, sessions)


# ---- the ready round ----------------------------------------------------------------------------------------------


def test_nodes_that_opened_different_values_stop_before_the_coin() -> None:
    """A degree check would have noticed at once; without it, node 1 takes another value than node 3."""
    changed = []

    def tamper(i: int, j: int, n: int, data: bytes) -> bytes:
        # Node 2's share of the first opening, the coin of the first verification, differs for node 1.
        if (i, j) == (1, 0) and not changed and position(honest.traffic, n) and len(data) - HEADER == width:
            changed.append(n)
            return data[:HEADER] + bytes([data[HEADER] ^ 1]) + data[HEADER + 1 :]
        return data

    def position(traffic: list[tuple[int, int, int]], n: int) -> bool:
        """The last message of link 2 → 1: the share of an output."""
        return n == sum((i, j) == (1, 0) for i, j, _ in traffic) - 6

    honest = attempt(every_operation, WORLDS[0], 3, "equivocation", nodes=NoDegreeCheck)
    width = (honest.demand.prime.bit_length() + 7) // 8
    run = attempt(every_operation, WORLDS[0], 3, "equivocation", tamper, nodes=NoDegreeCheck)
    assert changed
    assert all(isinstance(end, SuspectFault) or end == WAITING for end in run.ends)
