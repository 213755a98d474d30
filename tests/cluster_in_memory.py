"""A whole cluster in one event loop: the protocol code of the real nodes on in-memory links, for fast tests."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.deploy.simulate import members
from tacita.deploy.simulate.members import Members, MemoryStore
from tacita.node.worker import prepare, receiver
from tacita.protocols.channel import Channel
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.party import Hosted, Job, Party, Result, Solved
from tacita.protocols.session import make_channel, run_session
from tacita.protocols.terms import Terms

INSECURE_BITS = 1024


def insecure_key(parties: int, bits: int = INSECURE_BITS) -> tuple[ThresholdKey, tuple[KeyShare, ...]]:
    """A deterministic test key."""
    return members.insecure_key(parties, bits)


Tamper = Callable[[str, str, bytes], bytes | None]
"""(sender, receiver, signed bytes) → what is delivered instead, None for nothing."""


@dataclass
class Cluster(Members):
    """m nodes with keys, and the links between them."""

    deadline: float = 20.0
    tamper: Tamper = lambda sender, receiver, data: data
    engine_tamper: Callable[[int, int, bytes], bytes] = lambda sender, receiver, data: data
    traffic: dict[str, list[bytes]] = field(default_factory=dict)
    engines: dict[int, SharedEngine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stores = {n: MemoryStore() for n in self.names}
        self.channels: dict[tuple[str, bytes], Channel] = {}
        self.early: dict[tuple[str, bytes], list[tuple[str, bytes]]] = {}
        self.runtimes: dict[tuple[bytes, int], asyncio.Future[SessionRuntime]] = {}
        self.ended: dict[tuple[bytes, int], asyncio.Future[None]] = {}

    async def send(self, sender: str, receiver: str, data: bytes) -> None:
        delivered = self.tamper(sender, receiver, data)
        if delivered is None:
            return
        self.traffic.setdefault(receiver, []).append(delivered)
        label = delivered[64:96]
        channel = self.channels.get((receiver, label))
        if channel is None:
            self.early.setdefault((receiver, label), []).append((sender, delivered))
        else:
            channel.deliver(sender, delivered)

    def open_channel(self, party: Party, label: bytes, root: bytes) -> Channel:
        cluster = self

        class MemoryWire:
            async def send(self, receiver: str, data: bytes) -> None:
                await cluster.send(party.name, receiver, data)

        channel = make_channel(party, MemoryWire(), label, root)
        self.channels[party.name, label] = channel
        channel.deliver_early(self.early.pop((party.name, label), []))
        return channel

    async def solver(self, job: Job, report: Callable[[int, int], None]) -> Solved:
        me, session, loop = job.index, job.session, asyncio.get_running_loop()
        for i in range(self.parties):
            self.runtimes.setdefault((session, i), loop.create_future())
            self.ended.setdefault((session, i), loop.create_future())
        cluster = self

        class MemoryLink:
            def __init__(self, peer: int) -> None:
                self.peer = peer

            def write(self, data: bytes) -> None:
                frame = job.frame(self.peer, cluster.engine_tamper(me, self.peer, data))
                signed = frame.sign(cluster.identities[job.nodes[me]])
                cluster.traffic.setdefault(cluster.names[self.peer], []).append(signed)
                loop.call_soon(deliver, cluster.runtimes[session, self.peer].result(), signed)

        def deliver(other: SessionRuntime, signed: bytes) -> None:
            try:
                receiver(replace(job, index=other.pid), other, me)(signed)
            except Exception as error:  # noqa: BLE001 - ends the receiver's engine, as in a node's worker
                if not cluster.ended[session, other.pid].done():
                    cluster.ended[session, other.pid].set_exception(error)

        links = {j: MemoryLink(j) for j in range(self.parties) if j != me}
        runtime = SessionRuntime(me, self.parties, job.threshold, links)
        self.runtimes[session, me].set_result(runtime)
        await asyncio.wait([self.runtimes[session, i] for i in range(self.parties)])  # leaves them be if cancelled
        engine, program = prepare(job, runtime)
        self.engines[me] = engine
        work, ended = asyncio.ensure_future(program(engine, report)), self.ended[session, me]
        try:
            await asyncio.wait([work, ended], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
            work.result()
        finally:
            work.cancel()
        return Solved(engine.opened, engine.ledger)

    def party(self, name: str, bits: int = INSECURE_BITS, **changes: Any) -> Party:
        settings: dict[str, Any] = {
            **self.keys(name, bits),
            "entropy": SeededEntropy(f"{self.seed}/entropy/{name}"),
            "store": self.stores[name],
            "solver": self.solver,
            "deadline": self.deadline,
        }
        return Party(**{**settings, **changes})

    async def run(self, terms: Terms, inputs: Mapping[str, Any], **changes: Any) -> dict[str, Result]:
        """Run one session at all nodes; bidders are hosted round-robin."""
        parties = [self.party(name, **changes) for name in self.names]
        work = [run_session(party, terms, self.hosted(party, inputs), self.opener(party)) for party in parties]
        results = await asyncio.gather(*work, return_exceptions=True)
        failures = [r for r in results if isinstance(r, BaseException)]
        if failures:
            raise BaseExceptionGroup("session failed", failures) if len(failures) > 1 else failures[0]
        return {name: r for name, r in zip(self.names, results, strict=True) if isinstance(r, Result)}

    def opener(self, party: Party) -> Callable[[bytes, bytes], Channel]:
        return lambda label, root: self.open_channel(party, label, root)

    def hosted(self, party: Party, inputs: Mapping[str, Any]) -> list[Hosted]:
        return self.hosted_by(party.name, inputs)
