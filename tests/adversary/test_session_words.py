"""Envelopes and echo: split, replayed, reflected, misaddressed and missing messages (A07, A10, A29, A35, A40)."""

from dataclasses import replace

import pytest

from tacita.crypto.errors import CryptoError
from tacita.protocols.envelope import Envelope, sign
from tacita.protocols.faults import Absent, Equivocation, InvalidEncodingFault, ProtocolFault
from tacita.protocols.party import Result
from tests.adversary.deviation import Deviant, assert_all_name, assert_convicts, errors, known, run, silence, to

BROADCASTS = [
    "hello",
    "envelope keys",
    "commit",
    "open",
    "freeze",
    "coins",
    "confirm keys",
    "masks",
    "shares",
    "bind commit",
    "bind coin",
    "bind all",
    "bind all partials",
    "openings",
]


def other(payload: bytes) -> bytes:
    """A different payload of the same length."""
    return payload[:-1] + bytes([payload[-1] ^ 1])


def test_control_without_a_lie_all_nodes_finish() -> None:
    cluster = Deviant(3)
    outcomes = run(cluster)
    assert all(isinstance(r, Result) for r in outcomes.values()), outcomes
    assert not cluster.told
    assert [r for r in cluster.rounds() if not r.endswith("/echo")] == [
        "greet", "hello", "envelope keys", "commit", "open", "freeze", "coins", "keys", "confirm keys", "shares",
        "masks", "mask shares",
        "bind commit", "bind coin", "bind all", "bind all partials", "openings", "ticket", "signed", "partials",
    ]  # fmt: skip


@pytest.mark.parametrize("round_name", BROADCASTS)
def test_two_messages_in_one_round_convict_the_sender_at_every_honest_node(round_name: str) -> None:
    cluster = Deviant(3, rewrite=to(round_name, other, ["node1"]))
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, Equivocation, "node3")
    assert_convicts(cluster, outcomes, "node3")


@pytest.mark.parametrize("victims", [["node5"], ["node1", "node2"], ["node1", "node2", "node4"]], ids=str)
def test_a_split_in_a_larger_cluster_convicts_the_sender_too(victims: list[str]) -> None:
    cluster = Deviant(5, liar="node3", rewrite=to("hello", other, victims))
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, Equivocation, "node3")
    assert_convicts(cluster, outcomes, "node3")


@pytest.mark.parametrize("round_name", [*BROADCASTS, "greet", "keys", "hello/echo", "open/echo"])
def test_silence_towards_one_node_is_an_absence_that_blames_nobody(round_name: str) -> None:
    cluster = Deviant(3, deadline=0.6, rewrite=silence(round_name, ["node1"]))
    outcomes = run(cluster)
    first = outcomes["node1"]
    assert isinstance(first, Absent) and first.peer == "node3", first
    assert all(not isinstance(e, ProtocolFault) for e in errors(cluster, outcomes))


def test_a_liar_who_delays_the_other_sides_echo_is_still_convicted() -> None:
    """node2 hears of the split only when its own wait has ended; node1 must wait that long for its copy."""

    def rewrite(envelope: Envelope, receiver: str) -> Envelope | None:
        if envelope.round == "commit" and receiver == "node1":
            return replace(envelope, payload=other(envelope.payload))
        return None if envelope.round == "commit/echo" and receiver == "node2" else envelope

    cluster = Deviant(3, deadline=0.6, rewrite=rewrite)
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, Equivocation, "node3")
    assert_convicts(cluster, outcomes, "node3")


@pytest.mark.parametrize("length", [0, 31, 32, 95, 97])
def test_an_echo_of_wrong_length_makes_its_sender_a_suspect(length: int) -> None:
    cluster = Deviant(3, deadline=0.6, rewrite=to("commit/echo", lambda _: bytes(length)))
    outcomes = run(cluster)
    assert known(outcomes, cluster)
    for error in known(outcomes, cluster):
        assert getattr(error, "suspects", None) == ("node3",), repr(error)


@pytest.mark.parametrize("round_name", ["greet", "commit"])
def test_where_nothing_convicts_the_sender_is_a_suspect_too(round_name: str) -> None:
    """Said of a split by the one that got the other version: it knows only that somebody lies."""

    def rewrite(envelope: Envelope, receiver: str) -> Envelope | None:
        if envelope.round == round_name and receiver == "node1":
            return replace(envelope, payload=other(envelope.payload))
        return None if "dispute" in envelope.round else envelope

    cluster = Deviant(3, deadline=0.6, rewrite=rewrite)
    for error in known(run(cluster), cluster):
        named = getattr(error, "suspects", None) or (getattr(error, "culprit", None) or getattr(error, "peer", None),)
        assert "node3" in named, repr(error)


def test_a_replayed_message_of_an_earlier_session_fits_nowhere() -> None:
    """A40: the label of every later channel holds every node's fresh nonce."""
    first = Deviant(3)
    run(first)
    old = next(e for s, r, e in first.log if (s, r, e.round) == ("node3", "node1", "commit"))

    def rewrite(envelope: Envelope, receiver: str) -> Envelope:
        if envelope.round == "commit" and receiver == "node1":
            return replace(old, session=envelope.session, payload=old.payload)
        return envelope

    again = Deviant(3, seed="again", deadline=0.6)
    label = next(iter({e.session for _, _, e in first.log if e.round == "commit"}))
    assert label not in {e.session for _, _, e in again.log}
    again.rewrite = rewrite
    outcomes = run(again)
    assert all(isinstance(e, Equivocation | ProtocolFault) for e in errors(again, outcomes))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda e: replace(e, sender="node2"), "does not verify"),
        (lambda e: replace(e, sender="mallory"), "does not verify"),
        (lambda e: replace(e, receiver="node2"), "addressed to somebody else"),
        (lambda e: replace(e, receiver=""), "addressed to somebody else"),
        (lambda e: replace(e, round="commit\x1b[2J"), "does not verify"),
    ],
    ids=["other sender", "stranger", "other receiver", "no receiver", "terminal codes"],
)
def test_a_misaddressed_message_names_the_connection_it_came_over(change: object, why: str) -> None:
    def rewrite(envelope: Envelope, receiver: str) -> Envelope:
        return change(envelope) if envelope.round == "commit" and receiver == "node1" else envelope  # type: ignore[operator, no-any-return]

    cluster = Deviant(3, rewrite=rewrite)
    fault = run(cluster)["node1"]
    assert isinstance(fault, ProtocolFault) and fault.culprit == "node3"
    assert why in str(fault) and str(fault).isprintable()


def test_reflecting_a_nodes_own_message_to_it_names_the_reflector() -> None:
    cluster = Deviant(3)

    def rewrite(envelope: Envelope, receiver: str) -> Envelope | list[bytes]:
        if envelope.round != "freeze" or receiver != "node1":
            return envelope
        own = next(e for s, r, e in cluster.log if (s, e.round) == ("node1", "commit"))
        return [sign(own, cluster.identities["node1"])]

    cluster.rewrite = rewrite
    fault = run(cluster)["node1"]
    assert isinstance(fault, ProtocolFault) and fault.culprit == "node3" and "relayed" in str(fault)


def test_a_private_message_in_place_of_a_broadcast_and_the_reverse_are_refused() -> None:
    for round_name, receiver in (("commit", None), ("keys", "*")):

        def rewrite(envelope: Envelope, to_whom: str, place: str = round_name, name: str | None = receiver) -> Envelope:
            return replace(envelope, receiver=name or to_whom) if envelope.round == place else envelope

        cluster = Deviant(3, rewrite=rewrite)
        for error in errors(cluster, run(cluster)):
            assert isinstance(error, ProtocolFault) and error.culprit == "node3"


def test_a_message_twice_is_harmless_and_a_second_one_convicts() -> None:
    cluster = Deviant(3)

    def twice(envelope: Envelope, receiver: str) -> list[bytes] | Envelope:
        data = sign(envelope, cluster.identities["node3"])
        return [data, data] if envelope.round == "freeze" else envelope

    cluster.rewrite = twice
    assert all(isinstance(r, Result) for r in run(cluster).values())

    cluster = Deviant(3)

    def differs(envelope: Envelope, receiver: str) -> list[bytes] | Envelope:
        second = replace(envelope, payload=other(envelope.payload))
        both = [sign(e, cluster.identities["node3"]) for e in (envelope, second)]
        return both if envelope.round == "freeze" else envelope

    cluster.rewrite = differs
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, Equivocation, "node3")
    assert_convicts(cluster, outcomes, "node3")


def test_bytes_that_are_no_envelope_or_signed_by_somebody_else_name_the_connection() -> None:
    for junk in (b"", b"x", bytes(64), bytes(64) + b"\xff" * 40, bytes(5000)):
        cluster = Deviant(3, deadline=0.5)

        def rewrite(envelope: Envelope, receiver: str, data: bytes = junk) -> list[bytes] | Envelope:
            if envelope.round != "commit":
                return envelope
            return [data[:64].ljust(64, b"\0") + envelope.session + data[96:]]

        cluster.rewrite = rewrite
        for error in errors(cluster, run(cluster)):
            assert isinstance(error, ProtocolFault) and error.culprit == "node3"


def test_a_commit_that_is_no_canonical_json_names_its_sender() -> None:
    for change in (
        lambda p: p + b" ",
        lambda p: b"{}",
        lambda p: b"[" * 200_000,
        lambda p: b'{"a":' * 100_000,
        lambda p: p.replace(b'"object"', b'"\\u006fbject"'),
        lambda p: p.replace(b'{"cat"', b'{"cat":{},"cat"'),
        lambda p: b"NaN",
        lambda p: b"9" * 5000,
        lambda p: b"\xff",
        lambda p: b"",
    ):
        cluster = Deviant(3, lies={"commit": change})
        assert_all_name(cluster, run(cluster), InvalidEncodingFault, "node3")


def test_decoding_never_raises_anything_but_an_encoding_error() -> None:
    body = Envelope(bytes(32), "r", "node1", "*", 1, b"payload").encode()
    for cut in range(len(body)):
        with pytest.raises(CryptoError):
            Envelope.decode(body[:cut])
    for position in range(32, len(body)):
        changed = bytearray(body)
        changed[position] ^= 0x80
        try:
            assert Envelope.decode(bytes(changed)).encode() == bytes(changed)
        except CryptoError:
            continue
