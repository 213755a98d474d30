"""The engine's process: one per session, so that its state dies with it. Talks to its node over a socket pair.

Messages on the socket: 4 bytes length, 1 byte kind, payload. The node sends a job (JSON) and signed frames of peers;
the worker sends engine bytes for peers, which the node signs, progress, and at the end the result or an error. When
the node goes away, the socket closes and the worker ends.
"""

import asyncio
import json
import resource
import socket
import struct
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from tacita.protocols.faults import RefusedFrame, TacitaError
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.shared import SharedEngine
from tacita.protocols.mpc.sharing import EngineKeys
from tacita.protocols.party import Job
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.terms import Terms

JOB, ENGINE, PROGRESS, RESULT, ERROR = range(5)
MAX_MESSAGE = 256 << 20
Program = Callable[[Engine, Callable[[int, int], None]], Awaitable[None]]
"""What a policy computes: (engine, report)."""


def frame(kind: int, payload: bytes) -> bytes:
    """One message on the socket pair."""
    return struct.pack("<IB", len(payload), kind) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """The next message, or None at the end."""
    try:
        size, kind = struct.unpack("<IB", await reader.readexactly(5))
        if size > MAX_MESSAGE:
            return None
        return kind, await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def encode_job(job: Job) -> bytes:
    """Plain JSON; integers as hex text."""
    tree: dict[str, Any] = {
        "session": job.session.hex(),
        "terms": job.terms,
        "patterns": {name: list(pattern) for name, pattern in job.patterns.items()},
        "order": list(job.order),
        "nodes": list(job.nodes),
        "index": job.index,
        "threshold": job.threshold,
        "replicated": [[list(s), k.hex()] for s, k in job.keys.replicated.items()],
        "pairwise": {str(j): k.hex() for j, k in job.keys.pairwise.items()},
        "inputs": {label: [format(x, "x") for x in values] for label, values in job.inputs.items()},
        "masks": {label: [format(x, "x") for x in values] for label, values in job.masks.items()},
    }
    return json.dumps(tree).encode()


def decode_job(data: bytes) -> Job:
    """The inverse of encode_job."""
    tree = json.loads(data)
    keys = EngineKeys(
        {tuple(s): bytes.fromhex(k) for s, k in tree["replicated"]},
        {int(j): bytes.fromhex(k) for j, k in tree["pairwise"].items()},
    )
    inputs, masks = ({k: [int(x, 16) for x in v] for k, v in tree[n].items()} for n in ("inputs", "masks"))
    plain = {n: tree[n] for n in ("terms", "patterns", "order", "nodes", "index", "threshold")}
    return Job(session=bytes.fromhex(tree["session"]), **plain, keys=keys, inputs=inputs, masks=masks)


class _Link:
    """Engine bytes to one peer, relayed by the node."""

    def __init__(self, peer: int, write: Callable[[bytes], None]) -> None:
        self._peer, self._write = peer, write

    def write(self, data: bytes) -> None:
        """See mpc.runtime.Link."""
        self._write(frame(ENGINE, bytes([self._peer]) + data))


@dataclass(frozen=True)
class Spent:
    """CPU seconds and bytes of an engine so far, and how much of both made random digits, which no input enters."""

    seconds: float
    sent: int
    prepared_seconds: float
    prepared_bytes: int
    digits_made: int
    digits_used: int

    @staticmethod
    def by(engine: SharedEngine) -> "Spent":
        """Of this process, until now."""
        prepared = engine.prepared_seconds, engine.prepared_bytes, engine.digits_made, engine.digits_used
        return Spent(time.process_time(), engine.shares.bytes_sent, *prepared)


def prepare(job: Job, runtime: SessionRuntime, kind: type[SharedEngine] = SharedEngine) -> tuple[SharedEngine, Program]:
    """The engine of a job, and the program that it runs."""
    terms = Terms(job.terms)
    instance = POLICIES[terms.policy].instance(terms, job.patterns)
    demand = instance.demand(job.parties, job.threshold, terms.session.security)
    return kind(runtime, demand, job.keys, job.inputs, job.masks), instance.program(job.order)


def cost(spent: Sequence[Spent]) -> dict[str, float]:
    """CPU milliseconds and bytes per step of the program, the first one left out: what depends on inputs ("online"),
    and the making of the random digits that the step uses ("offline")."""
    if len(spent) < 2:
        return {}
    first, last, steps = spent[0], spent[-1], len(spent) - 1
    digits = (last.digits_used - first.digits_used) / steps / max(last.digits_made, 1)
    prepared_seconds = last.prepared_seconds - first.prepared_seconds
    prepared_bytes = last.prepared_bytes - first.prepared_bytes
    return {
        "online_milliseconds": round(1e3 * (last.seconds - first.seconds - prepared_seconds) / steps, 3),
        "offline_milliseconds": round(1e3 * last.prepared_seconds * digits, 3),
        "online_bytes": round((last.sent - first.sent - prepared_bytes) / steps),
        "offline_bytes": round(last.prepared_bytes * digits),
    }


async def listen(reader: asyncio.StreamReader, feeds: Mapping[int, Callable[[bytes], None]]) -> None:
    """Hand frames to `feeds`, {peer: function}, until the node is gone; raises RefusedFrame for a peer's."""
    while (message := await read_frame(reader)) is not None:
        kind, payload = message
        if kind == ENGINE and payload[0] in feeds:
            feeds[payload[0]](payload[1:])


def receiver(job: Job, runtime: SessionRuntime, peer: int) -> Callable[[bytes], None]:
    """The function to call with every frame that arrives from a peer, in order; raises RefusedFrame."""
    deliver = runtime.feed(peer)
    return lambda signed: deliver(job.data(peer, signed), signed)


async def work(reader: asyncio.StreamReader, write: Callable[[bytes], None]) -> None:
    """Wait for a job, run it, report; returns when the job is done or the node is gone."""
    first = await read_frame(reader)
    if first is None or first[0] != JOB:
        return
    job = decode_job(first[1])
    runtime = SessionRuntime(job.index, job.parties, job.threshold, {j: _Link(j, write) for j in job.peers})
    feeds = {j: receiver(job, runtime, j) for j in job.peers}

    async def compute() -> None:
        engine, program = prepare(job, runtime)
        engine.clock = time.process_time
        spent: list[Spent] = []

        def report(step: int, steps: int) -> None:
            write(frame(PROGRESS, json.dumps([step, steps]).encode()))
            spent.append(Spent.by(engine))

        await program(engine, report)
        # The last write to the peers is still queued in the event loop: it must leave before the result, after which
        # the node listens no more.
        await asyncio.sleep(0)
        opened = {label: [format(b, "x") for b in values] for label, values in engine.opened.items()}
        ledger = [astuple(entry) for entry in engine.ledger]
        write(frame(RESULT, json.dumps({"opened": opened, "ledger": ledger, "cost": cost(spent)}).encode()))

    tasks = {asyncio.ensure_future(compute()), asyncio.ensure_future(listen(reader, feeds))}
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    for task in done:
        task.result()


async def serve(connection: socket.socket) -> None:
    """Run one job from this connection."""
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 22)
    try:
        await work(reader, writer.write)
    except TacitaError as error:
        message = {"kind": type(error).__name__, "code": error.exit_code, "message": str(error)}
        if isinstance(error, RefusedFrame):
            message = {**message, "message": error.reason, "frame": error.frame.hex()}
        writer.write(frame(ERROR, json.dumps(message).encode()))
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug must be reported as ours
        # The message of an arbitrary exception could quote a secret; the node gets the place, not the text.
        places = [f"{f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        message = {"kind": "bug", "code": 70, "message": type(error).__name__, "places": "\n".join(places)}
        writer.write(frame(ERROR, json.dumps(message).encode()))
    await writer.drain()
    writer.close()


def main() -> None:
    """Entry point: `python -m tacita.node.worker FD`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(fileno=int(sys.argv[1]))
    asyncio.run(serve(connection))


if __name__ == "__main__":
    main()
