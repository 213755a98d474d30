"""How an attempt ends: what a node knows of a culprit is never lost, and nobody waits for, or names, an honest node."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tacita.deploy.attack.behaviour import Behaviour, last_bit
from tacita.deploy.attack.scene import Scene
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import ABORT, EVERYONE, Envelope, sign
from tacita.protocols.faults import Absent, BadKeyShare, Equivocation, ProtocolFault, SuspectFault
from tests.adversary.test_attempts import assert_second_attempt_decided, labels

Rewrite = Callable[[Envelope, str], Any]


def play(make: Callable[[Scene], Rewrite], attempts: int = 2, lies: Any = None, **settings: Any) -> Scene:
    """A session in which node3 rewrites what it sends."""
    made = Scene(attempts=attempts, **settings)
    made.behaviour = Behaviour(rewrite=make(made), lies=lies or {})
    made.run()
    assert not made.bugs and not made.watch.broken
    return made


def says(made: Scene, *words: Envelope) -> Sequence[bytes]:
    return [sign(word, made.identities["node3"]) for word in words]


def goodbye(e: Envelope) -> Envelope:
    return replace(e, round=ABORT, receiver=EVERYONE, payload=b"")


def assert_convicted(made: Scene, kind: type[ProtocolFault]) -> None:
    for name in made.honest:
        end = made.endings[name]
        assert isinstance(end, kind) and end.culprit == "node3" and end.evidence, (name, repr(end))


# ---- proofs ---------------------------------------------------------------------------------------------------------


def lies_in_private(made: Scene) -> Rewrite:
    """Shares of masks that no node sends to node1, and a goodbye to node2: only node1 has seen anything."""

    def rewrite(e: Envelope, receiver: str) -> Any:
        if e.round != "mask shares":
            return e
        return says(made, goodbye(e)) if receiver == "node2" else replace(e, payload=e.payload + b"x")

    return rewrite


def says_two_things(made: Scene) -> Rewrite:
    """Two different broadcasts to node1 and a goodbye to node2."""

    def rewrite(e: Envelope, receiver: str) -> Any:
        if e.round != "masks":
            return e
        if receiver == "node2":
            return says(made, goodbye(e))
        return says(made, e, replace(e, payload=last_bit(e.payload)))

    return rewrite


@pytest.mark.parametrize(("make", "kind"), [(lies_in_private, BadKeyShare), (says_two_things, Equivocation)])
@pytest.mark.parametrize("seconds", [0.0, 1.0], ids=["", "slow link"])
def test_proof_of_one_attempt_reaches_a_node_in_the_next(make: Any, kind: type[ProtocolFault], seconds: float) -> None:
    """node2 has left the first attempt and tries again, or is still waiting for its connection, when node1 tells it."""

    async def connected() -> None:
        await asyncio.sleep(seconds)

    assert_convicted(play(make, differing={"node2": {"connected": connected}}), kind)


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_proof_counts_more_than_a_suspicion(attempts: int) -> None:
    """The openings do not fit together, which convicts nobody; meanwhile a second 'bind coin' of node3 has come."""
    coins: list[Envelope] = []
    told: list[int] = []

    def make(made: Scene) -> Rewrite:
        def rewrite(e: Envelope, receiver: str) -> Any:
            if e.round == "bind coin":
                coins.append(e)
            if e.round == "openings/echo":
                return says(made, replace(coins[0], payload=last_bit(coins[0].payload)), e)
            return e

        return rewrite

    def lie(payload: bytes) -> bytes:
        told.append(1)
        return last_bit(payload)

    made = play(make, attempts, {"openings": lie})
    assert told
    assert_convicted(made, Equivocation)
    assert len(labels(made)) == 1


def test_control_without_the_second_coin_nobody_is_convicted() -> None:
    made = play(lambda _: lambda e, receiver: e, 1, {"openings": last_bit})
    assert all(isinstance(made.endings[n], SuspectFault) for n in made.honest), made.endings


# ---- who is waited for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attempts", [2, 3])
def test_the_beginning_of_an_attempt_names_no_honest_node(attempts: int) -> None:
    """node3 lets the first attempt fail and begins the second one with node1 only; node2 waits for it."""
    begun: list[bytes] = []

    def rewrite(e: Envelope, receiver: str) -> Any:
        if e.round == "keys" and e.session not in begun:
            begun.append(e.session)
        silent = e.round == ABORT or (e.round == "openings" and e.session == begun[0])
        return None if silent or (e.round == "keys" and receiver == "node2" and len(begun) == 2) else e

    made = Scene(attempts=attempts, behaviour=Behaviour(rewrite=rewrite, settings={"deadline": 300.0}))
    made.run()
    assert len(labels(made)) == 2
    for name in made.honest:
        end = made.endings[name]
        assert not isinstance(end, Absent) or end.peer == "node3", (name, repr(end))
    assert any(isinstance(made.endings[n], Absent) for n in made.honest)


def test_who_left_before_the_first_attempt_is_not_waited_for() -> None:
    def make(made: Scene) -> Rewrite:
        return lambda e, receiver: (
            says(made, goodbye(e)) if (e.round, receiver) == ("coins/echo", "node1") else e
        )  # fmt: skip

    one, two = (play(make, attempts) for attempts in (1, 2))
    assert two.seconds < one.seconds + 1 < one.deadline


def test_a_node_whose_link_is_slow_to_return_is_waited_for() -> None:
    waited: list[float] = []

    async def connected() -> None:
        waited.append(25.0)
        await asyncio.sleep(25.0)

    def make(made: Scene) -> Rewrite:
        gone: list[bytes] = []

        def rewrite(e: Envelope, receiver: str) -> Any:
            if e.round == "masks" and not gone:
                gone.append(e.session)
            return says(made, goodbye(e)) if e.round == "masks" and e.session == gone[0] else e

        return rewrite

    made = play(make, differing={"node2": {"connected": connected}}, deadline=20.0)
    assert waited == [25.0], "every attempt but the first begins with the connections"
    assert_second_attempt_decided(made, "node3 ended the session")


def test_an_attempt_that_lost_a_connection_is_repeated() -> None:
    """The loss ends all channels of a node, the gathering's too."""
    lost: list[str] = []

    def make(made: Scene) -> Rewrite:
        def rewrite(e: Envelope, receiver: str) -> Any:
            if e.round == "mask shares" and not lost:
                lost.append(receiver)
                for channel in list(made.nodes["node1"]._channels.values()):
                    channel.fail(Absent("node3", "connection"))
            return e

        return rewrite

    made = play(make)
    assert lost
    assert_second_attempt_decided(made, "connection")


def test_who_is_told_to_leave_after_the_last_echo_signs_nothing() -> None:
    """The last word before the ticket, and the goodbye right behind it."""

    def make(made: Scene) -> Rewrite:
        return lambda e, _: says(made, e, goodbye(e)) if e.round == "openings/echo" else e

    made = play(make)
    assert len(labels(made)) == 2
    assert not {("ticket", made.setup().auction_id) in made.stores[n].facts for n in made.honest} & {True}
    assert "ticket" not in made.rounds("node1") + made.rounds("node2")


def test_the_engine_ends_with_the_session_that_is_cancelled() -> None:
    """By the time limit, or by the operator: nothing goes on with the shares behind it."""
    steps: list[str] = []

    async def engine() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("engine closed")

    async def session() -> None:
        made = Scene()

        class Nowhere:
            async def send(self, receiver: str, data: bytes) -> None: ...

        channel = Channel(made.roster, "node1", made.identities["node1"], Nowhere(), bytes(32), 20.0)
        try:
            await channel.guarded(asyncio.ensure_future(engine()))
        finally:
            steps.append("session over")

    async def main() -> None:
        task = asyncio.ensure_future(session())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert steps == ["engine closed", "session over"]
