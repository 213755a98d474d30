"""What node and engine process tell one another over their socket pair; the process is a task here."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from tacita.crypto.signature import SigningKey
from tacita.node import worker
from tacita.node.solver import EngineBug, Worker
from tacita.protocols.faults import RefusedFrame
from tacita.protocols.mpc.frames import HEAD, EngineFrame
from tacita.protocols.mpc.sharing import EngineKeys
from tacita.protocols.party import Job

JOB = Job(
    session=b"s" * 32, terms={}, patterns={}, order=(), nodes=("node1", "node2", "node3"), index=0, threshold=1,
    keys=EngineKeys({}, {}), inputs={}, masks={},
)  # fmt: skip
SECRET = "the value of a share"


def run(monkeypatch: pytest.MonkeyPatch, program: Any, *frames: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    """Run the job with this program of a runtime, feed {peer: frame}; returns what is relayed."""
    relayed = list[tuple[int, bytes]]()

    def prepare(job: Job, runtime: Any) -> tuple[Any, Any]:
        return SimpleNamespace(opened={}, ledger=[]), lambda engine, report: program(runtime)

    async def go() -> None:
        ours, theirs = socket.socketpair()
        node = object.__new__(Worker)
        node._socket, node._writer, node._waiting, node.cost = ours, None, [], {}  # type: ignore[assignment]
        served = asyncio.ensure_future(worker.serve(theirs))
        for peer, data in frames:
            node.feed(peer, data)
        try:
            await node.run(JOB, lambda peer, data: relayed.append((peer, data)), lambda step, steps: None)
        finally:
            await served
            assert node._writer is not None
            node._writer.close()

    monkeypatch.setattr(worker, "prepare", prepare)
    asyncio.run(go())
    return relayed


async def listens(runtime: Any) -> None:
    runtime.step()
    assert await runtime.exchange({1: b"mine"}, {1: 5}, bytes) == {1: b"first"}


def signed(data: bytes, **changes: Any) -> bytes:
    return EngineFrame(
        **{"session": JOB.session, "sender": "node2", "receiver": "node1", "data": data, **changes}
    ).sign(SigningKey(bytes(32)))


FIRST = HEAD.pack(1, 5) + b"first"


def test_messages_pass_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, listens, (1, signed(FIRST))) == [(1, HEAD.pack(1, 4) + b"mine")]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (signed(FIRST[:-1]), "cut short"),
        (signed(HEAD.pack(1, 4) + b"four"), "wrong length"),
        (signed(FIRST + FIRST), "no program sends"),
        (signed(FIRST, session=bytes(32)), "no session"),
        (b"", "no session"),
    ],
    ids=["cut short", "another length", "twice", "another session", "empty"],
)
def test_a_refused_frame_comes_back_to_the_node_as_it_was(
    monkeypatch: pytest.MonkeyPatch, frame: bytes, reason: str
) -> None:
    """The node shows it to the judge."""
    with pytest.raises(RefusedFrame, match=reason) as refused:
        run(monkeypatch, listens, (1, frame))
    assert refused.value.frame == frame and str(refused.value).count("the session ends") == 1


def test_a_bug_of_the_engine_tells_the_place_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(runtime: Any) -> None:
        raise ValueError(SECRET)

    with pytest.raises(EngineBug, match=r"(?s)ValueError at\n.* in fails") as bug:
        run(monkeypatch, fails)
    assert SECRET not in str(bug.value)
