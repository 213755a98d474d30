"""MPyC inside a Tacita node: its runtime and message exchange, without its sockets, options and pickles.

MPyC supplies the program-counter labelled message exchange, the field arithmetic helpers and the coefficients of
Shamir and replicated secret sharing. What stock MPyC does at import and start is undone here: it parses sys.argv
twice, configures logging, installs an event-loop exception handler, opens sockets that believe a two-byte
self-declared party id, and unpickles what peers send in `transfer` and `shutdown`. None of those paths is
reachable from here: peers are identified by the node, keys come from the session, messages are plain bytes with a
length the receiver states.
"""

import asyncio
import logging
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, Protocol

from tacita.protocols.faults import MachineFault


def _import_mpyc() -> tuple[Any, Any]:
    arguments, handlers, level = sys.argv, logging.root.handlers[:], logging.root.level
    os.environ["MPYC_NOUVLOOP"] = "1"
    sys.argv = arguments[:1]
    try:
        import mpyc.asyncoro
        import mpyc.runtime
    finally:
        sys.argv = arguments
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    return mpyc.runtime, mpyc.asyncoro


_runtime, _asyncoro = _import_mpyc()

HEADER = 12
"""Bytes in front of a message: its step and its length."""
MAX_MESSAGE = 64 << 20
"""Bytes of one engine message: a peer that announces more ends the session."""


class Link(Protocol):
    """One direction to one peer: ordered, authenticated bytes (in the node: frames over gRPC with mutual TLS)."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the peer."""
        ...


class _Transport:
    """What MPyC's MessageExchanger writes to: coalesces the writes of one event-loop turn into one frame."""

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        self._loop, self._link, self._pending = loop, link, bytearray()
        self.sent = 0

    def write(self, data: bytes) -> None:
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending += data

    def _flush(self) -> None:
        data = bytes(self._pending)
        self._pending.clear()
        self.sent += len(data)
        self._link.write(data)


class _Exchanger(_asyncoro.MessageExchanger):  # type: ignore[misc, name-defined]
    """MPyC's message parser for a peer whose identity the transport has established."""

    def data_received(self, data: bytes) -> None:
        """Like MPyC's, but every length is checked before anything is stored, and a step has one message."""
        held = self.bytes
        held += data
        while len(held) >= HEADER:
            step, size = struct.unpack_from("<qI", held)
            if size > MAX_MESSAGE:
                raise MachineFault("a peer announced an engine message above 64 MiB; the session ends")
            if len(held) < HEADER + size:
                break
            payload = bytes(held[HEADER : HEADER + size])
            del held[: HEADER + size]
            expected = self.buffers.pop(step, None)
            if asyncio.isfuture(expected):
                if not expected.done():  # cancelled when this session has ended
                    expected.set_result(payload)
            elif expected is not None or step <= self.runtime._program_counter[0]:
                raise MachineFault("a peer sent a second engine message for one step; the session ends")
            else:
                self.buffers[step] = payload


class SessionRuntime(_runtime.Runtime):  # type: ignore[misc, name-defined]
    """An MPyC runtime for one session of one node, on links that the node supplies."""

    def __init__(self, me: int, parties: int, threshold: int, links: dict[int, Link]) -> None:
        options = _runtime.mpyc._get_arg_parser().parse_args([])
        options.threshold, options.no_log, options.no_async = threshold, True, False
        options.no_prss, options.mix32_64bit = True, True
        loop = asyncio.get_running_loop()
        handler = loop.get_exception_handler()
        super().__init__(me, [_runtime.Party(i) for i in range(parties)], options)
        loop.set_exception_handler(handler)
        self._transports: list[_Transport] = []
        for peer, link in links.items():
            exchanger = _Exchanger(self, peer)
            exchanger.transport = _Transport(loop, link)
            self._transports.append(exchanger.transport)
            self.parties[peer].protocol = exchanger

    def feed(self, peer: int) -> Callable[[bytes], None]:
        """The function to call with every piece of bytes that arrives from `peer`, in order."""
        deliver: Callable[[bytes], None] = self.parties[peer].protocol.data_received
        return deliver

    @property
    def bytes_sent(self) -> int:
        """Engine bytes written to all peers."""
        return sum(transport.sent for transport in self._transports)

    def step(self) -> int:
        """Advance MPyC's program counter: one number per communication step, equal at all nodes."""
        self._program_counter[0] += 1
        return int(self._program_counter[0])

    async def exchange(self, outgoing: dict[int, bytes], incoming: dict[int, int]) -> dict[int, bytes]:
        """Send {peer: bytes} and receive {peer: exact length} under the current program counter."""
        for peer, data in outgoing.items():
            self._send_message(peer, data)
        received = {}
        pending = {peer: self._receive_message(peer) for peer in incoming}
        for peer, message in pending.items():
            data = await message if asyncio.isfuture(message) else message
            if len(data) != incoming[peer]:
                raise MachineFault(f"an engine message of node {peer + 1} has a wrong length; the session ends")
            received[peer] = bytes(data)
        return received
