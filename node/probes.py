"""Asking the peers, over the streams that sessions use, whether they answer and what they are."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tacita.proto import tacita_pb2
from tacita.protocols.faults import MachineFault

Probe = tacita_pb2.Probe
MAX_VERSION, KEY_ID_BYTES = 64, 32


@dataclass(frozen=True)
class Answer:
    """What one peer answered."""

    round_trip: float
    """Seconds."""
    clock_ahead: float
    """By how many seconds the peer's clock is ahead of ours, up to half a round trip."""
    version: str
    key: bytes
    """Identifier of the key that it uses; empty if it has none."""
    epoch: int


def well_formed(probe: Probe) -> bool:
    """An answer goes to the operator's screen: nothing endless, infinite or unprintable."""
    words = len(probe.version) <= MAX_VERSION and probe.version.isprintable()
    return words and len(probe.key) in (0, KEY_ID_BYTES) and math.isfinite(probe.clock)


class Probes:
    """Questions on their way, and the answers to other nodes' questions.

    Args:
        send: (peer, probe) → None; raises MachineFault without a connection.
        about: this node's version, key and epoch, as an answer without number and clock.
        clock: seconds since 1970.
    """

    def __init__(
        self, send: Callable[[str, Probe], None], about: Callable[[], Probe], clock: Callable[[], float]
    ) -> None:
        self._send, self._about, self._clock = send, about, clock
        self._number = 0
        self._asked: dict[int, tuple[str, float, asyncio.Future[Answer]]] = {}

    async def ask(self, peers: Iterable[str], seconds: float) -> dict[str, Answer]:
        """The answers that arrive in time."""
        waiting: dict[str, asyncio.Future[Answer]] = {}
        first = self._number + 1
        for peer in peers:
            self._number += 1
            answer = asyncio.get_running_loop().create_future()
            self._asked[self._number] = (peer, self._clock(), answer)
            with contextlib.suppress(MachineFault):
                self._send(peer, Probe(number=self._number))
                waiting[peer] = answer
        if waiting:
            await asyncio.wait(waiting.values(), timeout=seconds)
        for number in range(first, self._number + 1):
            self._asked.pop(number, None)
        return {peer: answer.result() for peer, answer in waiting.items() if answer.done()}

    def receive(self, peer: str, probe: Probe) -> None:
        """A question is answered at once; an answer counts only from the peer that was asked."""
        if not probe.answer:
            reply = self._about()
            reply.number, reply.answer, reply.clock = probe.number, True, self._clock()
            with contextlib.suppress(MachineFault):
                self._send(peer, reply)
            return
        name, sent, answer = self._asked.get(probe.number, ("", 0.0, None))
        if answer is None or name != peer or answer.done() or not well_formed(probe):
            return
        now = self._clock()
        ahead = probe.clock - (sent + now) / 2
        answer.set_result(Answer(now - sent, ahead, probe.version, probe.key, probe.epoch))
