"""What the transport takes from a peer, and what it keeps for one; no sockets."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tacita.node import transport
from tacita.node.limits import Budget
from tacita.node.transport import MAX_DATA, Frame, Outbox, Transport
from tacita.proto import tacita_pb2
from tacita.protocols.faults import MachineFault

NAMES = ("alice", "bob", "carol")


class Recorder:
    """The node behind the transport."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.engine: list[tuple[str, bytes, bytes]] = []
        self.lost: list[str] = []

    async def on_engine(self, peer: str, session: bytes, data: bytes) -> None:
        self.engine.append((peer, session, data))


def make(me: str = "bob") -> tuple[Transport, Recorder]:
    roster = SimpleNamespace(names=NAMES, index=NAMES.index)
    loaded: Any = SimpleNamespace(identity=SimpleNamespace(name=me), roster=roster)
    recorder = Recorder()
    return Transport(
        loaded, lambda p, d: recorder.messages.append((p, d)), recorder.on_engine, recorder.lost.append
    ), recorder


def piece(data: bytes, last: bool) -> Any:
    return Frame(piece=tacita_pb2.Piece(data=data, last=last))


async def stream(frames: Sequence[Any]) -> AsyncIterator[Any]:
    for frame in frames:
        yield frame


def read(incoming: Sequence[Any], **settings: Any) -> tuple[Transport, Recorder]:
    """Everything that one reader takes from a stream of alice's."""
    wires, recorder = make()
    for name, value in settings.items():
        setattr(wires.links["alice"], name, value)
    asyncio.run(wires._read("alice", stream(incoming)))
    return wires, recorder


def test_messages_are_put_together_and_engine_bytes_pass_between_them() -> None:
    first, second = engine_part(b"e", False), engine_part(b"f", True)
    _, recorder = read([first, piece(b"a", False), second, piece(b"b", True), piece(b"", True)])
    assert recorder.messages == [("alice", b"ab"), ("alice", b"")]
    assert recorder.engine == [("alice", b"s" * 32, b"ef")]


def test_what_is_sent_in_pieces_arrives_whole() -> None:
    wires, _ = make("alice")
    box = wires._connected("bob")
    data = bytes(range(256)) * (MAX_DATA // 100)

    async def carry() -> list[Any]:
        await wires.send("bob", data)
        wires.send_engine("bob", b"s" * 32, data)
        box.put(None)
        frames = []
        while (frame := await box.get()) is not None:
            frames.append(frame)
        return frames

    frames = asyncio.run(carry())
    assert max(frame.ByteSize() for frame in frames) <= transport.MAX_FRAME
    _, recorder = read(frames)
    assert recorder.messages == [("alice", data)]
    assert recorder.engine == [("alice", b"s" * 32, data)]


def engine_part(data: bytes, last: bool) -> Any:
    return Frame(engine=tacita_pb2.EngineData(session=b"s" * 32, data=data, last=last))


@pytest.mark.parametrize("size", [0, 1, 1000])
@pytest.mark.parametrize(
    ("part", "limit", "refusal"),
    [(piece, "MAX_MESSAGE", "a message above 64 MiB"), (engine_part, "MAX_ENGINE_FRAME", "a frame above 33 MiB")],
    ids=["message", "engine"],
)
def test_a_message_without_end_is_cut_off_and_its_sender_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int, part: Any, limit: str, refusal: str
) -> None:
    monkeypatch.setattr(transport, limit, 100_000)
    wires, recorder = read([part(bytes(size), False)] * 1000 + [part(b"", True)])
    assert recorder.messages == [] and recorder.engine == []
    assert wires.refusals._count["alice", refusal] == 1 and "'alice'" in caplog.text


@pytest.mark.parametrize(("part", "limit"), [(piece, "MAX_MESSAGE"), (engine_part, "MAX_ENGINE_FRAME")])
def test_the_limit_is_for_one_message_to_the_byte(monkeypatch: pytest.MonkeyPatch, part: Any, limit: str) -> None:
    monkeypatch.setattr(transport, limit, 100_000)
    fits = [part(bytes(50_000), False), part(bytes(50_000), True)]
    wires, recorder = read([*fits * 3, part(bytes(50_000), False), part(bytes(50_001), True), *fits])
    whole = [data for *_, data in recorder.messages + recorder.engine]
    assert whole == [bytes(100_000)] * 3, "what was delivered does not count, what is too long is not delivered"
    assert sum(wires.refusals._count.values()) == 1


def test_too_many_frames_end_the_stream_and_dialling_again_does_not_help(caplog: pytest.LogCaptureFixture) -> None:
    budget = Budget(rate=10, burst=100, clock=lambda: 0.0)
    wires, recorder = read([piece(b"x", True)] * 500, frames=budget)
    assert len(recorder.messages) == 100 and "'alice': too many frames per second" in caplog.text
    asyncio.run(wires._read("alice", stream([piece(b"x", True)])))
    assert len(recorder.messages) == 100
    asyncio.run(wires._read("carol", stream([piece(b"x", True)])))
    assert recorder.messages[-1] == ("carol", b"x"), "another peer has a budget of its own"


def test_probes_are_handed_on_and_count_against_the_budget() -> None:
    probes: list[tuple[str, Any]] = []
    budget = Budget(rate=10, burst=100, clock=lambda: 0.0)
    wires, recorder = make()
    wires._on_probe = lambda peer, probe: probes.append((peer, probe))
    wires.links["alice"].frames = budget
    asyncio.run(wires._read("alice", stream([Frame(probe=tacita_pb2.Probe(number=n)) for n in range(500)])))
    assert [peer for peer, _ in probes] == ["alice"] * 100 and probes[7][1].number == 7
    assert recorder.messages == []


def test_only_the_peers_that_come_first_dial_in_and_only_once() -> None:
    wires, _ = make("bob")
    assert [wires.accepts(name) for name in ("alice", "bob", "carol", "operator.bob", "", "mallory")] == [
        True, False, False, False, False, False,
    ]  # fmt: skip
    wires._connected("alice")
    assert not wires.accepts("alice"), "one live stream per name"
    wires._lost("alice")
    assert wires.accepts("alice")


def test_a_lost_stream_is_reported_and_a_sender_without_one_gets_a_sentence() -> None:
    wires, recorder = make("bob")
    with pytest.raises(MachineFault, match="no connection to alice"):
        asyncio.run(wires.send("alice", b"x"))

    async def serve() -> None:
        served = wires.serve("alice", stream([piece(b"x", True)]))
        assert [frame async for frame in served] == []

    asyncio.run(serve())
    assert recorder.messages == [("alice", b"x")] and recorder.lost == ["alice"]
    assert wires.links["alice"].queue is None and not wires.links["alice"].up.is_set()


def test_what_waits_for_a_peer_that_does_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    wires, _ = make("bob")
    wires._connected("alice")

    async def flood(data: bytes) -> int:
        for sent in range(100_000):
            try:
                await wires.send("alice", data)
            except MachineFault:
                return sent
        raise AssertionError("nothing stopped it")

    assert asyncio.run(flood(b"x")) == transport.MAX_QUEUE
    wires._lost("alice")
    wires._connected("alice")
    monkeypatch.setattr(transport, "MAX_QUEUE_BYTES", 10 * MAX_DATA)
    assert asyncio.run(flood(bytes(MAX_DATA - 100))) == 9 + 1


@pytest.mark.parametrize("limit", ["MAX_QUEUE", "MAX_QUEUE_BYTES"])
def test_a_message_that_does_not_fit_leaves_no_half_of_it_behind(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """The peer would take the next message of this stream, of another session perhaps, for the rest of it."""
    wires, _ = make("alice")
    box = wires._connected("bob")
    monkeypatch.setattr(transport, limit, {"MAX_QUEUE": 2, "MAX_QUEUE_BYTES": 2 * MAX_DATA + 1000}[limit])

    async def carry() -> list[Any]:
        with pytest.raises(MachineFault, match="does not read"):
            await wires.send("bob", bytes(3 * MAX_DATA))
        with pytest.raises(MachineFault, match="does not read"):
            wires.send_engine("bob", b"s" * 32, bytes(3 * MAX_DATA))
        await wires.send("bob", b"message")
        wires.send_engine("bob", b"t" * 32, b"frame")
        box.put(None)
        frames = []
        while (frame := await box.get()) is not None:
            frames.append(frame)
        return frames

    _, recorder = read(asyncio.run(carry()))
    assert recorder.messages == [("alice", b"message")] and recorder.engine == [("alice", b"t" * 32, b"frame")]


def test_an_outbox_forgets_what_was_taken_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_QUEUE_BYTES", 1000)

    async def pass_through() -> None:
        box = Outbox()
        for _ in range(100):
            assert box.put(piece(bytes(900), True))
            await box.get()
        assert box.put(piece(bytes(900), True)) and not box.put(piece(bytes(900), True))
        assert box.put(None), "the end always fits"

    asyncio.run(pass_through())
