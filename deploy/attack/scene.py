"""One session with one node that misbehaves, on the deterministic driver: virtual clock, one network, INSECURE keys."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey
from tacita.deploy.attack.behaviour import Behaviour
from tacita.deploy.attack.instance import SCENE_LINES, a1
from tacita.deploy.simulate.clock import run_virtual
from tacita.deploy.simulate.members import Members, MemoryStore, insecure_key
from tacita.deploy.simulate.network import Network
from tacita.deploy.simulate.node import SimulatedNode, WatchedChannel
from tacita.deploy.simulate.plan import TOY_BITS, Chance, Weather
from tacita.deploy.simulate.watch import Watch
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.party import Job, Result, Solved
from tacita.protocols.stages.setup import Enrolled, Setup
from tacita.protocols.terms import Terms

PATIENCE = 3600.0
"""Virtual seconds after which a session that has not ended will not end."""
WEATHER = Weather(delay=0.005, jitter=0.0, loss=0.0, duplication=0.0)

Ending = Result | BaseException | None
"""How a node ended; None if it did not."""


@dataclass(frozen=True)
class Told:
    """One deviation: where, what an honest node would have said, and what was said instead."""

    round: str
    honest: bytes = field(repr=False)
    sent: bytes = field(repr=False)


@lru_cache(maxsize=8)
def cluster(parties: int) -> Members:
    """The keys of every scene of this size."""
    return Members(parties, "attacked")


@dataclass
class Scene:
    """A small auction among `parties` nodes; `liar` behaves as `behaviour` says."""

    parties: int = 3
    seed: str = "scene"
    liar: str = "node3"
    behaviour: Behaviour = field(default_factory=Behaviour)
    release: str = "public"
    name: str = "a1"
    lines: str = SCENE_LINES
    attempts: int = 1
    deadline: float = 20.0
    losing: Callable[[str, str, Envelope], bool] = lambda sender, receiver, envelope: False
    """True for messages of honest nodes that the network loses."""
    differing: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """{node: fields of its Party}."""

    def __post_init__(self) -> None:
        self.members = cluster(self.parties)
        self.names, self.roster = self.members.names, self.members.roster
        self.identities, self.multi = self.members.identities, self.members.multi
        self.stores = {n: MemoryStore() for n in self.names}
        self.told: list[Told] = []
        self.log: list[tuple[str, str, Envelope]] = []
        """(sender, receiver, envelope) of everything that was delivered."""
        self.taken: list[tuple[float, str, str, bytes]] = []
        """(virtual time, sender, round or "engine", bytes) of all that the liar received."""
        self.endings: dict[str, Ending] = {}
        self.engines: dict[str, SharedEngine] = {}
        """Each node's engine, in the last attempt."""
        self.worked: list[tuple[str, SharedEngine]] = []
        """(node, engine) of all attempts."""
        self.bugs: list[str] = []
        self.nodes: dict[str, SceneNode] = {}
        self.seconds = 0.0
        self.terms, self.inputs = a1(self.release, self.name, self.lines, self.attempts)

    # ---- what an attacker who knows everything may use --------------------------------------------------------

    @property
    def key(self) -> ThresholdKey:
        """The cluster's key."""
        return insecure_key(self.parties, TOY_BITS)[0]

    @property
    def shares(self) -> tuple[KeyShare, ...]:
        """Every node's share of it."""
        return insecure_key(self.parties, TOY_BITS)[1]

    @property
    def honest(self) -> list[str]:
        """Everybody but the liar."""
        return [name for name in self.names if name != self.liar]

    def bidder(self, name: str) -> SigningKey:
        """A participant's signing key."""
        return SigningKey(SeededEntropy(f"{self.members.seed}/bidder/{name}").token(32))

    def setup(self, terms: Terms | None = None) -> Setup:
        """What all nodes compute in stage 0."""
        terms, hosts = terms or self.terms, self.members.host(self.inputs)
        enrolled = [Enrolled.sign(self.bidder(n), n, (0,), hosts[n], terms) for n in sorted(self.inputs)]
        return Setup.make(terms, self.roster, self.key, enrolled)

    # ---- running ----------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Ending]:
        """One session; {node: how it ended}. Stores stay for the next one, everything else begins anew."""
        for kept in (self.told, self.log, self.taken, self.bugs, self.worked):
            kept.clear()
        self.endings, self.engines = dict.fromkeys(self.names), {}
        run_virtual(self._happen())
        return self.endings

    async def _happen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note)
        network = Network(loop, WEATHER, (), Chance(self.seed, "network"))
        watch = Watch(self.honest, self.names)
        self.watch = watch

        def hears(sender: str, receiver: str, data: bytes) -> None:
            watch.hears(sender, receiver, data)
            name = "noise"
            try:
                envelope = Envelope.decode(data[SIGNATURE_BYTES:])
                self.log.append((sender, receiver, envelope))
                name = envelope.round
            except InvalidEncoding:
                pass
            if receiver == self.liar:
                self.taken.append((loop.time(), sender, name, data))

        network.listener = hears
        nodes = [SceneNode(self, name, network, watch) for name in self.names]
        self.nodes = {node.name: node for node in nodes}
        work = {node.name: asyncio.ensure_future(node.run(node.terms, self.inputs, 0.0)) for node in nodes}
        await asyncio.wait([work[name] for name in self.honest], timeout=PATIENCE)
        self.seconds = loop.time()
        for name, task in work.items():
            if task.done():
                error = task.exception()
                self.endings[name] = error if error is not None else task.result()
            task.cancel()
        await asyncio.gather(*work.values(), return_exceptions=True)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "handle" in context:
            self.bugs.append(f"taking a message raised {context.get('exception')!r}")

    # ---- what happened ----------------------------------------------------------------------------------------

    def rounds(self, sender: str | None = None) -> list[str]:
        """Rounds in which something was delivered, in order, once each."""
        return list(dict.fromkeys(e.round for s, _, e in self.log if sender in (None, s)))

    def heard(self, sender: str, round_name: str) -> bytes:
        """The first payload that this node's message in this round had."""
        return next(e.payload for s, _, e in self.log if (s, e.round) == (sender, round_name))

    def view(self) -> list[tuple[float, str, str, int]]:
        """What the liar sees of others' messages but their content."""
        return [(round(t, 6), sender, name, len(data)) for t, sender, name, data in self.taken]


class SceneChannel(WatchedChannel):
    """The channel of the liar: says other payloads in some rounds."""

    scene: Scene

    def _says(self, round_name: str, payload: bytes) -> bytes:
        lie = self.scene.behaviour.on_step(round_name, payload)
        if lie != payload:
            self.scene.told.append(Told(round_name, payload, lie))
        return lie

    async def broadcast(self, round_name: str, payload: bytes, longer: float = 0.0) -> dict[str, bytes]:
        behaviour = self.scene.behaviour
        if behaviour.rushes and round_name in behaviour.lies:
            await self._arrived(round_name, self.peers, self._end())
        return await super().broadcast(round_name, self._says(round_name, payload), longer)

    async def exchange(self, round_name: str, payloads: Mapping[str, bytes], longer: float = 0.0) -> dict[str, bytes]:
        return await super().exchange(round_name, {n: self._says(round_name, p) for n, p in payloads.items()}, longer)

    async def post(self, round_name: str, payload: bytes) -> None:
        await super().post(round_name, self._says(round_name, payload))


class _Hooks:
    """The engine of a node in a scene; messages go through `SceneNode.send`."""

    silent = False

    def __init__(self, kind: Callable[..., SharedEngine]) -> None:
        self._kind = kind

    def messages(self, receiver: str, data: bytes) -> list[bytes]:
        return [data]

    def engine(self) -> Any:
        return self._kind


class SceneNode(SimulatedNode):
    """A node of a scene; the liar's hooks are called here."""

    def __init__(self, scene: Scene, name: str, network: Network, watch: Watch) -> None:
        self.scene, self.lies = scene, name == scene.liar
        behaviour = scene.behaviour
        settings = {**scene.differing.get(name, {}), **(behaviour.settings if self.lies else {})}
        self.terms = settings.pop("terms", scene.terms)
        kind = behaviour.engine if self.lies else SharedEngine

        def make(*arguments: Any) -> SharedEngine:
            engine = scene.engines[name] = kind(*arguments)
            scene.worked.append((name, engine))
            return engine

        common = {"store": scene.stores[name], "deadline": scene.deadline}
        super().__init__(
            name, scene.members, TOY_BITS, f"scene/{scene.seed}", network, watch, _Hooks(make), **{**common, **settings}
        )

    def _open_channel(self, label: bytes, root: bytes) -> Any:
        self.channel_kind = SceneChannel if self.lies else WatchedChannel
        channel = super()._open_channel(label, root)
        if isinstance(channel, SceneChannel):
            channel.scene = self.scene
        return channel

    async def send(self, receiver: str, data: bytes) -> None:
        """See Wire."""
        scene, envelope = self.scene, Envelope.decode(data[SIGNATURE_BYTES:])
        if not self.lies:
            if not scene.losing(self.name, receiver, envelope):
                await super().send(receiver, data)
            return
        changed = scene.behaviour.on_send(envelope, receiver)
        if isinstance(changed, Envelope):
            if changed != envelope:
                scene.told.append(Told(envelope.round, data, sign(changed, self.party.identity)))
                data = scene.told[-1].sent
            messages = [data]
        else:
            messages = list(changed or [])
            scene.told.append(Told(envelope.round, data, b"".join(messages)))
        for message in messages:
            if scene.behaviour.delay:
                later = scene.behaviour.delay
                asyncio.get_running_loop().call_later(later, self._network.send, self.name, receiver, message)
            else:
                self._network.send(self.name, receiver, message)

    def on_message(self, sender: str, data: bytes) -> None:
        """See Endpoint."""
        taken = self.scene.behaviour.on_receive(sender, data) if self.lies else data
        if taken is not None:
            super().on_message(sender, taken)

    def on_engine(self, sender: str, session: bytes, data: bytes) -> None:
        """See Endpoint."""
        if self.lies:
            self.scene.taken.append((asyncio.get_running_loop().time(), sender, "engine", data))
        super().on_engine(sender, session, data)

    def write_engine(self, job: Job, peer: int, data: bytes) -> None:
        """Engine bytes leave."""
        if self.lies:
            changed = self.scene.behaviour.on_engine(peer, data)
            if changed != data:
                self.scene.told.append(Told("engine", data, changed))
            data = changed
        if self.lies and self.scene.behaviour.engine_delay:
            later = self.scene.behaviour.engine_delay
            asyncio.get_running_loop().call_later(later, super().write_engine, job, peer, data)
        else:
            super().write_engine(job, peer, data)

    async def _solve(self, job: Job, report: Callable[[int, int], None]) -> Solved:
        return await super()._solve(self.scene.behaviour.job(job) if self.lies else job, report)
