"""A25, attacks.md 1.2e: what a corrupt node sees of a session depends on its outputs, never on what led to them.

Two worlds have one seed: network, keys, coins and the node that deviates are the same; only a losing bid differs, in
value, slope and largest quantity. Everything that enters or leaves the corrupt node must have the same number, sizes,
order and virtual times in both, and the honest nodes must end at the same time in the same way.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tacita.crypto.entropy import Entropy
from tacita.deploy.attack.instance import auction
from tacita.deploy.simulate.network import Network
from tacita.deploy.simulate.node import WatchedChannel
from tacita.deploy.simulate.plan import EVERY_ROUND, KINDS, Misbehaviour, Plan
from tacita.deploy.simulate.world import World
from tacita.protocols.faults import CallerMistake, ProtocolFault
from tacita.protocols.party import Result
from tacita.protocols.stages import commit
from tacita.protocols.stages.commit import BidObject, Opening
from tacita.protocols.stages.setup import Setup
from tests.adversary.honest import LINES, tree

SEEDS = (1, 2, 3, 4)
"""In seed 0 a link is cut until both ends give up."""
CONTROL = 2
ALL_SEEDS = 64
CORRUPT = "node3"
SECRET_HOST = "node2"
"""It hosts bob, who loses."""
LOSING = ("bob,1,2,2,0,3", "bob,1,0.73,3.9,0,7.5")
assert "bob,1,8,2,0,3" in LINES
Event = tuple[Any, ...]


@dataclass
class Seen:
    """One session from outside: the corrupt node's traffic, how everybody ended, and the result."""

    traffic: list[Event]
    endings: dict[str, str]
    outcome: Mapping[str, Any] | None
    deviated: bool


def world(seed: int, losing: str, kind: str, patch: pytest.MonkeyPatch) -> Seen:
    """The world of this seed with this losing bid; `kind` is how the corrupt node deviates, or nothing."""
    plan = Plan.draw(seed, misbehaving=0)
    if kind:
        # The order of places is the same for every seed; 7 is prime to their number.
        odd = Misbehaviour(CORRUPT, kind, seed * 7 % len(EVERY_ROUND), "node1")
        plan = replace(plan, misbehaviour=odd)
    played = World(plan)
    played.terms, played.inputs = auction(tree("public", f"two-worlds-{seed}"), LINES.replace("bob,1,8,2,0,3", losing))
    traffic: list[Event] = []
    record = Network.record

    def noted(network: Network, event: str, sender: str, receiver: str, data: bytes = b"") -> None:
        record(network, event, sender, receiver, data)
        if event == "end":
            traffic.append((event, sender, asyncio.get_running_loop().time()))
        elif CORRUPT in (sender, receiver):
            traffic.append((event, sender, receiver, len(data), asyncio.get_running_loop().time()))

    with patch.context() as local:
        local.setattr(Network, "record", noted)
        played.run()
    endings = {}
    for name in plan.honest:
        end = played.endings[name]
        endings[name] = "a result" if isinstance(end, Result) else f"{type(end).__name__}: {end}"
        assert not isinstance(end, ProtocolFault) or end.culprit in (CORRUPT, "cat"), end
    results = [end for end in played.endings.values() if isinstance(end, Result)]
    kept = {k: v for k, v in results[0].outcome.items() if k not in ("certificate", "session")} if results else None
    outcome = rounded(kept)
    deviated = played.deviant is not None and bool(played.deviant.did)
    return Seen(traffic, endings, outcome, deviated)


def rounded(tree: Any) -> Any:
    """Without the last digits: who loses a unit of 2^-32 by rounding is drawn by the coin, not by any secret."""
    if isinstance(tree, dict):
        return {key: rounded(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [rounded(value) for value in tree]
    return round(tree, 4) if isinstance(tree, float) else tree


def both(seed: int, kind: str, patch: pytest.MonkeyPatch) -> tuple[Seen, Seen]:
    one, other = (world(seed, losing, kind, patch) for losing in LOSING)
    return one, other


def same(one: Seen, other: Seen) -> None:
    """Raises AssertionError with the first difference."""
    assert one.outcome == other.outcome, "the worlds must have equal outputs"
    for number, (a, b) in enumerate(zip(one.traffic, other.traffic, strict=False)):
        assert a == b, f"event {number}: {a} in one world, {b} in the other"
    assert len(one.traffic) == len(other.traffic)
    assert one.endings == other.endings


@pytest.mark.parametrize("seed", SEEDS)
def test_an_honest_session_looks_the_same_whatever_the_losing_bid(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = both(seed, "", monkeypatch)
    same(one, other)
    assert one.outcome is not None and len(one.traffic) > 500


@pytest.mark.parametrize(("seed", "kind"), list(enumerate(KINDS)))
def test_a_deviation_ends_the_session_at_the_same_point(seed: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = both(seed, kind, monkeypatch)
    same(one, other)
    assert one.deviated and other.deviated


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["", *KINDS])
@pytest.mark.parametrize("seed", range(ALL_SEEDS))
def test_all_seeds_and_deviations(seed: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = both(seed, kind, monkeypatch)
    same(one, other)
    assert not kind or (one.deviated and other.deviated)


# ---- control: what must not be is noticed ---------------------------------------------------------------------------

SECRET = 1 << 32
"""Between the two losing values, 2 and 0.73 of 16: fields are fractions of the bounds at scale 2^-32."""


def _plant(patch: pytest.MonkeyPatch, high: Callable[[], None], low: Callable[[], None]) -> None:
    """Calls one of the two when bob commits, by the secret value of its bid."""
    honest = commit.make_object

    def make(
        setup: Setup, name: str, values: Sequence[int], keys: Sequence[bytes], entropy: Entropy
    ) -> tuple[BidObject, Opening]:
        if name == "bob":
            (high if 16 * values[0] > SECRET else low)()
        return honest(setup, name, values, keys, entropy)

    patch.setattr(commit, "make_object", make)


def test_an_abort_that_depends_on_a_secret_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def abort() -> None:
        raise CallerMistake("planted")

    _plant(monkeypatch, abort, lambda: None)
    one, other = both(CONTROL, "", monkeypatch)
    assert {one.outcome is None, other.outcome is None} == {True, False}
    with pytest.raises(AssertionError, match=r"equal outputs"):
        same(one, other)
    with pytest.raises(AssertionError, match=r"event \d+"):
        same(replace(one, outcome=None), replace(other, outcome=None))


def test_a_delay_of_a_millisecond_that_depends_on_a_secret_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [False]
    _plant(monkeypatch, lambda: late.__setitem__(0, True), lambda: late.__setitem__(0, False))
    honest = WatchedChannel.broadcast

    async def broadcast(
        channel: WatchedChannel, round_name: str, payload: bytes, longer: float = 0.0
    ) -> dict[str, bytes]:
        if late[0] and channel.me == SECRET_HOST and round_name == "masks":
            await asyncio.sleep(0.001)
        return await honest(channel, round_name, payload, longer)

    with monkeypatch.context() as local:
        local.setattr(WatchedChannel, "broadcast", broadcast)
        one, other = both(CONTROL, "", monkeypatch)
    assert one.outcome == other.outcome is not None
    with pytest.raises(AssertionError, match=r"event \d+"):
        same(one, other)
