"""m SharedEngines in one event loop, for testing single operations without a session around them."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.shamir import share
from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.mpc.demand import Demand, DryRun, Opening
from tacita.protocols.mpc.engine import Engine, EngineInfo, IntArray
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.mpc.sharing import EngineKeys, replicated_subsets

Program = Callable[[Engine], Awaitable[None]]
Inputs = Mapping[str, Sequence[int]]
Tamper = Callable[[int, int, int, bytes], bytes]
"""(sender, receiver, number of the message on this link, data) → what arrives instead."""

HEADER = 12
"""Bytes in front of a message's content."""


class RecordingEngine(SharedEngine):
    """Also keeps every opened value, and the name of every pseudorandom stream."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.values: list[tuple[Opening, list[int]]] = []
        self.streams: list[tuple[bytes, str, int, int]] = []
        original = self.shares._stream

        def stream(key: bytes, label: str, count: int, bits: int) -> IntArray:
            self.streams.append((key, label, count, bits))
            return original(key, label, count, bits)

        self.shares._stream = stream  # type: ignore[method-assign]

    async def open(self, a: IntArray, entry: Opening) -> IntArray:
        values = await super().open(a, entry)
        self.values.append((entry, [int(v) for v in values]))
        return values


@dataclass
class Run:
    """What the nodes ended with."""

    demand: Demand
    outputs: dict[str, list[int]]
    engines: list[RecordingEngine] = field(repr=False)


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
    return asyncio.run(_secure(program, inputs, parties, seed, tamper, security))


async def _await(work: Awaitable[None]) -> None:
    await work


async def _secure(program: Program, inputs: Inputs, m: int, seed: str, tamper: Tamper, security: str) -> Run:
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
    over: list[bool] = []

    class Wire:
        def __init__(self, sender: int, receiver: int) -> None:
            self.sender, self.receiver, self.sent = sender, receiver, 0

        def write(self, data: bytes) -> None:
            """One write may hold several messages: eight bytes of program counter, four of length, content."""
            while data:
                size = HEADER + int.from_bytes(data[8:HEADER], "little")
                self.sent += 1
                loop.call_soon(self.deliver, tamper(self.sender, self.receiver, self.sent, data[:size]))
                data = data[size:]

        def deliver(self, data: bytes) -> None:
            if not over:
                runtimes[self.receiver].feed(self.sender)(data)

    for i in range(m):
        runtimes.append(SessionRuntime(i, m, t, {j: Wire(i, j) for j in range(m) if j != i}))
    engines = [RecordingEngine(runtimes[i], demand, keys(i, m, t, seed), shares[i], mask_shares[i]) for i in range(m)]
    try:
        await asyncio.wait_for(asyncio.gather(*(program(engine) for engine in engines)), 60)
    finally:
        over.append(True)
    lows = {b.label: b.lo for b in demand.outputs}
    outputs = {}
    for label, opened in engines[0].opened.items():
        assert all(e.opened[label] == opened for e in engines), "the nodes opened different values"
        outputs[label] = [b + lows[label] - masks[label][n] for n, b in enumerate(opened)]
    return Run(demand, outputs, engines)


def keys(me: int, m: int, t: int, seed: str) -> EngineKeys:
    """This node's replicated and pairwise keys."""
    replicated = {s: _key(seed, "replicated", *s) for s in replicated_subsets(m, t) if me in s}
    pairwise = {j: _key(seed, "pairwise", min(me, j), max(me, j)) for j in range(m) if j != me}
    return EngineKeys(replicated, pairwise)


def _key(seed: str, *what: object) -> bytes:
    return hashlib.sha256(f"{seed}/{what}".encode()).digest()
