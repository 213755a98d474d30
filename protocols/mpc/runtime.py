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
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from tacita.crypto.errors import InvalidEncoding
from tacita.protocols.faults import MachineFault, RefusedFrame
from tacita.protocols.mpc.frames import messages


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

MAX_WAITING, MESSAGE_COST = 256 << 20, 256
"""Bytes per peer, and on top of each message, that may wait for steps which this node has not reached."""
PATIENCE = 300.0
"""Seconds to wait for one message of a peer: far above what any step computes."""
T = TypeVar("T")


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
    """MPyC's message parser for a peer whose identity the transport has established.

    MPyC's own one stores whatever arrives and breaks at a second message for one step; here both end the session.
    `buffers` holds (content, frame) by step, or the future that waits for it.
    """

    waiting = 0

    def data_received(self, data: bytes, frame: bytes = b"") -> None:
        """Take whole messages; `frame` is what they came in, signature included, and waits with them."""
        who = f"node {self.peer_pid + 1}"
        try:
            for step, content in messages(data):
                place = self.buffers.get(step)
                if asyncio.isfuture(place):
                    del self.buffers[step]
                    place.set_result((content, frame))
                    continue
                self.waiting += _held(content, frame)
                late = step <= self.runtime._program_counter[0]  # what this step expects, it expects since it began
                if late or place is not None or self.waiting > MAX_WAITING:
                    raise RefusedFrame(f"{who} sent engine messages that no program sends", frame)
                self.buffers[step] = (content, frame)
        except InvalidEncoding as error:
            raise RefusedFrame(f"{who} sent bytes that no engine writes: {error}", frame) from None

    def receive(self, pc: int) -> Any:
        place = super().receive(pc)
        if not asyncio.isfuture(place):
            self.waiting -= _held(*place)
        return place


def _held(content: bytes, frame: bytes) -> int:
    return len(content) + len(frame) + MESSAGE_COST


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

    def feed(self, peer: int) -> Callable[..., None]:
        """The function to call with the data of every frame that arrives from `peer`, in order, and with the frame."""
        deliver: Callable[..., None] = self.parties[peer].protocol.data_received
        return deliver

    @property
    def bytes_sent(self) -> int:
        """Engine bytes written to all peers."""
        return sum(transport.sent for transport in self._transports)

    def step(self) -> int:
        """Advance MPyC's program counter: one number per communication step, equal at all nodes."""
        self._program_counter[0] += 1
        return int(self._program_counter[0])

    async def exchange(
        self, outgoing: Mapping[int, bytes], incoming: Mapping[int, int], read: Callable[[bytes], T]
    ) -> dict[int, T]:
        """Send {peer: bytes} and receive {peer: exact length} under the current program counter; `read` each.

        Raises RefusedFrame for another length and for what `read` cannot decode, MachineFault after PATIENCE seconds.
        """
        for peer, data in outgoing.items():
            self._send_message(peer, data)
        received = {}
        pending = {peer: self._receive_message(peer) for peer in incoming}
        for peer, message in pending.items():
            if asyncio.isfuture(message):
                done, _ = await asyncio.wait([message], timeout=PATIENCE)
                if not done:
                    raise MachineFault(
                        f"no engine message of node {peer + 1} came for {PATIENCE:.0f} seconds: it, or another node "
                        "that it waits for, stands still; check that all of them run"
                    )
            content, frame = message.result() if asyncio.isfuture(message) else message
            try:
                if len(content) != incoming[peer]:
                    raise InvalidEncoding("an engine message has a wrong length")
                received[peer] = read(content)
            except InvalidEncoding as error:
                raise RefusedFrame(f"node {peer + 1} sent what no engine writes here: {error}", frame) from None
        return received
