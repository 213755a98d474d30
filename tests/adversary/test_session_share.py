"""Stage 2: engine keys and dealt shares; stage 3: output masks and openings (A13, A19, A63, A69, A80, A84, A87)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tacita.crypto import sealing
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.proofs import quadratic
from tacita.crypto.sealing import SealingKey, seal, unseal
from tacita.deploy.attack.bids import CHEAT, cheat
from tacita.deploy.attack.dealing import no_check, node, shifted
from tacita.deploy.attack.deviations import BAD_DEALS, MASKS, cancelling, dealt, only, with_masks
from tacita.protocols import attempt
from tacita.protocols.faults import (
    BadKeyShare,
    ConversionMismatch,
    FalseComplaint,
    InconsistentOpening,
    InvalidEncodingFault,
    InvalidProofFault,
    ProtocolFault,
    SessionAborted,
    SuspectFault,
)
from tacita.protocols.party import Job, Result, Solved
from tacita.protocols.reading import complaint
from tacita.protocols.stages import share
from tests.adversary.deviation import (
    Deviant,
    assert_all_name,
    assert_nothing_decrypted,
    errors,
    known,
    run,
    to,
)


def flipped(payload: bytes) -> bytes:
    return bytes([payload[0] ^ 1]) + payload[1:]


# ---- engine keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victims", [["node1"], ["node1", "node2"]], ids=str)
@pytest.mark.parametrize(
    "change", [flipped, lambda p: p[:-1], lambda p: p + b"\0", lambda p: b"", lambda p: bytes(999)]
)
def test_a_key_contribution_that_was_not_committed_names_its_sender(
    victims: list[str], change: Callable[[bytes], bytes]
) -> None:
    """A87: a member that hands out two different contributions is caught by its victim at once."""
    cluster = Deviant(3, rewrite=to("keys", change, victims))
    outcomes = run(cluster)
    for name in victims:
        fault = outcomes[name]
        assert isinstance(fault, ProtocolFault | SessionAborted), repr(fault)
        assert isinstance(fault, SessionAborted) or fault.culprit == "node3"
    assert any(isinstance(outcomes[name], ProtocolFault) for name in victims)
    assert_nothing_decrypted(cluster)


def test_keys_that_differ_are_noticed_before_they_are_used_even_without_commitments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control of the commitment: the comparison of key hashes still stops the session, but names nobody alone."""
    monkeypatch.setattr(share, "_commitment", lambda subset, value: bytes(32))
    cluster = Deviant(3, rewrite=to("keys", flipped, ["node1"]))
    for error in known(run(cluster), cluster):
        assert isinstance(error, SuspectFault) and "different keys" in str(error)
    assert "masks" not in cluster.rounds()


def test_control_without_both_checks_the_engine_computes_with_different_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "_commitment", lambda subset, value: bytes(32))
    monkeypatch.setattr(share, "check_confirmations", lambda roster, everybody: None)
    cluster = Deviant(3, deadline=3.0, rewrite=to("keys", flipped, ["node1"]))
    ended = run(cluster)
    assert "masks" in cluster.rounds(), "the engine ran"
    assert not any(isinstance(ended[name], Result) for name in cluster.honest)


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: b"", lambda p: p * 2])
def test_key_confirmations_of_another_length_name_their_sender(change: Callable[[bytes], bytes]) -> None:
    cluster = Deviant(3, lies={"confirm keys": change})
    assert_all_name(cluster, run(cluster), InvalidEncodingFault, "node3")


def test_a_wrong_key_confirmation_makes_the_subset_suspect() -> None:
    cluster = Deviant(3, lies={"confirm keys": lambda p: p[:-1] + bytes([p[-1] ^ 1])})
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, SuspectFault) and "node3" in error.suspects


# ---- dealt shares -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", BAD_DEALS)
def test_bad_shares_to_one_node_end_the_session_for_all_before_anything_is_computed(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A13/A84: the victim opens its envelope, and its own only, for everybody; all name the bidder."""
    cluster = Deviant(3)
    cheated = cheat(monkeypatch, BAD_DEALS[what])
    outcomes = run(cluster)
    assert cheated
    cluster.told += cheated
    assert_all_name(cluster, outcomes, BadKeyShare, CHEAT)
    assert "masks" not in cluster.rounds()


def test_a_share_that_fits_its_hash_but_no_polynomial_stops_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """With three nodes two honest shares are a polynomial, of another number: the dealer is named."""
    cheat(monkeypatch, dealt(only("node1", lambda b: b[:-1] + bytes([b[-1] ^ 1]))))
    cluster = Deviant(3, deadline=3.0)
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, SuspectFault | ConversionMismatch), repr(error)
    assert "openings" not in cluster.rounds()


def complaints(cluster: Deviant) -> dict[str, Callable[[str], bytes]]:
    """Complaints of node3 about a bidder that dealt well."""

    def key(name: str, i: int) -> SealingKey:
        return cluster.envelope_keys[name] if i == 0 else SealingKey(bytes([i]) * 32)

    return {
        "opens the envelope": lambda name: complaint(name, key(name, 0)),
        "opens nothing": lambda name: complaint(name, key(name, 7)),
        "opens another's": lambda name: complaint(name, key("bob" if name == "ann" else "ann", 0)),
    }


@pytest.mark.parametrize("what", ["opens the envelope", "opens nothing", "opens another's"])
def test_a_false_complaint_convicts_who_complains(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A13: the envelope that it opens is good, or it opens none."""
    for accused in ("ann", CHEAT):
        cluster = Deviant(3)
        cluster.watch_sessions(monkeypatch)
        cluster.lies["shares"] = lambda _, c=cluster, name=accused: complaints(c)[what](name)  # type: ignore[misc]
        assert_all_name(cluster, run(cluster), FalseComplaint, "node3")


def test_a_complaint_about_nobody_convicts_who_complains() -> None:
    for name in ("mallory", "node1", "", "\ud800"):
        cluster = Deviant(3, lies={"shares": lambda _, n=name: complaint(n, SealingKey(bytes(32)))})  # type: ignore[misc]
        assert_all_name(cluster, run(cluster), FalseComplaint, "node3")


def test_control_a_complaint_under_the_enrolled_key_opens_envelopes_of_other_sessions() -> None:
    """Why every envelope has a key of its own: a bidder repeats the first 32 bytes of another's old envelope.

    The node cannot open what follows them and would publish the shared point, by which the old envelope opens.
    """
    enrolled, entropy = SealingKey(bytes(range(32))), SeededEntropy("old")
    old = seal(enrolled.public, b"yesterday's shares of ann", b"ann", entropy)
    repeated = old[:32] + bytes(len(old) - 32)
    with pytest.raises(InvalidEncoding):
        unseal(enrolled, repeated, b"cat")
    ephemeral = X25519PublicKey.from_public_bytes(repeated[:32])
    published = X25519PrivateKey.from_private_bytes(enrolled.secret).exchange(ephemeral)
    key, _ = sealing._keys(published, old[:32], enrolled.public, b"ann")
    assert ChaCha20Poly1305(key).decrypt(bytes(12), old[64:], b"ann") == b"yesterday's shares of ann"
    fresh = SealingKey(bytes(range(1, 33)))  # what a complaint shows here
    with pytest.raises(InvalidEncoding):
        unseal(fresh, old, b"ann")


@pytest.mark.parametrize("answer", [b"", b"OK", b"ok ", b"bad ann", b"{}", b"\0" * 999, b'{"participant":"ann"}'])
def test_an_unknown_answer_about_shares_names_its_sender(answer: bytes) -> None:
    cluster = Deviant(3, lies={"shares": lambda _: answer})
    outcomes = run(cluster)
    assert_all_name(cluster, outcomes, InvalidEncodingFault, "node3")
    assert all(str(e).isprintable() for e in errors(cluster, outcomes))


@pytest.mark.parametrize(
    "keys", [b"", bytes(95), bytes(97), bytes(96), bytes([1]) + bytes(31) + bytes([9]) * 64], ids=len
)
def test_keys_for_envelopes_that_nobody_can_seal_to_name_their_node(keys: bytes) -> None:
    cluster = Deviant(3, lies={"envelope keys": lambda _: keys})
    assert_all_name(cluster, run(cluster), InvalidEncodingFault, "node3")
    assert "commit" not in cluster.rounds("node1")


def test_envelopes_of_one_node_have_different_keys_and_no_session_repeats_one() -> None:
    seen: list[bytes] = []
    for seed in ("first", "second"):
        cluster = Deviant(3)
        run(cluster, **{n: {"entropy": SeededEntropy(f"{seed}/{n}")} for n in cluster.names})
        for name in cluster.names:
            keys = next(e.payload for s, _, e in cluster.log if (s, e.round) == (name, "envelope keys"))
            seen += [keys[i : i + 32] for i in range(0, len(keys), 32)]
    assert len(seen) == len(set(seen)) == 2 * 3 * 3


# ---- output masks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", MASKS)
def test_masks_without_their_proof_name_their_node_and_nothing_is_opened(what: str) -> None:
    cluster = Deviant(3, rush=True)
    cluster.lies["masks"] = MASKS[what](cluster)
    assert_all_name(cluster, run(cluster), InvalidProofFault, "node3")
    assert "openings" not in cluster.rounds()


def test_control_without_the_proof_cancelling_masks_reach_the_decryption(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harm: all nodes decrypt ciphertexts from which every honest node's mask is gone; the result is not right."""
    monkeypatch.setattr(quadratic, "verify", lambda *_: None)
    monkeypatch.setattr(attempt, "check_dealings", no_check)  # which would notice it too
    cluster = Deviant(3, rush=True)
    cluster.lies["masks"] = cancelling(cluster)
    outcomes = run(cluster)
    honest = run(Deviant(3))["node1"]
    assert isinstance(honest, Result)
    for name in cluster.honest:
        ended = outcomes[name]
        assert not isinstance(ended, Result) or ended.outcome["price"] != honest.outcome["price"]
    assert "partials" in cluster.rounds()


# ---- what the engine is fed ---------------------------------------------------------------------------------------


def engine_with(cluster: Deviant, change: Callable[[Job], Job]) -> dict[str, Any]:
    async def solver(job: Job, report: Callable[[int, int], None]) -> Solved:
        return await cluster.solver(change(job), report)

    return {"solver": solver}


def test_masks_too_large_for_any_output_are_noticed_before_the_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A68: no verifier would accept such openings, so nobody signs a ticket on them."""
    monkeypatch.setattr(attempt, "check_dealings", no_check)  # which would notice it first
    cluster = Deviant(3)
    with node(shifted(0, 1 << 150)):
        for error in errors(cluster, run(cluster)):
            assert isinstance(error, SuspectFault) and "wrong number or size" in str(error), repr(error)
    assert "ticket" not in cluster.rounds()


@pytest.mark.parametrize("change", [1, 1 << 20, 1 << 150])
def test_an_engine_that_is_fed_other_masks_than_were_dealt_is_noticed_when_an_output_opens(change: int) -> None:
    """A21/A22: all shares of an opening must fit together."""
    cluster = Deviant(3)
    outcomes = run(cluster, node3=engine_with(cluster, with_masks(lambda r: r ^ change)))
    for error in errors(cluster, outcomes):
        assert isinstance(error, InconsistentOpening), repr(error)
    assert "ticket" not in cluster.rounds()


@pytest.mark.parametrize("change", [1, 1 << 20, 1 << 100])
def test_an_engine_that_is_fed_other_input_shares_than_were_dealt_is_noticed(change: int) -> None:
    """A18: its wrong share is a wrong factor of the input's tag."""
    cluster = Deviant(3)

    def other(job: Job) -> Job:
        return replace(job, inputs={label: [row[0] ^ change, *row[1:]] for label, row in job.inputs.items()})

    for error in errors(cluster, run(cluster, node3=engine_with(cluster, other))):
        assert isinstance(error, SuspectFault), repr(error)
    assert "ticket" not in cluster.rounds()


def test_nodes_that_opened_different_values_stop_before_the_ticket() -> None:
    """A19: the engine notices it first, unless both digests are wrong; either way nobody signs."""
    cluster = Deviant(3, lies={"openings": flipped})
    for error in errors(cluster, run(cluster)):
        assert isinstance(error, SuspectFault) and "node3" in error.suspects
    assert "ticket" not in cluster.rounds()
    assert_nothing_decrypted(cluster)
