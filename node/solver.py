"""The node's side of the engine process: start it ahead of time, relay its bytes, take its result, end it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from tacita.node.worker import ENGINE, ERROR, JOB, PROGRESS, RESULT, encode_job, frame, read_frame
from tacita.protocols.faults import LocalFault, MachineFault, PeerFault, RefusedFrame, TacitaError
from tacita.protocols.mpc.demand import Opening
from tacita.protocols.party import Job, Solved


class EngineBug(Exception):
    """The engine process failed in a way that is our bug; the text holds the places, not the values."""


class Worker:
    """One engine process, started before it is needed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tacita.node.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                close_fds=True,
                cwd="/",
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise LocalFault(f"the engine process cannot be started ({error.strerror}); free memory") from None
        theirs.close()
        self._socket = ours
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: list[bytes] = []
        self.cost: dict[str, float] = {}
        """What a step of the program cost on average, once it is done: see worker.cost."""

    async def run(self, job: Job, relay: Callable[[int, bytes], None], report: Callable[[int, int], None]) -> Solved:
        """Send the job, relay engine bytes with `relay(peer, data)`, return the result."""
        reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=1 << 22)
        self._writer.write(frame(JOB, encode_job(job)) + b"".join(self._waiting))
        self._waiting = []
        while (message := await read_frame(reader)) is not None:
            kind, payload = message
            if kind == ENGINE:
                relay(payload[0], payload[1:])
            elif kind == PROGRESS:
                step, steps = json.loads(payload)
                report(step, steps)
            elif kind == RESULT:
                tree = json.loads(payload)
                self.cost = tree["cost"]
                opened = {label: [int(b, 16) for b in values] for label, values in tree["opened"].items()}
                return Solved(opened, [Opening(*entry) for entry in tree["ledger"]])
            elif kind == ERROR:
                raise _error(json.loads(payload))
        raise MachineFault("the engine process ended before its result; look at the node's log and free memory")

    def feed(self, peer: int, data: bytes) -> None:
        """A signed frame from a peer; kept until the job has been sent."""
        message = frame(ENGINE, bytes([peer]) + data)
        if self._writer is None:
            self._waiting.append(message)
        else:
            self._writer.write(message)

    async def drained(self) -> None:
        """Wait until the engine has read most of what it was fed."""
        if self._writer is not None:
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()

    def close(self) -> None:
        """End the process."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def _error(tree: dict[str, str]) -> Exception:
    if tree["kind"] == "bug":
        return EngineBug(f"{tree['message']} at\n{tree['places']}")
    if "frame" in tree:
        return RefusedFrame(tree["message"], bytes.fromhex(tree["frame"]))
    families: dict[int, type[TacitaError]] = {3: PeerFault, 4: MachineFault}
    return families.get(int(tree["code"]), TacitaError)(tree["message"])
