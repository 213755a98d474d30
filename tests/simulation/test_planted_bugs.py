"""Bugs that are planted in the protocol's code show in the worlds: a simulation that cannot fail proves nothing."""

import asyncio
import inspect
import textwrap
from dataclasses import replace

import pytest

from tacita.deploy.simulate.plan import BROADCASTS, Misbehaviour, Plan
from tacita.deploy.simulate.world import Verdict, World
from tacita.protocols import session
from tacita.protocols.channel import Channel
from tacita.protocols.faults import Absent, ProtocolFault
from tacita.protocols.mpc import comparison

SEEDS = range(1, 4)
SHARE = 0.2
"""Of the worlds must fail at least."""


def shown(verdicts: list[Verdict], what: str) -> None:
    failing = [v for v in verdicts if v.failed and any(what in reason for reason in v.reasons)]
    assert len(failing) >= SHARE * len(verdicts), [(v.seed, v.ending, v.reasons) for v in verdicts]


def without_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(Channel, "_echo", nothing)


def test_without_echo_an_equivocating_sender_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    without_echo(monkeypatch)
    plans = [Plan.draw(seed) for seed in SEEDS]
    # The coin of the binding check: two nodes go on with other promises than one another.
    odd = Misbehaviour("node3", "equivocating", BROADCASTS.index("bind commit"), "node1")
    shown([World(replace(plan, misbehaviour=odd)).run() for plan in plans], "with other messages than another honest")


def test_without_echo_nobody_knows_whether_all_hold_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where everybody is honest and the result is right."""
    without_echo(monkeypatch)
    shown([World(Plan.draw(seed)).run() for seed in SEEDS], "before it has 'commit/echo'")


def test_opening_before_all_commitments_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two rounds are sent at once: a bidder could still choose its bid knowing the others'."""
    source = textwrap.dedent(inspect.getsource(session._Session._commit))
    commit = 'reading.said["commit"] = await channel.broadcast("commit", canonical_json(hashes))'
    promised = "_ = reading.promised\n"
    opened = 'reading.said["open"] = await channel.broadcast("open", writer.to_bytes())'
    assert all(source.count(part) == 1 for part in (commit, promised, opened))
    source = source.replace(commit, "").replace(promised, "\n")
    places = ", ".join(line.partition(" = ")[0] for line in (commit, opened))
    both = ", ".join(line.partition("await ")[2] for line in (commit, opened))
    source = source.replace(opened, f"{places} = await asyncio.gather({both})")
    scope: dict[str, object] = {}
    exec(source, vars(session), scope)
    monkeypatch.setattr(session._Session, "_commit", scope["_commit"])
    shown([World(Plan.draw(seed)).run() for seed in SEEDS], "sends 'open' before it has 'commit'")


def test_blame_for_what_the_network_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that comes twice becomes its sender's fault, though the network doubled it."""
    deliver = Channel.deliver

    def strict(self: Channel, peer: str, data: bytes) -> None:
        if any(place.done() and place.result()[1] == data for place in self._box.values()):
            self.fail(ProtocolFault(peer, "it repeats itself"))
        deliver(self, peer, data)

    monkeypatch.setattr(Channel, "deliver", strict)
    verdicts = [World(Plan.draw(seed)).run() for seed in SEEDS]
    assert sum(v.false_blame for v in verdicts) >= SHARE * len(verdicts), verdicts


def test_a_wrong_result_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = comparison.negative

    async def upside_down(engine, a, width):
        return engine._public(1) - await honest(engine, a, width)

    monkeypatch.setattr(comparison, "negative", upside_down)
    verdict = World(Plan.draw(1)).run()
    assert verdict.failed, verdict


def test_a_node_that_never_ends_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def patient(self: Channel, names: object, senders: object, end: float) -> dict[str, object]:
        return await arrived(self, names, senders, end + 1e6)

    arrived, timeout = Channel._arrived, asyncio.timeout
    monkeypatch.setattr(Channel, "_arrived", patient)
    monkeypatch.setattr(asyncio, "timeout", lambda _budget: timeout(None))  # the session's budget is the second defence
    silent = Misbehaviour("node3", "silent", 0, "node1")
    verdict = World(replace(Plan.draw(1), misbehaviour=silent, cuts=())).run()
    assert verdict.ending == "unfinished", verdict


def test_control_the_same_worlds_without_a_planted_bug_show_none() -> None:
    odd = Misbehaviour("node3", "equivocating", BROADCASTS.index("bind commit"), "node1")
    world = World(replace(Plan.draw(1), misbehaviour=odd))
    assert not world.run().failed
    assert not any(isinstance(end, Absent) for end in world.endings.values())
