"""Whoever is not the expected peer is refused, is named if it has a name, and harms no later session.

Nodes 2 and 3 run; node 1, which dials both of them, is played by the test (A38, A39 of the attack catalogue).
"""

import asyncio
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from tacita.crypto.signature import SigningKey
from tacita.deploy.attack import intruder
from tacita.deploy.attack.intruder import ACCEPTED, Caller, Impostor
from tacita.node.config import Folder, Tls
from tacita.node.identity import Pair, issue, make_authority
from tacita.proto.tacita_pb2 import EngineData, Frame, Piece
from tacita.protocols.evidence import to_file
from tacita.protocols.faults import Evidence
from tacita.protocols.introduction import Introduction
from tacita.protocols.judge import judge
from tests.integration import samples
from tests.integration.injection import inject
from tests.integration.running import Running, outcome, succeeded, wait_for

pytestmark = pytest.mark.cluster

AUTHORITY, OTHER = make_authority("intruders"), make_authority("intruders")


@pytest.fixture(scope="module")
def guarded(idle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nodes 2 and 3 of a copy of `idle`, with certificates of an authority whose key the tests have."""
    folder = Path(shutil.copytree(idle, tmp_path_factory.mktemp("guarded") / "cluster"))
    # A client in Python is slower than the real limit.
    slower = inject(
        folder / "patch", "tacita.node.limits", "module.FRAMES_PER_SECOND, module.FRAMES_AT_ONCE = 300, 900"
    )
    cluster = Running(folder, {"node3": slower})
    for name in cluster.names:
        tls = Tls(AUTHORITY.certificate, issue(AUTHORITY, name), issue(AUTHORITY, f"operator.{name}"))
        Folder(cluster.data(name)).save_tls(tls)
    try:
        cluster.start(["node2", "node3"])
        yield cluster
    finally:
        cluster.stop()


def address(cluster: Running, name: str) -> str:
    return next(node.address for node in cluster.manifest.nodes if node.name == name)


def log(cluster: Running, name: str) -> str:
    return (cluster.data(name) / "node.log").read_text()


def caller(cluster: Running, pair: Pair | None, certified: str = "node1", claimed: str = "") -> Caller:
    """Who shows this certificate and introduces itself, signed as the node that it is if it is one."""
    nodes = cluster.names
    key = Folder(cluster.data(certified)).identity().signing if certified in nodes else SigningKey(bytes(32))
    return Caller(AUTHORITY.certificate, pair, Introduction(certified, claimed or certified).sign(key))


def node1(cluster: Running) -> Caller:
    return caller(cluster, Folder(cluster.data("node1")).tls().own)


def knock(cluster: Running, who: Caller, target: str = "node2") -> str:
    where = address(cluster, target)
    return str(intruder.with_channel(who, where, target, lambda channel: intruder.knock(channel, who.metadata)))


def unharmed(cluster: Running) -> None:
    """Both nodes answer, as the processes that were started, and node 1's place is free."""
    for name in ("node2", "node3"):
        wait_for(lambda name=name: not cluster.connected(name, "node1"))  # type: ignore[misc]
        status = cluster.ask(name)
        assert status.process == cluster.processes[name].pid and status.sessions == 0
    assert cluster.connected("node2", "node3")


def test_the_expected_peer_is_accepted(guarded: Running) -> None:
    """The control of every refusal below."""
    assert knock(guarded, node1(guarded)) == ACCEPTED
    unharmed(guarded)


STRANGERS: dict[str, Callable[[], Pair | None]] = {
    "no certificate": lambda: None,
    "another authority": lambda: issue(OTHER, "node1"),
    "signed by itself": lambda: make_authority("node1"),
    "expired": lambda: intruder.dated(AUTHORITY, "node1", -10, -1),
    "not yet valid": lambda: intruder.dated(AUTHORITY, "node1", 1, 10),
}


@pytest.mark.parametrize("what", STRANGERS)
def test_a_certificate_that_is_not_ours_ends_in_the_handshake(guarded: Running, what: str) -> None:
    pair = STRANGERS[what]()
    assert knock(guarded, caller(guarded, pair)) == "UNAVAILABLE"
    for method in ("Status", "Run"):
        assert intruder.control(caller(guarded, pair), address(guarded, "node2"), "node2", method) == "UNAVAILABLE"
    unharmed(guarded)


def test_a_dated_certificate_that_is_valid_now_is_accepted(guarded: Running) -> None:
    """The control: it is the dates that were refused."""
    assert knock(guarded, caller(guarded, intruder.dated(AUTHORITY, "node1", -1, 1))) == ACCEPTED


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", secrets.token_bytes(4096), b""]
)
def test_plain_text_gets_no_answer(guarded: Running, data: bytes) -> None:
    host, _, port = address(guarded, "node2").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := client.recv(4096):
                answer += part
        except ConnectionError:
            pass
    assert b"HTTP" not in answer and len(answer) < 64, "at most a TLS alert"
    unharmed(guarded)


def test_grpc_without_tls_is_refused(guarded: Running) -> None:
    async def go() -> str:
        async with grpc.aio.insecure_channel(address(guarded, "node2")) as channel:
            return await intruder.knock(channel, node1(guarded).metadata)

    assert asyncio.run(go()) == "UNAVAILABLE"
    unharmed(guarded)


NAMES: dict[str, tuple[str, str]] = {
    "node 3 says it is node 1": ("node3", "node1"),
    "node 1 says it is node 3": ("node1", "node3"),
    "node 3, which this node dials": ("node3", "node3"),
    "the node itself": ("node2", "node2"),
    "its operator": ("operator.node2", "operator.node2"),
    "not in the roster": ("mallory", "mallory"),
    "another spelling": ("NODE1", "node1"),
}


@pytest.mark.parametrize("what", NAMES)
def test_a_certificate_of_ours_opens_one_place_only(guarded: Running, what: str) -> None:
    name, claimed = NAMES[what]
    assert knock(guarded, caller(guarded, issue(AUTHORITY, name), name, claimed)) == "PERMISSION_DENIED"
    assert f"refused '{name}'" in log(guarded, "node2"), "the log names it"
    unharmed(guarded)


@pytest.mark.parametrize("name", ["node1", "node3"])
def test_a_node_that_introduces_itself_under_another_name_is_convicted(guarded: Running, name: str) -> None:
    """`tacita judge` names it from the file that the log points to; without a signature of its own there is none."""
    claimed = "node3" if name == "node1" else "node1"
    lies = caller(guarded, issue(AUTHORITY, name), name, claimed)
    for introduction in (None, b"", b"?" * 100, caller(guarded, None, claimed).introduction):
        assert knock(guarded, replace(lies, introduction=introduction)) == "PERMISSION_DENIED"
    kept = guarded.data("node2") / "refused" / f"{name}.json"
    kept.unlink(missing_ok=True)
    assert knock(guarded, lies) == "PERMISSION_DENIED"
    assert f"refused/{name}.json" in log(guarded, "node2")
    roster = Folder(guarded.data("node2")).roster()
    verdict = judge(kept.read_bytes(), roster)
    assert (verdict.culprit, verdict.fault, verdict.rests_on) == (name, "ProtocolFault", "signature"), verdict
    honest = to_file(Evidence("introduction", (node1(guarded).introduction or b"",)), roster)
    assert not judge(honest, roster).convicts
    unharmed(guarded)


@pytest.mark.parametrize("method", ["Status", "Run"])
@pytest.mark.parametrize("who", ["a node", "the operator of another node", "another certificate of the operator"])
def test_only_the_pinned_operator_steers_a_node(guarded: Running, who: str, method: str) -> None:
    pairs = {
        "a node": Folder(guarded.data("node1")).tls().own,
        "the operator of another node": Folder(guarded.data("node1")).tls().operator,
        "another certificate of the operator": issue(AUTHORITY, "operator.node2"),
    }
    assert (
        intruder.control(caller(guarded, pairs[who]), address(guarded, "node2"), "node2", method) == "PERMISSION_DENIED"
    )
    assert "only this node's operator may do this" in log(guarded, "node2")
    unharmed(guarded)


def test_a_second_stream_of_one_name_is_refused_and_the_first_one_stays(guarded: Running) -> None:
    me = node1(guarded)

    async def go() -> None:
        async with me.channel(address(guarded, "node2"), "node2") as channel:
            first = intruder.connect(channel)(metadata=me.metadata, timeout=60)
            assert dict(await first.initial_metadata())["node"] == "node2"
            more = await asyncio.gather(*(intruder.knock(channel, me.metadata) for _ in range(200)))
            # Beyond 64 at once gRPC refuses by itself.
            assert ACCEPTED not in more and set(more) <= {"PERMISSION_DENIED", "UNAVAILABLE"}
            async with me.channel(address(guarded, "node2"), "node2") as other:
                assert await intruder.knock(other, me.metadata) == "PERMISSION_DENIED"
            assert not first.done()
            first.cancel()

    asyncio.run(go())
    assert "refused 'node1': a stream that is not expected" in log(guarded, "node2")
    unharmed(guarded)


def piece(size: int, last: bool = True) -> bytes:
    return bytes(Frame(piece=Piece(data=secrets.token_bytes(size), last=last)).SerializeToString())


def engine(size: int) -> bytes:
    part = EngineData(session=secrets.token_bytes(32), data=bytes(size), last=True)
    return bytes(Frame(engine=part).SerializeToString())


FLOODS: dict[str, tuple[Callable[[], Any], str]] = {
    "a frame above 1 MiB": (lambda: [piece((1 << 20) + (1 << 17))], "stream with node1 ended"),
    "a frame of 64 MiB": (lambda: [piece(64 << 20)], "stream with node1 ended"),
    "bytes that are no frame": (lambda: [b"\xff" * 100], "bytes that are no frame"),
    "a message without end": (lambda: (piece(1 << 20, last=False) for _ in range(80)), "a message above 64 MiB"),
    "engine data for no session": (lambda: (engine(1 << 19) for _ in range(200)), "too much engine data"),
    "messages for no session": (lambda: (piece(1 << 19) for _ in range(40)), "too many messages"),
    # The last one, because it uses up what node 3 grants to node 1.
    "many small frames": (lambda: (piece(0) for _ in range(1 << 30)), "too many frames per second"),
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_peer_without_manners_is_cut_off_or_ignored_and_named(guarded: Running, what: str) -> None:
    frames, sentence = FLOODS[what]
    me, before = node1(guarded), log(guarded, "node3").count(sentence)

    async def go(channel: Any) -> None:
        work = asyncio.ensure_future(intruder.pour(channel, me.metadata, frames()))
        while not work.done() and log(guarded, "node3").count(sentence) == before:
            await asyncio.sleep(0.05)
        work.cancel()

    intruder.with_channel(me, address(guarded, "node3"), "node3", go)
    lines = [line for line in log(guarded, "node3").splitlines() if sentence in line]
    assert len(lines) > before and "node1" in lines[-1]
    unharmed(guarded)


@pytest.mark.parametrize("kind", ["another authority", "another name", "it refuses"])
def test_a_node_talks_to_nobody_but_the_peer_it_dials(guarded: Running, kind: str) -> None:
    """Somebody sits on node 3's address while it is away."""
    right = Folder(guarded.data("node3")).tls()
    pairs = {
        "another authority": issue(OTHER, "node3"),
        "another name": issue(AUTHORITY, "node1"),
        "it refuses": right.own,
    }
    guarded.stop(["node3"])
    try:

        async def go() -> int:
            tls = replace(right, own=pairs[kind])
            async with Impostor(address(guarded, "node3"), tls, refuse=kind == "it refuses") as server:
                for _ in range(40):
                    assert not await asyncio.to_thread(guarded.connected, "node2", "node3")
                    if server.calls > 1:
                        break
                    await asyncio.sleep(0.05)
                return server.calls

        calls = asyncio.run(go())
        assert (calls > 0) == (kind == "it refuses"), "with the wrong certificate there is never a stream"
    finally:
        guarded.start(["node3"])
        wait_for(lambda: guarded.connected("node2", "node3"))
    unharmed(guarded)


def test_after_everything_an_honest_session_finishes(guarded: Running, tmp_path: Path) -> None:
    """The same processes that were attacked above (or, alone, by one attack of each kind here)."""
    for who in (
        caller(guarded, issue(OTHER, "node1")),
        caller(guarded, issue(AUTHORITY, "mallory"), "mallory", "node1"),
    ):
        assert knock(guarded, who) in ("UNAVAILABLE", "PERMISSION_DENIED")
    me = node1(guarded)
    for frames in ([piece(2 << 20)], [b"\xff" * 100], [engine(1 << 19)] * 200 + [b"\xff"]):

        async def pour(channel: grpc.aio.Channel, frames: list[bytes] = frames) -> str:
            return await intruder.pour(channel, me.metadata, frames)

        intruder.with_channel(me, address(guarded, "node2"), "node2", pour)
    unharmed(guarded)
    processes = {name: process.pid for name, process in guarded.processes.items()}
    guarded.start(["node1"])
    succeeded(guarded.run(samples.TINY.write(tmp_path), tmp_path / "out"))
    assert outcome(tmp_path / "out")["allocation"]["alice"] == [2]
    assert {name: guarded.ask(name).process for name in processes} == processes
