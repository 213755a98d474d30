"""A52–A57: messages, streams and sessions that cost more than they should."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import grpc.aio

from tacita.deploy.attack import intruder
from tacita.deploy.attack.behaviour import Behaviour
from tacita.deploy.attack.case import Play, Shown, case
from tacita.deploy.attack.intruder import Caller
from tacita.deploy.attack.patching import Defence
from tacita.deploy.attack.scene import Scene
from tacita.deploy.attack.session import crashed, play_session
from tacita.deploy.attack.transport import Door, caller, dial
from tacita.node import server, services
from tacita.node.limits import Early
from tacita.node.transport import MAX_DATA
from tacita.proto.tacita_pb2 import Frame, Piece
from tacita.protocols.stages import commit


def node1() -> Caller:
    """The peer that dials node2."""
    return caller("node1", "node1")


def piece(size: int, last: bool = True) -> bytes:
    """A frame of a signed message."""
    return bytes(Frame(piece=Piece(data=bytes(size), last=last)).SerializeToString())


def frames(variant: str) -> Iterator[bytes]:
    """What the peer sends."""
    if variant == "5 MiB":
        yield piece(5 << 20)
    elif variant == "1.2 MiB":
        yield piece((1 << 20) + (1 << 18))
    elif variant == "a message without end":
        for _ in range(80):
            yield piece(1 << 20, last=False)
    else:
        yield b"\xff" * 100


UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@case("A52", "huge messages", "R PeerRefused",
      Defence("tacita.node.server.OPTIONS", lambda honest: UNLIMITED, prevents=True),
      variants=("5 MiB", "1.2 MiB", "a message without end", "bytes that are no frame"))  # fmt: skip
def huge(play: Play) -> Shown:
    door, caller = Door(), node1()

    async def work(channel: grpc.aio.Channel) -> str:
        return await intruder.pour(channel, caller.metadata, frames(play.variant), 2.0)

    status = dial(caller, door, work)
    largest = max((len(data) for _, data in door.messages), default=0)
    told = (
        f"a frame of {largest >> 20} MiB is taken, {largest // MAX_DATA} times the limit" if largest > MAX_DATA else ""
    )
    return Shown("R PeerRefused" if status != "DEADLINE_EXCEEDED" or not largest else "P", harm=told)


def plain_json(honest: Any) -> Any:
    """Old rule: Python's parser reads whatever comes."""
    return json.loads


BOMBS = {
    "nested 200 000 times": lambda p: b"[" * 200_000,
    "half-open objects": lambda p: b'{"a":' * 100_000,
    "a number of 5000 digits": lambda p: b"9" * 5000,
    "keys twice": lambda p: p.replace(b'{"cat"', b'{"cat":{},"cat"'),
    "trailing space": lambda p: p + b" ",
}


@case("A53", "small messages that cost much", "I InvalidEncoding",
      Defence("tacita.protocols.messages.read_json", plain_json), culprit="node3", variants=tuple(BOMBS))  # fmt: skip
def bombs(play: Play) -> Shown:
    return play_session(play, Behaviour(lies={"commit": BOMBS[play.variant]}), crashed)


STREAMS = 300


@case("A54", "flood of streams", "R PeerRefused",
      Defence("tacita.node.server.OPTIONS", lambda honest: UNLIMITED, prevents=True))  # fmt: skip
def streams(play: Play) -> Shown:
    """300 streams on one connection that are opened at once; how many the service works on at the same time."""
    door, caller, now, most = Door(), node1(), [0], [0]

    async def lingers(self: Any, request_iterator: Any, context: Any) -> Any:
        now[0] += 1
        most[0] = max(most[0], now[0])
        try:
            await asyncio.sleep(0.5)
        finally:
            now[0] -= 1
        return
        yield

    play.patch.setattr(services.PeerService, "Connect", lingers)

    async def work(channel: grpc.aio.Channel) -> None:
        await asyncio.gather(*(intruder.knock(channel, caller.metadata, 3.0) for _ in range(STREAMS)))

    dial(caller, door, work)
    return Shown("R PeerRefused", harm=f"{most[0]} streams of one peer at once" if most[0] > 64 else "")


CROWD = 6


def every_bad(honest: Any) -> Any:
    """Old rule: all bids are verified, and then it is said which are bad."""
    from tacita.protocols.faults import ProtocolFault

    def bid(self: Any, participant: str) -> Any:
        try:
            return honest(self, participant)
        except ProtocolFault as fault:
            self.first = getattr(self, "first", None) or fault
            if participant == self.setup.enrolled[-1].name:
                raise self.first from None
            return None

    return bid


@case("A55", "flood of invalid proofs", "I InvalidProof", Defence("tacita.protocols.reading.Reading.bid", every_bad),
      culprit="cat1")  # fmt: skip
def invalid_proofs(play: Play) -> Shown:
    """node3 speaks for many bidders, whose proofs are all invalid: how many the others verify before they stop."""
    from tacita.crypto.proofs import quadratic

    names = [f"cat{k}" for k in range(1, CROWD + 1)]
    lines = "\n".join(["bidder,slot,value,slope,min,max", *(f"{n},1,6.02311,4,0,2.07193" for n in names)])
    make, verify, paid = commit.make_object, quadratic.verify, list[str]()

    def bad(setup: Any, name: str, *rest: Any) -> Any:
        from dataclasses import replace

        bid, opening = make(setup, name, *rest)
        return replace(bid, fields=(*bid.fields[1:], bid.fields[0])), opening

    def counted(p: Any, context: Any, *rest: Any) -> None:
        if context.prover in names:
            paid.append(context.prover)
        verify(p, context, *rest)

    play.patch.setattr(commit, "make_object", bad)
    play.patch.setattr(quadratic, "verify", counted)

    scene_hosts = dict.fromkeys(names, "node3")

    def all_at_node3(scene: Scene) -> Behaviour:
        members = scene.members

        def host(participants: Any) -> dict[str, str]:
            return {n: scene_hosts.get(n, members.names[0]) for n in sorted(participants)}

        play.patch.setattr(members, "host", host)
        paid.clear()
        return Behaviour()

    def bill(scene: Scene) -> str:
        # The first one is verified again with the evidence that names it.
        return f"{len(set(paid))} invalid proofs are verified, not 1" if len(set(paid)) > 1 else ""

    return play_session(play, all_at_node3, bill, lines=lines, two_worlds=False, deviated=lambda: paid)


FLOOD = 100_000


def keeps_all(honest: Any) -> Any:
    """Old rule: a message for a session that may begin later is kept."""

    def hold(self: Early, label: bytes, peer: str, data: bytes) -> bool:
        self._used[peer] += len(data)
        self._held.setdefault(label, []).append((self._clock(), peer, data))
        return True

    return hold


@case("A56", "messages for sessions that never begin", "R PeerRefused",
      Defence("tacita.node.limits.Early.hold", keeps_all, notices=lambda kept: not kept))  # fmt: skip
def unknown_sessions(play: Play) -> Shown:
    """100 000 messages of 300 bytes, each for another session."""
    early, kept = Early(server.EARLY_BYTES, lambda: 0.0), 0
    for k in range(FLOOD):
        kept += early.hold(k.to_bytes(32, "big"), "mallory", bytes(300))
    honest = early.hold(bytes(32), "bob", b"x")
    told = f"{kept} messages are kept, {kept * 800 >> 20} MiB with their overhead" if kept == FLOOD else ""
    return Shown("R PeerRefused", harm=told, problems=[] if honest else ["an honest peer has no room left"])


SLOW = 299.0
"""Seconds by which every engine message comes late: just within the patience for one."""


def unlimited(honest: Any) -> Any:
    """Old rule: every round has a deadline, the session has none."""

    async def waits(self: Any, work: Any) -> Any:
        return await work

    return waits


@case("A57", "answers just before every deadline", "D Absent", Defence("tacita.protocols.session._Session._in_time",
      unlimited), accepts="D SuspectFault", variants={"slow engine": "", "slow words": "D Absent"})  # fmt: skip
def slow_loris(play: Play) -> Shown:
    behaviour = Behaviour(delay=19.0) if play.variant == "slow words" else Behaviour(engine_delay=SLOW)

    def endless(scene: Scene) -> str:
        waiting = [name for name in scene.honest if scene.endings[name] is None]
        return f"{', '.join(waiting)} still wait after {scene.seconds:.0f} s of virtual time" if waiting else ""

    settings = {"budget": 200.0 if play.variant == "slow words" else 600.0}
    differing = {f"node{k + 1}": settings for k in range(play.parties)}
    return play_session(
        play, behaviour, endless, two_worlds=False, deviated=lambda: True, differing=differing, in_time=700.0
    )
