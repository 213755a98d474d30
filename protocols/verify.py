"""Offline verification of a certificate: everything is recomputed from the certificate alone.

Checks fall in two groups. An outsider repeats, whoever colludes: the bids' commitments and ranges, signatures,
arithmetic. If N is well formed (at most t nodes corrupt when the key was made): ciphertext links and decryptions.
What no verifier can repeat is said by the claims: whether the engine bound its inputs to the commitments, and
against which adversary it was secure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.crypto.errors import CryptoError, InvalidSignature
from tacita.crypto.security import ALLOWED_MODULUS_BITS
from tacita.crypto.signature import verify_aggregate, verify_signature
from tacita.crypto.threshold import DEALERLESS, check_key
from tacita.crypto.transcript import digest
from tacita.protocols.faults import CallerMistake, ProtocolFault, VerificationFailed
from tacita.protocols.keygen.certificate import KeyCertificate, check_quorums
from tacita.protocols.policies.base import EVERYBODY, Claiming
from tacita.protocols.policies.registry import complete_terms, filled
from tacita.protocols.roster import Roster
from tacita.protocols.stages import certify, commit, release
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.masks import verify_masks
from tacita.protocols.stages.setup import Setup, check_parties
from tacita.protocols.terms import Terms


@dataclass(frozen=True)
class Verified:
    """What a valid certificate shows."""

    checks: tuple[str, ...]
    """One sentence per check, in order."""
    outcome: Mapping[str, Any]
    claims: Mapping[str, Any]
    known_signers: bool
    """False if no roster was given to compare with: anybody could have made such a certificate."""
    digest: str
    terms: Terms


def claims(setup: Setup) -> dict[str, Any]:
    """What the session promises beyond what a verifier can repeat."""
    security = setup.terms.session.security
    # The nodes check the shares against the ciphertexts in any case; but a passive engine may compute on others.
    general = {"inputs_bound": security == "abort", "security": security, "provenance": setup.key.provenance}
    return general | (dict(setup.instance.claims()) if isinstance(setup.instance, Claiming) else {})


def certificate_digest(data: bytes) -> str:
    """Identifies a certificate file."""
    return digest("certificate", ("bytes", data)).hex()


def verify(
    data: bytes,
    roster: Roster | None = None,
    terms_tree: Mapping[str, Any] | None = None,
    allow_insecure_key: bool = False,
    note: Callable[[str], None] = lambda _: None,
    key: KeyCertificate | None = None,
) -> Verified:
    """Check a certificate file; raises VerificationFailed with the first thing that does not hold.

    `roster` is the cluster the caller trusts, `terms_tree` a terms file that the session must have followed.
    `allow_insecure_key` accepts short and dealt keys, for tests. `key` is the key's own certificate: with it the
    provenance is checked as far as signatures of all nodes go, not only repeated.
    """
    done: list[str] = []

    def passed(sentence: str) -> None:
        done.append(sentence)
        note(sentence)

    certificate = Certificate.decode(data)
    passed("certificate is in canonical form")
    try:
        setup = _check_parties(certificate, roster, terms_tree, allow_insecure_key, passed)
        if key is not None:
            _check_origin(certificate, key, passed)
        bids = _check_bids(setup, certificate, passed)
        session, freeze = _check_signatures(setup, certificate, passed)
        ticket, ciphertexts = _check_ticket(setup, certificate, bids, session, freeze, passed)
        outputs = _check_release(setup, certificate, ticket, ciphertexts, passed)
    except (CryptoError, ProtocolFault, CallerMistake) as error:
        raise VerificationFailed(f"the certificate does not hold: {error}") from error
    outcome = setup.instance.outcome(outputs)
    return Verified(tuple(done), outcome, claims(setup), roster is not None, certificate_digest(data), setup.terms)


def _check_origin(certificate: Certificate, key: KeyCertificate, passed: Callable[[str], None]) -> None:
    if key.key != certificate.key or key.roster != certificate.roster.digest:
        raise VerificationFailed("the session used another key or epoch than the given key file; take its own key.json")
    key.verify(certificate.roster)
    passed(f"key file: all nodes signed for this key as the end of key ceremony {key.origin.session.hex()[:16]}")


def _check_parties(
    certificate: Certificate,
    roster: Roster | None,
    terms_tree: Mapping[str, Any] | None,
    allow_insecure_key: bool,
    passed: Callable[[str], None],
) -> Setup:
    if roster is not None:
        if roster.digest != certificate.roster.digest:
            raise VerificationFailed("the certificate was signed by another roster than the one you trust")
        passed(f"roster is the given one: {', '.join(roster.names)}")
    completed = complete_terms(certificate.terms.tree)
    if completed.canonical() != certificate.terms.canonical():
        raise VerificationFailed("the terms in the certificate are not complete canonical terms")
    if terms_tree is not None:
        _check_terms(certificate.terms, terms_tree)
        passed("terms agree with the given file")
    if certificate.key.provenance != DEALERLESS and not allow_insecure_key:
        raise VerificationFailed("the key was dealt: whoever made it could read every bid and forge decryptions")
    # Sizes first: everything after this costs time that grows with them.
    bits = certificate.key.modulus.bit_length()
    if bits not in ALLOWED_MODULUS_BITS and not (allow_insecure_key and bits < max(ALLOWED_MODULUS_BITS)):
        raise VerificationFailed(f"the key has {bits} bits, which is not secure")
    check_parties(certificate.key, certificate.roster)
    check_key(certificate.key)
    check_quorums(certificate.key)
    passed(f"key: the nodes of every quorum decrypt a known ciphertext ({certificate.key.encryption.bits} bits)")
    setup = Setup.make(certificate.terms, certificate.roster, certificate.key, certificate.enrolled)
    if setup.enrolled != certificate.enrolled:
        raise VerificationFailed("the participants in the certificate are not in order")
    _ = setup.instance, setup.demand  # refuses patterns and terms that no session can have had
    passed(f"every participant signed the terms ({len(setup.enrolled)})")
    return setup


def _check_terms(certified: Terms, tree: Mapping[str, Any]) -> None:
    """The given file must complete to the certified terms: what it leaves out has its default, not any value.

    Only what a run fills in itself may come from the certificate: the session's name, and what inputs tell.
    """
    differ = "the certificate's terms differ from the given terms file"
    try:
        given = complete_terms(filled(tree, certified)).canonical()
    except CallerMistake as error:
        raise VerificationFailed(f"{differ}: {error}") from None
    if given != certified.canonical():
        raise VerificationFailed(differ)


def _check_bids(setup: Setup, certificate: Certificate, passed: Callable[[str], None]) -> dict[str, commit.BidObject]:
    names = [e.name for e in setup.enrolled]
    if sorted(certificate.bids) != names:
        raise VerificationFailed("the bids in the certificate are not those of the enrolled participants")
    bids = {}
    for name in names:
        certified = certificate.bids[name]
        message = certify.bid_signature_message(
            setup.auction_id, name, commit.object_hash(certified.public, certified.envelopes)
        )
        verify_signature(setup.participant(name).identity, "bid", message, certified.signature)
        bids[name] = commit.verify_public(setup, name, certified.public)
    passed(f"every bid is signed, committed modulo N_c and proven to be in range ({len(bids)} proofs)")
    return bids


def _check_signatures(setup: Setup, certificate: Certificate, passed: Callable[[str], None]) -> tuple[bytes, bytes]:
    if sorted(certificate.nodes) != sorted(setup.roster.names):
        raise VerificationFailed("the certificate does not hold the parts of exactly the roster's nodes")
    hashes = {name: commit.object_hash(bid.public, bid.envelopes) for name, bid in certificate.bids.items()}
    freeze = certify.freeze_digest(setup.auction_id, hashes)
    for node in setup.roster.nodes:
        verify_signature(node.identity, "freeze", freeze, certificate.nodes[node.name].freeze)
    passed(f"all {len(setup.roster.nodes)} nodes signed the frozen set of bids")
    attempt, parts = certificate.attempt, {name: (part.coin, part.nonce) for name, part in certificate.nodes.items()}
    if not 1 <= attempt <= setup.attempts:
        raise VerificationFailed(f"the terms do not allow an attempt of number {attempt}")
    if setup.attempts > 1:
        passed(f"this is attempt {attempt} of at most {setup.attempts} on these bids")
    return certify.session_id(setup.auction_id, freeze, parts, attempt), freeze


def _check_ticket(
    setup: Setup,
    certificate: Certificate,
    bids: Mapping[str, commit.BidObject],
    session: bytes,
    freeze: bytes,
    passed: Callable[[str], None],
) -> tuple[bytes, list[Any]]:
    masks = [verify_masks(setup, session, name, certificate.nodes[name].masks) for name in setup.roster.names]
    passed("every node's output masks are proven to be in range")
    release.check_opened(setup, certificate.opened)
    ciphertexts = release.output_ciphertexts(setup, certificate.opened, masks, bids)
    ticket = release.ticket(setup, session, freeze, certificate.root, ciphertexts)
    for node in setup.roster.nodes:
        verify_signature(node.identity, "ticket", ticket, certificate.nodes[node.name].ticket)
    try:
        setup.roster.check_possession()
        verify_aggregate([node.multi for node in setup.roster.nodes], ticket, certificate.aggregate)
    except (CallerMistake, InvalidSignature) as error:
        raise VerificationFailed(f"the aggregated signature does not hold: {error}") from error
    passed("all nodes signed the output ciphertexts before anything was decrypted (Ed25519 each, one BLS signature)")
    return ticket, ciphertexts


def _check_release(
    setup: Setup,
    certificate: Certificate,
    ticket: bytes,
    ciphertexts: Sequence[Any],
    passed: Callable[[str], None],
) -> dict[str, list[int]]:
    needed = setup.roster.threshold + 1
    if len(certificate.partials) != needed or not set(certificate.partials) <= set(setup.roster.names):
        raise VerificationFailed(f"the certificate must hold the partial decryptions of {needed} nodes of the roster")
    partials = {
        name: release.verify_partials(setup, ticket, name, ciphertexts, data)
        for name, data in certificate.partials.items()
    }
    outputs = public_outputs(setup, release.decrypt(setup, partials))
    passed(f"outputs are the decryption of the signed ciphertexts ({needed} proofs of decryption)")
    return outputs


def public_outputs(setup: Setup, plaintexts: Sequence[int]) -> dict[str, list[int]]:
    """{label: values} of the outputs that everybody may learn."""
    outputs: dict[str, list[int]] = {}
    for packed, plaintext in zip(setup.outputs, plaintexts, strict=True):
        if packed.recipient == EVERYBODY:
            for label, index, value in release.unpack(packed, plaintext):
                outputs.setdefault(label, []).append(value)
                assert len(outputs[label]) == index + 1
    return outputs


def private_outputs(
    setup: Setup, plaintexts: Sequence[int], participant: str, masks: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """{label: values} of one participant's private outputs, with its masks subtracted."""
    outputs: dict[str, list[int]] = {}
    mine = [(p, x) for p, x in zip(setup.outputs, plaintexts, strict=True) if p.recipient == participant]
    for (packed, plaintext), digits in zip(mine, masks, strict=True):
        for label, _, value in release.unpack(packed, plaintext, digits):
            outputs.setdefault(label, []).append(value)
    return outputs
