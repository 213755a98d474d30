"""Frames between nodes: one gRPC stream per pair over mutual TLS, with caps on every buffer.

The node that comes first in the roster dials. The peer's name is the one in its certificate; a stream of a name
that is not in the roster, or a second stream of the same name, is refused. A broken stream ends the sessions that
run over it and is dialled again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from tacita.node.config import Loaded
from tacita.node.limits import FRAMES_AT_ONCE, FRAMES_PER_SECOND, Budget, Refusals
from tacita.proto import tacita_pb2, tacita_pb2_grpc
from tacita.protocols.faults import MachineFault
from tacita.protocols.introduction import Introduction

log = logging.getLogger("tacita.node")

MAX_DATA = 1 << 20
MAX_FRAME = MAX_DATA + (1 << 16)
MAX_MESSAGE, MAX_ENGINE_FRAME = 64 << 20, 33 << 20
MAX_QUEUE, MAX_QUEUE_BYTES = 4096, 256 << 20
"""Frames and bytes that may wait for a peer that does not read."""
OPTIONS = [
    ("grpc.max_receive_message_length", MAX_FRAME),
    ("grpc.max_send_message_length", MAX_FRAME),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # despite its name, how long TCP and TLS may take to connect
    ("grpc.max_reconnect_backoff_ms", 2_000),
]
INTRODUCTION = "introduction-bin"
"""The header with which a node dials."""
Frame = tacita_pb2.Frame


class Outbox:
    """Frames on their way to one peer."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tacita_pb2.Frame | None] = asyncio.Queue()
        self._bytes = 0

    def put(self, *frames: tacita_pb2.Frame | None) -> bool:
        """Queue frames, or None for the end; False, and none of them is queued, if too much is waiting."""
        size = sum(frame.ByteSize() for frame in frames if frame is not None)
        if size and (self._queue.qsize() + len(frames) > MAX_QUEUE or self._bytes + size > MAX_QUEUE_BYTES):
            return False
        self._bytes += size
        for frame in frames:
            self._queue.put_nowait(frame)
        return True

    async def get(self) -> tacita_pb2.Frame | None:
        """The next frame."""
        frame = await self._queue.get()
        self._bytes -= frame.ByteSize() if frame is not None else 0
        return frame


class _Pieces:
    """One message after another, put together from pieces of one stream."""

    def __init__(self, limit: int) -> None:
        self._limit, self._parts, self._size = limit, list[bytes](), 0

    def add(self, data: bytes, last: bool) -> bytes | None:
        """The whole message, when this was its last piece."""
        self._parts.append(data)
        self._size += len(data)
        if not last or self.too_long:
            return None
        whole = b"".join(self._parts)
        self._parts, self._size = [], 0
        return whole

    @property
    def too_long(self) -> bool:
        """True if more waits than any honest node sends: too many bytes, or too many pieces."""
        return self._size > self._limit or len(self._parts) > self._limit // MAX_DATA + 64


def _parts(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """(at most 1 MiB, whether it is the last of them)."""
    for start in range(0, len(data), MAX_DATA):
        yield data[start : start + MAX_DATA], start + MAX_DATA >= len(data)


class PeerLink:
    """The stream to one peer, when there is one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: Outbox | None = None
        self.up = asyncio.Event()
        self.frames = Budget(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        """Outlives the stream: who is cut off for sending too much does not start afresh by dialling again."""

    def send(self, *frames: tacita_pb2.Frame) -> None:
        """Queue frames; raises MachineFault without a connection or if the peer does not read.

        Of a message all pieces leave or none: the next one would be taken for the rest of it.
        """
        if self.queue is None:
            raise MachineFault(f"there is no connection to {self.name}; check that it runs and is reachable")
        if not self.queue.put(*frames):
            raise MachineFault(f"{self.name} does not read what it is sent; check that machine")


class Transport:
    """All peer streams of a node."""

    def __init__(
        self,
        loaded: Loaded,
        on_message: Callable[[str, bytes], None],
        on_engine: Callable[[str, bytes, bytes], Awaitable[None]],
        on_loss: Callable[[str], None],
        on_probe: Callable[[str, tacita_pb2.Probe], None] = lambda *_: None,
    ) -> None:
        self._loaded, self._on_message, self._on_engine, self._on_loss = loaded, on_message, on_engine, on_loss
        self._on_probe = on_probe
        self.me = loaded.identity.name
        self.refusals = Refusals()
        names = loaded.roster.names
        self.links = {name: PeerLink(name) for name in names if name != self.me}
        self._dials = list(names[names.index(self.me) + 1 :])
        self._tasks: list[asyncio.Task[None]] = []

    # ---- outgoing ---------------------------------------------------------------------------------------------

    async def send(self, receiver: str, data: bytes) -> None:
        """One signed message, in pieces of at most 1 MiB."""
        pieces = (tacita_pb2.Piece(data=part, last=last) for part, last in _parts(data))
        self.links[receiver].send(*(Frame(piece=piece) for piece in pieces))

    def send_engine(self, receiver: str, session: bytes, data: bytes) -> None:
        """One signed engine frame, in pieces of at most 1 MiB."""
        pieces = (tacita_pb2.EngineData(session=session, data=part, last=last) for part, last in _parts(data))
        self.links[receiver].send(*(Frame(engine=piece) for piece in pieces))

    def send_probe(self, receiver: str, probe: tacita_pb2.Probe) -> None:
        """A question or an answer; see node/probes.py."""
        self.links[receiver].send(Frame(probe=probe))

    # ---- connections ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Dial the peers that come later in the roster, again and again."""
        self._tasks = [asyncio.ensure_future(self._dial(name)) for name in self._dials]

    async def stop(self) -> None:
        """End all streams."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dial(self, name: str) -> None:
        tls, nodes = self._loaded.tls, self._loaded.roster
        address = nodes.nodes[nodes.index(name)].address
        credentials = grpc.ssl_channel_credentials(tls.authority, tls.own.key, tls.own.certificate)
        options: list[tuple[str, Any]] = [*OPTIONS, ("grpc.ssl_target_name_override", name)]
        introduction = Introduction(self.me, self.me).sign(self._loaded.identity.signing)
        pause = 0.05
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
                    call = tacita_pb2_grpc.PeerStub(channel).Connect(metadata=((INTRODUCTION, introduction),))
                    # The connection stands when the peer accepts the stream, not when our request has left.
                    if dict(await call.initial_metadata() or ()).get("node") == name:
                        pause = 0.05
                        await self._client(name, call)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _client(self, name: str, call: Any) -> None:
        queue = self._connected(name)

        async def write() -> None:
            while (frame := await queue.get()) is not None:
                await call.write(frame)

        writer = asyncio.ensure_future(write())
        try:
            await self._read(name, call)
        finally:
            writer.cancel()
            call.cancel()
            self._lost(name)

    async def serve(self, name: str, frames: AsyncIterator[tacita_pb2.Frame]) -> AsyncIterator[tacita_pb2.Frame]:
        """The accepting end of a stream whose peer's certificate says `name`."""
        queue = self._connected(name)
        reader = asyncio.ensure_future(self._read(name, frames))
        reader.add_done_callback(lambda _: queue.put(None))
        try:
            while (frame := await queue.get()) is not None:
                yield frame
        finally:
            reader.cancel()
            self._lost(name)

    def accepts(self, name: str) -> bool:
        """True if this peer is expected to dial in and has no stream yet."""
        return name in self.links and name not in self._dials and self.links[name].queue is None

    def _connected(self, name: str) -> Outbox:
        link = self.links[name]
        link.queue = Outbox()
        link.up.set()
        log.info("a stream with %s begins", name)
        return link.queue

    def _lost(self, name: str) -> None:
        link = self.links[name]
        link.queue = None
        link.up.clear()
        # gRPC itself ends a stream with a frame above the limit, and does not tell us why.
        log.info("the stream with %s ended", name)
        self._on_loss(name)

    # ---- incoming ---------------------------------------------------------------------------------------------

    async def _read(self, name: str, frames: AsyncIterator[tacita_pb2.Frame]) -> None:
        """Take frames until the stream ends or its peer breaks a limit that no honest node comes near."""
        message, engine = _Pieces(MAX_MESSAGE), _Pieces(MAX_ENGINE_FRAME)
        budget = self.links[name].frames
        try:
            async for frame in frames:
                if not budget.take():
                    self.refusals.note(name, "too many frames per second")
                    return
                if frame.WhichOneof("body") == "probe":
                    self._on_probe(name, frame.probe)
                    continue
                if frame.WhichOneof("body") == "engine":
                    if (whole := engine.add(frame.engine.data, frame.engine.last)) is not None:
                        # The engine's pace is the peer's: while it does not read, neither do we.
                        await self._on_engine(name, frame.engine.session, whole)
                elif (whole := message.add(frame.piece.data, frame.piece.last)) is not None:
                    self._on_message(name, whole)
                if message.too_long or engine.too_long:
                    self.refusals.note(name, "a message above 64 MiB" if message.too_long else "a frame above 33 MiB")
                    return
        except DecodeError:
            self.refusals.note(name, "bytes that are no frame")
        except grpc.aio.AioRpcError as error:
            log.info("the stream of %s broke (%s)", name, error.code().name)
