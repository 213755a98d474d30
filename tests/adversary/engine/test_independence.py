"""A25: where a session stops, and what travels until then, does not depend on the secrets; honest sessions never stop.

Two worlds with the same randomness and the same deviation, but different inputs, look alike: the number, order and
lengths of all messages, the error and the step of every node.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.deploy.attack.cheaters import NoDegreeCheck, NotReady, cheating, once
from tacita.deploy.attack.engines import HEADER, Inputs, Make, RecordingEngine, Run, attempt, clear
from tacita.deploy.attack.programs import FIRST, dropped, every_operation, wrong_share
from tacita.protocols.faults import SuspectFault
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.mpc.runtime import SessionRuntime

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


def slowly(draw: Callable[[tuple[int, int]], int]) -> Callable[..., Callable[[bytes], None]]:
    """`SessionRuntime.feed` with messages that wait for some turns of the event loop; those of one link keep order."""
    feed = SessionRuntime.feed

    def slow(runtime: SessionRuntime, peer: int) -> Callable[[bytes], None]:
        deliver, loop = feed(runtime, peer), asyncio.get_running_loop()
        waiting = runtime.__dict__.setdefault("waiting", {}).setdefault(peer, deque())

        def turn(left: int) -> None:
            loop.call_soon(turn, left - 1) if left else deliver(waiting.popleft())

        def take(data: bytes) -> None:
            waiting.append(data)
            turn(draw((peer, runtime.pid)))

        return take

    return slow


@pytest.mark.parametrize(("parties", "schedules"), [(3, 10), (4, 5), (5, 3)])
def test_nodes_agree_whenever_their_messages_arrive(
    parties: int, schedules: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some links are slow, so that messages come before and after their step; steps and openings are the same."""
    right = attempt(every_operation, WORLDS[0], parties, "schedule")
    for n in range(schedules):
        random = np.random.default_rng([parties, n])
        slow = dict(zip(product(range(parties), repeat=2), random.random(parties**2) < 1 / 3, strict=True))
        with monkeypatch.context() as patch:
            draw = slowly(lambda link: int(random.integers(0, 12 if slow[link] else 2)))  # noqa: B023
            patch.setattr(SessionRuntime, "feed", draw)
            run = attempt(every_operation, WORLDS[0], parties, "schedule")
        assert run.ends == [None] * parties and run.outputs == right.outputs, f"schedule {n}: {run.ends}"
        for engine in run.engines:
            assert engine.ledger == list(run.demand.openings) and engine.raw == right.engines[0].raw
            assert engine.shares.position == right.engines[0].shares.position


# ---- the ready round ----------------------------------------------------------------------------------------------


async def truncate_twice(engine: Engine) -> None:
    a = await engine.from_cipher("a", 2, 0, -1024, 1024)
    short = await engine.trunc(a, 4)
    await engine.to_cipher("product", await engine.trunc(await engine.mul(short, short), 4))


FIRST_TRUNCATION = 5
"""On a link that carries no products: ready, coin, sums, difference, then the masked values."""


def lie_to_one(i: int, j: int, n: int, data: bytes) -> bytes:
    """Node 2's share of the first truncation is another one for node 1 than for node 3."""
    if (i, j, n) == (1, 0, FIRST_TRUNCATION):
        return data[:HEADER] + bytes([data[HEADER] ^ 1]) + data[HEADER + 1 :]
    return data


class NeitherDegreeNorReady(NotReady, NoDegreeCheck):
    """Goes on to open the next coin."""


@pytest.mark.parametrize(
    ("nodes", "message", "openings"),
    [(RecordingEngine, "do not fit together", 3), (NoDegreeCheck, "do not agree", 4), (NeitherDegreeNorReady, "", 5)],
)
def test_nodes_that_opened_different_values_stop_before_the_coin(nodes: Make, message: str, openings: int) -> None:
    """The degree check notices at once; without it the ready round does, before a second coin is opened."""
    run = attempt(truncate_twice, {"a": [5, -700]}, 3, "equivocation", lie_to_one, nodes=nodes)
    assert message in str(run.ends[0])
    assert all(isinstance(end, SuspectFault) for end in run.ends[: 1 if openings == 3 else 3])
    opened = len(run.engines[0].raw)
    assert opened == openings if message else opened >= openings
