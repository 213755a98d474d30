"""What comes over a connection: envelopes, frames, evidence, engine bytes. See decoders.py."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache

from gmpy2 import mpz

from tacita.crypto.encoding import Reader
from tacita.crypto.signature import SigningKey
from tacita.node.limits import Refusals
from tacita.node.probes import Probes
from tacita.node.solver import Worker
from tacita.node.transport import PeerLink, Transport
from tacita.node.worker import JOB, frame, listen, receiver
from tacita.proto.tacita_pb2 import EngineData, Frame, Piece, Probe
from tacita.protocols import evidence as files
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import ABORT, Envelope, convicted, open_signed, sign
from tacita.protocols.faults import Evidence
from tacita.protocols.introduction import Introduction, introduced
from tacita.protocols.mpc.frames import HEAD, EngineFrame, check_contents
from tacita.protocols.mpc.runtime import SessionRuntime, _Exchanger
from tacita.protocols.mpc.sharing import EngineKeys, Sharing
from tacita.protocols.party import Job
from tests.fuzz.corpus import session
from tests.fuzz.decoder import JSON_BOMBS, Decoder

LOOP = asyncio.new_event_loop()


class _Silence:
    async def send(self, receiver: str, data: bytes) -> None:
        """Nothing."""


def _deliver(data: bytes) -> None:
    """One message from the transport; what is wrong with it ends the channel and never leaves `deliver`."""

    async def go() -> None:
        made = session()
        label = Envelope.decode(made.signed[0][64:]).session
        key = made.cluster.identities["node1"]
        channel = Channel(made.reading.roster, "node1", key, _Silence(), label, 1.0, b"a root")
        for other in made.signed[:4]:
            channel.deliver("node2", other)
        channel.deliver("node2", data)

    LOOP.run_until_complete(go())


def _aborted(data: bytes) -> None:
    """An abort with this payload, properly signed."""
    label = Envelope.decode(session().signed[0][64:]).session
    envelope = Envelope(label, ABORT, "node2", "*", 1, data[: 1 << 16])
    _deliver(sign(envelope, session().cluster.identities["node2"]))


def _equivocation() -> Evidence:
    made = session()
    first = Envelope.decode(made.signed[40][64:])
    other = Envelope(first.session, first.round, first.sender, first.receiver, first.sequence, b"other")
    return Evidence("equivocation", (made.signed[40], sign(other, made.cluster.identities[first.sender])))


def _evidence_seeds() -> Sequence[bytes]:
    short = session().record
    short = Evidence(short.check, short.signed[:12], short.context)
    return [files.encode(e, session().reading.roster) for e in (_equivocation(), short)]


def evidence_files() -> Sequence[bytes]:
    return [files.to_file(e, session().reading.roster) for e in (_equivocation(), session().record)]


def _contradiction(data: bytes) -> object:
    reader = Reader(data, "two messages")
    pair = reader.blob(1 << 20), reader.blob(1 << 20)
    return convicted(Evidence("equivocation", pair), session().reading.roster)


def _contradiction_seeds() -> Sequence[bytes]:
    return [b"".join(len(m).to_bytes(4, "big") + m for m in _equivocation().signed)]


def _transport() -> Transport:
    transport = object.__new__(Transport)
    transport.refusals, transport.links = Refusals(), {"node2": PeerLink("node2")}

    async def engine(peer: str, label: bytes, data: bytes) -> None: ...

    transport._on_message = lambda peer, data: None
    transport._on_engine = engine
    transport._on_probe = Probes(transport.send_probe, Probe, float).receive
    return transport


@lru_cache(maxsize=1)
def _one_transport() -> Transport:
    return _transport()


def _frames(data: bytes) -> None:
    """What gRPC hands to the node for the bytes of one message, up to the node's own handling of it."""

    async def stream() -> AsyncIterator[Frame]:
        yield Frame.FromString(data)

    transport = _one_transport()
    transport.links["node2"] = PeerLink("node2")
    LOOP.run_until_complete(transport._read("node2", stream()))


def _probe(answer: bool) -> bytes:
    about = Probe(version="1.0", key=bytes(32), epoch=1, clock=1.7e9, number=1, answer=answer)
    return Frame(probe=about).SerializeToString()


def _frame_seeds() -> Sequence[bytes]:
    piece, part = Piece(data=session().signed[0], last=True), EngineData(session=bytes(32), data=session().engine[0])
    return [
        Frame(piece=piece).SerializeToString(),
        Frame(engine=part).SerializeToString(),
        _probe(True),
        _probe(False),
        b"",
    ]


@lru_cache(maxsize=1)
def _runtime() -> SessionRuntime:
    async def make() -> SessionRuntime:
        return SessionRuntime(0, 3, 1, {})

    return LOOP.run_until_complete(make())


def _engine_bytes(data: bytes) -> None:
    exchanger = _Exchanger(_runtime(), 1)
    exchanger.buffers[5] = LOOP.create_future()
    exchanger.data_received(data)


JOB_AT_NODE1 = Job(
    session=bytes(32), terms={}, patterns={}, order=(), nodes=("node1", "node2", "node3"), index=0, threshold=1,
    keys=EngineKeys({}, {}), inputs={}, masks={},
)  # fmt: skip


def _relayed(data: bytes) -> None:
    """A peer's frame as the node hands it to its engine's process, and as that process takes it apart."""

    async def go() -> None:
        runtime, reader = SessionRuntime(0, 3, 1, {}), asyncio.StreamReader()
        runtime.parties[1].protocol = _Exchanger(runtime, 1)
        worker = object.__new__(Worker)
        worker._writer, worker._waiting = None, []
        worker.feed(1, data)
        reader.feed_data(b"".join(worker._waiting))
        reader.feed_eof()
        await listen(reader, {1: receiver(JOB_AT_NODE1, runtime, 1)})

    LOOP.run_until_complete(go())


def _judged_frame(data: bytes) -> None:
    """As the judge reads a frame that convicts its sender."""
    check_contents(EngineFrame.decode(data).data, session().reading.setup.demand.prime)


def _key_of(name: str) -> SigningKey:
    return session().cluster.identities[name]


def _frames_signed() -> Sequence[bytes]:
    return [EngineFrame(bytes(32), "node2", "node1", data).sign(_key_of("node2")) for data in _engine_seeds()]


def _engine_seeds() -> Sequence[bytes]:
    stream = b"".join(HEAD.pack(step, 20) + bytes([step]) * 20 for step in range(1, 9))
    return [*session().engine[:5], stream]


@lru_cache(maxsize=1)
def _sharing() -> Sharing:
    keys = EngineKeys({(0, 1): bytes(32), (0, 2): bytes(32)}, {1: bytes(32), 2: bytes(32)})
    return Sharing(_runtime(), session().reading.setup.demand, keys)


WIRE = [
    Decoder("wire/envelope", lambda: [d[64:] for d in session().signed[::9]], Envelope.decode, [bytes(1 << 20)]),
    Decoder(
        "wire/signed message", lambda: session().signed[::9], lambda d: open_signed(d, session().reading.roster),
        [bytes(1 << 20)],
    ),
    Decoder("wire/delivery", lambda: session().signed[::9], _deliver),
    Decoder("wire/evidence in an abort", _evidence_seeds, _aborted, JSON_BOMBS),
    Decoder("wire/evidence", _evidence_seeds, lambda d: files.decode(d, session().reading.roster), [bytes(1 << 20)]),
    Decoder(
        "wire/introduction", lambda: [Introduction("node2", n).sign(_key_of("node2")) for n in ("node2", "x" * 64)],
        lambda d: introduced(d, "node2", session().reading.roster),
    ),
    Decoder("wire/two messages that convict", _contradiction_seeds, _contradiction),
    Decoder(
        "wire/frame", _frame_seeds, _frames,
        [b"\x0a\x00" * (1 << 19), b"\x12\x00\x0a\x00" * (1 << 18), b"\x0b" * 500],
    ),
    Decoder(
        "engine/stream", _engine_seeds, _engine_bytes,
        [HEAD.pack(-1, 0), HEAD.pack(1 << 62, (1 << 32) - 1), b"".join(HEAD.pack(s, 0) for s in range(1, 5000))],
    ),
    Decoder("engine/worker", _frames_signed, _relayed, [b"", b"\x00" * 4096, frame(JOB, b"{}")], inputs=1000),
    Decoder(
        "engine/frame", _frames_signed, _judged_frame,
        [EngineFrame(bytes(32), "", "", b"".join(HEAD.pack(s, 0) for s in range(1, 5000))).sign(SigningKey(bytes(32)))],
    ),
    Decoder("engine/vector", lambda: [_sharing().encode([mpz(5)] * 9)], lambda d: _sharing().decode(d)),
]  # fmt: skip
