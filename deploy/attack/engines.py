"""m SharedEngines in one event loop, for testing single operations without a session around them."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.shamir import share
from tacita.protocols.faults import TacitaError
from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.mpc.demand import Demand, DryRun, Opening
from tacita.protocols.mpc.engine import Engine, EngineInfo, IntArray
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.mpc.sharing import EngineKeys, replicated_subsets

Program = Callable[[Engine], Awaitable[None]]
Inputs = Mapping[str, Sequence[int]]
Tamper = Callable[[int, int, int, bytes], bytes | None]
"""(sender, receiver, number of the message on this link, data) → what arrives instead; None: nothing does."""

HEADER = 12
"""Bytes in front of a message's content."""
PATIENCE = 30
"""Turns of the event loop without a message after which the nodes that are left wait in vain."""


class RecordingEngine(SharedEngine):
    """Also keeps every opened value, the name of every pseudorandom stream and the length of every resharing."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.values: list[tuple[Opening, list[int]]] = []
        self.streams: list[tuple[bytes, str, int, int]] = []
        self.reshared: list[int] = []
        """Per resharing in which this node may deal, the number of products."""
        self.raw: list[list[int]] = []
        """Every opening of the field, those of `verify` too."""
        streamed, reshared, opened = self.shares._stream, self.shares.reshare, self.shares.open

        def stream(key: bytes, label: str, count: int, bits: int) -> IntArray:
            self.streams.append((key, label, count, bits))
            return streamed(key, label, count, bits)

        async def reshare(products: IntArray, zero_at: Collection[int] = ()) -> IntArray:
            if self.shares.me not in zero_at:
                self.reshared.append(len(products))
                products = self.before_reshare(products)
            return await reshared(products, zero_at)

        async def open_(a: IntArray) -> IntArray:
            values = await opened(a)
            self.raw.append([int(v) for v in values])
            return values

        self.shares._stream, self.shares.reshare, self.shares.open = stream, reshare, open_  # type: ignore[method-assign]

    def before_reshare(self, products: IntArray) -> IntArray:
        """What this node deals instead of its products: cheaters override it."""
        return products

    async def open(self, a: IntArray, entry: Opening) -> IntArray:
        values = await super().open(a, entry)
        self.values.append((entry, [int(v) for v in values]))
        return values


Make = Callable[..., RecordingEngine]
WAITING = "waiting"


@dataclass
class Run:
    """What the nodes ended with."""

    demand: Demand
    outputs: dict[str, list[int]]
    engines: list[RecordingEngine] = field(repr=False)
    ends: list[BaseException | str | None] = field(default_factory=list)
    """Per node: None if it finished, its exception, or WAITING for a message that does not come."""
    first: int | None = None
    """The node that failed first."""
    traffic: list[tuple[int, int, int]] = field(default_factory=list, repr=False)
    """(sender, receiver, length) of every message, in order."""

    def shape(self) -> tuple[object, ...]:
        """What of a run must not depend on secrets: traffic, ends, and the step at which each node ended."""
        ends = tuple((type(e).__name__, str(e)) for e in self.ends)
        return tuple(self.traffic), ends, tuple(e.shares.position for e in self.engines)


def info(parties: int, security: str = "abort") -> EngineInfo:
    return EngineInfo("test", security, parties, (parties - 1) // 2)


def dry(program: Program, parties: int, security: str = "abort") -> Demand:
    """What the program announces."""
    run = DryRun(info(parties, security))
    asyncio.run(_await(program(run)))
    return run.demand()


def clear(program: Program, inputs: Inputs, parties: int = 3, noise: int | None = None) -> dict[str, list[int]]:
    """The program's outputs on plain integers."""
    engine = ClearEngine(inputs, parties, (parties - 1) // 2, noise)
    asyncio.run(_await(program(engine)))
    return engine.outputs


def secure(
    program: Program,
    inputs: Inputs,
    parties: int,
    seed: str,
    tamper: Tamper = lambda sender, receiver, number, data: data,
    security: str = "abort",
) -> Run:
    """The program's outputs from m nodes; raises what the first failing node raises. All randomness is `seed`'s."""
    run = attempt(program, inputs, parties, seed, tamper, security)
    if run.first is not None:
        raise run.ends[run.first]  # type: ignore[misc]
    assert WAITING not in run.ends, "a node waits for a message that does not come"
    assert all(e.opened == run.engines[0].opened for e in run.engines), "the nodes opened different values"
    return run


def attempt(
    program: Program,
    inputs: Inputs,
    parties: int,
    seed: str,
    tamper: Tamper = lambda sender, receiver, number, data: data,
    security: str = "abort",
    nodes: Make | Mapping[int, Make] = RecordingEngine,
) -> Run:
    """Run until every node has finished, failed or waits in vain. `nodes`: other engines, for all or for some."""
    return asyncio.run(_attempt(program, inputs, parties, seed, tamper, security, nodes))


async def _await(work: Awaitable[None]) -> None:
    await work


async def _attempt(
    program: Program, inputs: Inputs, m: int, seed: str, tamper: Tamper, security: str, nodes: Make | Mapping[int, Make]
) -> Run:
    run = DryRun(info(m, security))
    await program(run)
    demand, t = run.demand(), (m - 1) // 2
    entropy, loop = SeededEntropy(f"{seed}/{m}"), asyncio.get_running_loop()
    shares: list[dict[str, list[int]]] = [{} for _ in range(m)]
    for block in demand.inputs:
        dealt = [share(int(x), demand.prime, t, m, entropy) for x in inputs[block.label]]
        for i in range(m):
            shares[i][block.label] = [row[i] for row in dealt]
    masks = {b.label: [random_bits(entropy, 80) for _ in range(b.size)] for b in demand.outputs}
    mask_shares: list[dict[str, list[int]]] = [{} for _ in range(m)]
    for label, values in masks.items():
        dealt = [share(r, demand.prime, t, m, entropy) for r in values]
        for i in range(m):
            mask_shares[i][label] = [row[i] for row in dealt]
    runtimes: list[SessionRuntime] = []
    result = Run(demand, {}, [], [None] * m)
    tasks: list[asyncio.Task[None]] = []

    class Wire:
        def __init__(self, sender: int, receiver: int) -> None:
            self.sender, self.receiver, self.sent = sender, receiver, 0

        def write(self, data: bytes) -> None:
            """One write may hold several messages: eight bytes of program counter, four of length, content."""
            while data:
                size = HEADER + int.from_bytes(data[8:HEADER], "little")
                self.sent += 1
                result.traffic.append((self.sender, self.receiver, size))
                message = tamper(self.sender, self.receiver, self.sent, data[:size])
                if message is not None:
                    loop.call_soon(self.deliver, message)
                data = data[size:]

        def deliver(self, data: bytes) -> None:
            try:
                runtimes[self.receiver].feed(self.sender)(data)
            except TacitaError as error:
                ended(self.receiver, error)
                tasks[self.receiver].cancel()

    def ended(node: int, error: BaseException) -> None:
        result.ends[node] = error
        result.first = node if result.first is None else result.first

    async def node(i: int) -> None:
        try:
            await program(result.engines[i])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test sees it
            ended(i, error)

    for i in range(m):
        runtimes.append(SessionRuntime(i, m, t, {j: Wire(i, j) for j in range(m) if j != i}))
        make = nodes.get(i, RecordingEngine) if isinstance(nodes, Mapping) else nodes
        result.engines.append(make(runtimes[i], demand, keys(i, m, t, seed), shares[i], mask_shares[i]))
    tasks += [loop.create_task(node(i)) for i in range(m)]
    still, before = 0, -1
    while not all(task.done() for task in tasks) and still < PATIENCE:
        await asyncio.sleep(0)
        still = still + 1 if len(result.traffic) == before else 0
        before = len(result.traffic)
    for i, task in enumerate(tasks):
        if not task.done():
            task.cancel()
            result.ends[i] = result.ends[i] or WAITING
    await asyncio.gather(*tasks, return_exceptions=True)
    lows = {b.label: b.lo for b in demand.outputs}
    for label, opened in result.engines[0].opened.items():
        result.outputs[label] = [b + lows[label] - masks[label][n] for n, b in enumerate(opened)]
    return result


def keys(me: int, m: int, t: int, seed: str) -> EngineKeys:
    """This node's replicated and pairwise keys."""
    replicated = {s: _key(seed, "replicated", *s) for s in replicated_subsets(m, t) if me in s}
    pairwise = {j: _key(seed, "pairwise", min(me, j), max(me, j)) for j in range(m) if j != me}
    return EngineKeys(replicated, pairwise)


def _key(seed: str, *what: object) -> bytes:
    return hashlib.sha256(f"{seed}/{what}".encode()).digest()
