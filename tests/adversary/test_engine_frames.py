"""A20, A42: which engine bytes convict, of whom they do, what an engine takes from its node, and what waits in it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import pytest

from tacita.crypto.errors import CryptoError, InvalidEncoding
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey
from tacita.protocols.faults import Evidence, RefusedFrame
from tacita.protocols.judge import FRAME, MISPLACED, proven
from tacita.protocols.mpc import frames, runtime
from tacita.protocols.mpc.demand import field_prime
from tacita.protocols.mpc.frames import DOMAIN, HEAD, EngineFrame, check_contents
from tacita.protocols.mpc.runtime import SessionRuntime
from tacita.protocols.mpc.sharing import EngineKeys
from tacita.protocols.party import Job
from tests.adversary.indictments import honest_session
from tests.adversary.test_false_evidence import opened

PRIME, WIDTH = field_prime(150), 19
LARGEST, PAST = (PRIME - 1).to_bytes(WIDTH, "little"), PRIME.to_bytes(WIDTH, "little")


def said(step: int, content: bytes) -> bytes:
    return HEAD.pack(step, len(content)) + content


HONEST: Mapping[str, bytes] = {
    "nothing": b"",
    "no elements": said(1, b""),
    "the largest element": said(1, LARGEST),
    "several steps in one go": said(1, LARGEST * 3) + said(2, b"") + said(9, LARGEST),
    "a digest that is no element": said(1, b"\xff" * 32),
}
FALSE: Mapping[str, bytes] = {
    "the prime itself": said(1, PAST),
    "the prime behind elements": said(1, LARGEST * 2 + PAST),
    "the prime in the second message": said(1, LARGEST) + said(2, PAST),
    "a byte less than an element": said(1, bytes(WIDTH - 1)),
    "a byte more than a digest": said(1, bytes(33)),
    "one step twice": said(1, LARGEST) + said(1, LARGEST),
    "an earlier step": said(2, LARGEST) + said(1, LARGEST),
    "step 0": said(0, LARGEST),
    "step -1": said(-1, LARGEST),
    "half a head": said(1, LARGEST) + HEAD.pack(2, 0)[:-1],
    "half a content": said(1, LARGEST)[:-1],
}


@pytest.mark.parametrize("what", HONEST)
def test_what_engines_write_is_accepted(what: str) -> None:
    check_contents(HONEST[what], PRIME)


@pytest.mark.parametrize("what", FALSE)
def test_what_no_engine_writes_is_refused(what: str) -> None:
    with pytest.raises(InvalidEncoding):
        check_contents(FALSE[what], PRIME)


# ---- the judge ------------------------------------------------------------------------------------------------------

BROKEN = said(0, b"")
"""In every field."""


def framed(name: str = "node3", data: bytes = BROKEN, **changes: str | bytes) -> bytes:
    """A frame for node1 in the honest session, or of node1 for node2, signed by the node of this name, or with a key
    that is nobody's."""
    cluster, _, session = honest_session()
    frame = EngineFrame(session.reading.session, name, "node2" if name == "node1" else "node1", data)
    frame = replace(frame, **changes)  # type: ignore[arg-type]
    return frame.sign(cluster.identities.get(name, SigningKey(bytes(32))))


def culprit(shown: bytes, record: tuple[bytes, ...] | None = None) -> str:
    cluster, _, session = honest_session()
    evidence = session.prover.evidence(FRAME, [shown])
    if record is not None:
        evidence = replace(evidence, signed=(*record, shown))
    try:
        return proven(evidence, cluster.roster).culprit
    except CryptoError:
        return ""


def test_a_broken_frame_of_the_session_convicts_who_signed_it() -> None:
    """The control of everything below; and the field is the session's."""
    prime = honest_session()[2].reading.setup.demand.prime
    width = (prime.bit_length() + 7) // 8
    for name in ("node1", "node2", "node3"):
        assert culprit(framed(name)) == name
        assert culprit(framed(name, said(1, prime.to_bytes(width, "little")))) == name
        assert culprit(framed(name, said(1, (prime - 1).to_bytes(width, "little")))) == ""


STRANGE: Mapping[str, tuple[str, Mapping[str, str | bytes]]] = {
    "another session": ("node1", {"session": bytes(32)}),
    "signed by another node": ("node3", {"sender": "node2"}),
    "signed by a stranger": ("mallory", {}),
    "signed by a stranger for a node": ("mallory", {"sender": "node2"}),
    "for the sender itself": ("node3", {"receiver": "node3"}),
    "for a stranger": ("node3", {"receiver": "mallory"}),
    "for everybody": ("node3", {"receiver": "*"}),
}


@pytest.mark.parametrize("what", STRANGE)
def test_a_broken_frame_of_nobody_or_of_no_session_convicts_nobody(what: str) -> None:
    name, changes = STRANGE[what]
    assert culprit(framed(name, **changes)) == ""


def test_a_frame_of_another_session_with_a_larger_field_convicts_no_honest_node() -> None:
    """The same keys sign in both: what is an element there is none here."""
    larger = field_prime(280)
    data = said(1, (larger - 1).to_bytes(36, "little"))
    check_contents(data, larger)
    assert culprit(framed("node1", data, session=b"\1" * 32)) == ""


def test_a_frame_convicts_only_behind_a_whole_record_with_nothing_else() -> None:
    cluster, everything, session = honest_session()
    record, shown = session.prover.evidence().signed, framed()
    assert culprit(shown, record) == "node3"
    gathered = [data for data in record if opened(data).session == opened(record[0]).session]
    assert culprit(shown, tuple(gathered)) == "node3", "the session id stands in the coins"
    assert culprit(shown, tuple(d for d in gathered if not opened(d).round.startswith("coins"))) == ""
    assert culprit(shown, ()) == "" and culprit(shown, (*record, shown)) == ""
    private = next(data for data in everything if opened(data).round == "keys")
    assert culprit(shown, (*record, private)) == "" and culprit(private, record) == ""
    with pytest.raises(CryptoError):
        proven(Evidence(FRAME, (), session.prover.evidence().context), cluster.roster)


def test_a_frame_has_one_encoding_and_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, _, _ = honest_session()
    body = framed()[SIGNATURE_BYTES:] + b"\0"
    with pytest.raises(InvalidEncoding, match="too many"):
        EngineFrame.decode(cluster.identities["node3"].sign(DOMAIN, body) + body)
    monkeypatch.setattr(frames, "MAX_DATA", 100)
    assert EngineFrame.decode(framed(data=bytes(100))).data == bytes(100)
    with pytest.raises(InvalidEncoding, match="at most 100"):
        EngineFrame.decode(framed(data=bytes(101)))


def test_evidence_of_a_frame_is_a_node_s_own_if_record_and_frame_are_of_its_session() -> None:
    prover = honest_session()[2].prover
    mine = prover.evidence(FRAME, [framed()])
    assert prover.is_mine(mine)
    assert not prover.is_mine(replace(mine, signed=(*mine.signed[:-1], framed(session=bytes(32)))))
    elsewhere = replace(opened(mine.signed[0]), session=bytes(32))
    assert not prover.is_mine(replace(mine, signed=(bytes(SIGNATURE_BYTES) + elsewhere.encode(), *mine.signed[1:])))
    with pytest.raises(InvalidEncoding):
        prover.is_mine(replace(mine, check=MISPLACED))
    with pytest.raises(InvalidEncoding):
        prover.is_mine(replace(mine, signed=(*mine.signed, mine.signed[0])))


# ---- the engine's process -------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def job() -> Job:
    """Of node1."""
    session = honest_session()[2].reading.session
    return Job(session, {}, {}, (), ("node1", "node2", "node3"), 0, 1, EngineKeys({}, {}), {}, {})


def test_an_engine_takes_only_what_the_peer_wrote_for_it_in_this_session() -> None:
    assert job().data(2, framed(data=b"x")) == b"x"
    refused = {
        "of another node": framed("node2"),
        "for another node": framed(receiver="node2"),
        "of another session": framed(session=bytes(32)),
        "one byte more": framed() + b"\0",
        "no text": framed().replace(b"node3", b"nod\xff3"),
        "too short": bytes(SIGNATURE_BYTES - 1),
        "nothing": b"",
    }
    for what, signed in refused.items():
        with pytest.raises(RefusedFrame, match="node3") as error:
            job().data(2, signed)
        assert error.value.frame == signed, what


class Nowhere:
    """A link on which nothing may be sent."""

    def write(self, data: bytes) -> None:
        raise AssertionError("nothing is sent")


@pytest.mark.parametrize("what", ["contents", "frames", "messages"])
def test_what_waits_in_an_engine_counts_with_its_frame_until_it_is_read(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    content, frame = {"contents": (bytes(9_000), b""), "frames": (b"", bytes(9_000)), "messages": (b"", b"")}[what]
    one = len(content) + len(frame) + runtime.MESSAGE_COST
    monkeypatch.setattr(runtime, "MAX_WAITING", 3 * one)

    async def feed() -> None:
        here = SessionRuntime(0, 3, 1, {1: Nowhere(), 2: Nowhere()})
        take = here.feed(1)
        for step in (1, 2, 3):
            take(said(step, content), frame)
        here.step()
        assert await here.exchange({}, {1: len(content)}, bytes) == {1: content}
        take(said(4, content), frame)
        here.feed(2)(said(4, content), frame)
        with pytest.raises(RefusedFrame, match="no program sends"):
            take(said(5, content), frame)

    asyncio.run(feed())


@pytest.mark.parametrize("step", [-1, 0, 1, 2])
def test_a_message_for_a_step_that_is_over_or_waits_for_none_is_refused(step: int) -> None:
    async def feed() -> None:
        here = SessionRuntime(0, 3, 1, {1: Nowhere(), 2: Nowhere()})
        here.step()
        here.step()
        with pytest.raises(RefusedFrame, match="no program sends") as refused:
            here.feed(1)(said(step, b""), b"signed")
        assert refused.value.frame == b"signed"
        here.feed(1)(said(3, b""), b"")

    asyncio.run(feed())
