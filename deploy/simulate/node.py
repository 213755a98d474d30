"""One node of a world: what node/server.py is to a real one, between the simulated network and an engine."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import SIGNATURE_BYTES
from tacita.deploy.simulate.members import Members, MemoryStore
from tacita.deploy.simulate.network import Network
from tacita.deploy.simulate.watch import Watch
from tacita.node.limits import Early
from tacita.node.worker import prepare, receiver
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope
from tacita.protocols.faults import Absent, MachineFault
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.party import Job, Party, Result, Solved
from tacita.protocols.session import run_session
from tacita.protocols.terms import Terms

EARLY_BYTES, EARLY_ENGINE_BYTES = 8 << 20, 64 << 20
CONNECT_SECONDS = 20.0
"""All as in node/server.py."""
LABEL = slice(SIGNATURE_BYTES, SIGNATURE_BYTES + 32)
"""Where a signed message says which channel it belongs to."""


class Deviation(Protocol):
    """What a node that misbehaves does differently."""

    silent: bool
    """True from when on it says nothing more, engine included."""

    def messages(self, receiver: str, data: bytes) -> Sequence[bytes]:
        """What is sent instead of this signed message."""
        ...

    def engine(self) -> type[SharedEngine]:
        """The engine that the node runs."""
        ...


class WatchedChannel(Channel):
    """The channel of the real nodes; tells the watch with what it goes on."""

    watch: Watch

    async def broadcast(self, round_name: str, payload: bytes, longer: float = 0.0) -> dict[str, bytes]:
        payloads = await super().broadcast(round_name, payload, longer)
        self.watch.concludes(self.me, self.session, round_name, payloads)
        return payloads


class _Engine:
    """A running engine: where bytes of peers go, and the failure that they may cause."""

    def __init__(self, job: Job, runtime: SessionRuntime) -> None:
        self._feeds = {name: receiver(job, runtime, j) for j, name in job.peers.items()}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def feed(self, peer: str, data: bytes) -> None:
        """A signed frame of a peer; what it raises ends this engine, as it ends a worker process."""
        try:
            self._feeds[peer](data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the one who waits for the engine
            if not self.failed.done():
                self.failed.set_exception(error)


class SimulatedNode:
    """One party with its channels and engines; `deviant` changes what it sends, `settings` what it is."""

    channel_kind = WatchedChannel

    def __init__(
        self,
        name: str,
        members: Members,
        bits: int,
        seed: str,
        network: Network,
        watch: Watch,
        deviant: Deviation | None,
        **settings: Any,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.name, self._network, self._watch, self._deviant = name, network, watch, deviant
        self._peers = {n: j for j, n in enumerate(members.names) if n != name}
        self._channels: dict[bytes, Channel] = {}
        self._engines: dict[bytes, _Engine] = {}
        self._early, self._early_engine = Early(EARLY_BYTES, loop.time), Early(EARLY_ENGINE_BYTES, loop.time)
        given = {
            "entropy": SeededEntropy(f"{seed}/{name}"),
            "store": MemoryStore(),
            "solver": self._solve,
            "connected": self._connected,
        }
        self.party = Party(**{**members.keys(name, bits), **given, **settings})
        self._hosted = members.hosted_by
        network.attach(name, self)

    async def run(self, terms: Terms, inputs: Mapping[str, Any], start: float) -> Result:
        """Wait until `start`, then take part in one session."""
        await asyncio.sleep(start)
        return await run_session(self.party, terms, self._hosted(self.name, inputs), self._open_channel)

    # ---- messages ---------------------------------------------------------------------------------------------

    async def send(self, receiver: str, data: bytes) -> None:
        """See Wire."""
        envelope = Envelope.decode(data[SIGNATURE_BYTES:])
        self._network.begins(envelope.round)
        self._watch.says(self.name, envelope, data)
        messages: Sequence[bytes] = [data] if self._deviant is None else self._deviant.messages(receiver, data)
        for message in messages:
            self._network.send(self.name, receiver, message)

    def _open_channel(self, label: bytes, root: bytes) -> Channel:
        party = self.party
        channel = self.channel_kind(party.roster, party.name, party.identity, self, label, party.deadline, root)
        channel.watch = self._watch
        self._channels[label] = channel
        channel.deliver_early(self._early.release(label))
        return channel

    def on_message(self, sender: str, data: bytes) -> None:
        """See Endpoint."""
        channel = self._channels.get(data[LABEL])
        if channel is not None:
            channel.deliver(sender, data)
        else:
            self._early.hold(data[LABEL], sender, data)

    async def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        for peer in self._peers:
            end = loop.time() + CONNECT_SECONDS
            while not self._network.connected(self.name, peer):
                if loop.time() > end:
                    raise Absent(peer, "connection")
                await asyncio.sleep(0.25)

    def on_loss(self, peer: str) -> None:
        """See Endpoint."""
        for channel in self._channels.values():
            channel.fail(Absent(peer, "connection"))

    # ---- engine -----------------------------------------------------------------------------------------------

    def on_engine(self, sender: str, session: bytes, data: bytes) -> None:
        """See Endpoint; `data` is a signed frame."""
        engine = self._engines.get(session)
        if engine is not None:
            engine.feed(sender, data)
        else:
            self._early_engine.hold(session, sender, data)

    async def _solve(self, job: Job, report: Callable[[int, int], None]) -> Solved:
        links = {j: _EngineLink(self, job, j) for j in job.peers}
        runtime = SessionRuntime(job.index, job.parties, job.threshold, dict(links))
        running = self._engines[job.session] = _Engine(job, runtime)
        kind = self._deviant.engine() if self._deviant else SharedEngine
        engine, program = prepare(job, runtime, kind)
        work = asyncio.ensure_future(program(engine, report))
        try:
            for peer, data in self._early_engine.release(job.session):
                running.feed(peer, data)
            await asyncio.wait([work, running.failed], return_when=asyncio.FIRST_COMPLETED)
            if running.failed.done():
                running.failed.result()
            work.result()
            await asyncio.sleep(0)  # the last write to the peers is still queued in the event loop
        finally:
            work.cancel()
            del self._engines[job.session]
        return Solved(engine.opened, engine.ledger)

    def write_engine(self, job: Job, peer: int, data: bytes) -> None:
        """Engine bytes leave in a signed frame; without a connection they are gone, and the session has heard of it."""
        if self._deviant is not None and self._deviant.silent:
            return
        try:
            signed = job.frame(peer, data).sign(self.party.identity)
            self._network.send(self.name, job.nodes[peer], signed, job.session)
        except MachineFault:
            self.on_loss(job.nodes[peer])


class _EngineLink:
    """Engine bytes to one peer, see mpc.runtime.Link."""

    def __init__(self, node: SimulatedNode, job: Job, peer: int) -> None:
        self._node, self._job, self._peer = node, job, peer

    def write(self, data: bytes) -> None:
        """See Link."""
        self._node.write_engine(self._job, self._peer, data)
