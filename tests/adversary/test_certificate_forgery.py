"""All nodes and all participants together sign what they like; the proofs still refuse a false certificate.

Control for every test: `sign_all` of the honest parts verifies, so a refusal is due to the one change made.
"""

from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import aggregate
from tacita.deploy.attack.certificates import (
    accept,
    ciphertexts_of,
    decrypt_again,
    facts,
    reason,
    setup_of,
    sign_all,
    sign_bids,
    sign_ticket,
    ticket_of,
)
from tacita.protocols.party import Result
from tacita.protocols.stages import commit, release
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.masks import make_masks
from tacita.protocols.stages.setup import Setup
from tests.adversary.honest import A1Cluster

Honest = tuple[A1Cluster, Result]


@pytest.fixture
def parts(public: Honest) -> tuple[A1Cluster, Certificate]:
    return public[0], Certificate.decode(public[1].certificate)


@pytest.fixture
def private_parts(private: Honest) -> tuple[A1Cluster, Certificate]:
    return private[0], Certificate.decode(private[1].certificate)


def with_bid(certificate: Certificate, name: str, **changes: bytes) -> Certificate:
    return replace(certificate, bids={**certificate.bids, name: replace(certificate.bids[name], **changes)})


def with_node(certificate: Certificate, name: str, **changes: bytes) -> Certificate:
    return replace(certificate, nodes={**certificate.nodes, name: replace(certificate.nodes[name], **changes)})


def with_opened(certificate: Certificate, label: str, index: int, shift: int) -> Certificate:
    values = list(certificate.opened[label])
    values[index] += shift
    return replace(certificate, opened={**certificate.opened, label: tuple(values)})


def test_control_everything_signed_anew_is_accepted(public: Honest, private: Honest) -> None:
    for cluster, result in (public, private):
        certificate = Certificate.decode(result.certificate)
        assert accept(sign_all(certificate, cluster), cluster) == accept(result.certificate, cluster)


# ---- bids -----------------------------------------------------------------------------------------------------------


def proof_start(setup: Setup, name: str) -> int:
    """Where the proof begins in a public object: behind commitment, ciphertexts and share hashes."""
    count = setup.instance.field_count(name) + 1 + len(setup.masked_by(name))
    group = (setup.parameters.group.bits + 7) // 8
    return group + count * setup.key.encryption.ciphertext_bytes + 32 * len(setup.roster.nodes)


def test_a_bid_without_its_proof_is_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    public = certificate.bids["ann"].public
    start = proof_start(setup_of(certificate), "ann")
    for stump in (public[:start], public[:start] + bytes(4), public[: start + 4] + bytes(len(public) - start - 4)):
        why = reason(sign_all(with_bid(certificate, "ann", public=stump), cluster), cluster)
        assert "ann broke the protocol: its bid object is refused" in why


def test_the_object_and_proof_of_another_bidder_are_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    copied = with_bid(certificate, "cat", public=certificate.bids["ann"].public)
    assert "cat broke the protocol" in reason(sign_all(copied, cluster), cluster)


def test_another_bidders_ciphertexts_under_the_own_proof_are_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    setup = setup_of(certificate)
    start, first = proof_start(setup, "ann"), (setup.parameters.group.bits + 7) // 8
    ann, cat = certificate.bids["ann"].public, certificate.bids["cat"].public
    swaps = {
        "commitment": cat[:first] + ann[first:],
        "first ciphertext": ann[:first] + cat[first : first + 256] + ann[first + 256 :],
        "proof": ann[:start] + cat[start:],
    }
    for what, public in swaps.items():
        why = reason(sign_all(with_bid(certificate, "ann", public=public), cluster), cluster)
        assert "the proof does not verify" in why, what


def test_a_best_effort_proof_of_a_bid_out_of_range_is_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    """The honest prover refuses such a witness, so the forger uses the proof of a bid that is in range."""
    cluster, certificate = parts
    setup = setup_of(certificate)
    key, entropy = setup.key.encryption, SeededEntropy("out of range")
    lowest, highest = 0, 1 << 32  # the field `value` of A1
    place = (setup.parameters.group.bits + 7) // 8
    for plaintext in (lowest - 1, highest + 1, 1 << 200, int(key.half), -5):
        c, _ = key.encrypt(plaintext, entropy)
        public = certificate.bids["ann"].public
        public = public[:place] + int(c).to_bytes(256, "big") + public[place + 256 :]
        why = reason(sign_all(with_bid(certificate, "ann", public=public), cluster), cluster)
        assert "ann broke the protocol: its bid object is refused: the proof does not verify" in why


def test_another_signature_or_envelopes_of_a_bid_are_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    by_cat = with_bid(certificate, "ann", signature=certificate.bids["cat"].signature)
    assert "a signature for bid does not verify" in reason(by_cat.encode(), cluster)
    other = sign_bids(with_bid(certificate, "ann", envelopes=bytes(32)), cluster)
    assert "a signature for freeze does not verify" in reason(other.encode(), cluster)


# ---- masks and openings ---------------------------------------------------------------------------------------------


def test_masks_of_another_node_or_session_are_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    swapped = with_node(certificate, "node1", masks=certificate.nodes["node2"].masks)
    assert "node1 broke the protocol: its output masks are refused" in reason(sign_all(swapped, cluster), cluster)
    elsewhere = make_masks(setup_of(certificate), bytes(32), "node1", SeededEntropy("elsewhere"))
    replayed = with_node(certificate, "node1", masks=elsewhere.posted)
    assert "node1 broke the protocol: its output masks are refused" in reason(sign_all(replayed, cluster), cluster)


def test_an_unproven_mask_that_cancels_the_others_is_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    """A63: (Enc(r1)·Enc(r2))⁻¹·Enc(x) as third mask would let the decryption show what it likes."""
    cluster, certificate = parts
    key, width = certificate.key.encryption, certificate.key.encryption.ciphertext_bytes
    blobs = {n: part.masks for n, part in certificate.nodes.items()}
    product = 1
    for name in ("node1", "node2"):
        product = product * int.from_bytes(blobs[name][:width], "big") % int(key.square)
    cancelling = pow(product, -1, int(key.square)).to_bytes(width, "big") + blobs["node3"][width:]
    why = reason(sign_all(with_node(certificate, "node3", masks=cancelling), cluster), cluster)
    assert "node3 broke the protocol: its output masks are refused" in why


def test_an_opened_mask_that_is_changed_needs_a_new_decryption(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    changed = with_opened(certificate, "allocation", 0, 1)
    assert "a signature for ticket does not verify" in reason(changed.encode(), cluster)
    why = reason(sign_all(changed, cluster, decrypt=False), cluster)
    assert "its partial decryption is refused: the decryption proof does not verify" in why


def test_an_opened_mask_beyond_its_interval_is_refused_even_if_all_nodes_decrypt_it(
    parts: tuple[A1Cluster, Certificate],
) -> None:
    cluster, certificate = parts
    block = next(b for b in setup_of(certificate).demand.outputs if b.label == "allocation")
    for shift in (block.hi - block.lo + 1, -(block.hi - block.lo + 1)):
        forged = sign_all(with_opened(certificate, "allocation", 0, shift), cluster)
        assert "interval" in reason(forged, cluster) or "negative" in reason(forged, cluster)
    for value in (-1, 1 << 400):
        opened = {**certificate.opened, "allocation": (value, *certificate.opened["allocation"][1:])}
        assert "wrong number or size" in reason(replace(certificate, opened=opened).encode(), cluster)
    for opened in ({}, {**certificate.opened, "supply": (0,)}, {**certificate.opened, "price": ()}):
        assert "the opened" in reason(replace(certificate, opened=opened).encode(), cluster)


def test_all_nodes_together_can_publish_another_outcome(parts: tuple[A1Cluster, Certificate]) -> None:
    """What a certificate does not show: that the engine was right rests on an honest majority, as the claims say."""
    cluster, certificate = parts
    honest = accept(certificate.encode(), cluster)
    forged = sign_all(with_opened(certificate, "welfare", 0, -(1 << 20)), cluster)
    assert accept(forged, cluster)["welfare"] < honest["welfare"]


# ---- ticket and decryption ------------------------------------------------------------------------------------------


def with_partials(certificate: Certificate, partials: dict[str, bytes]) -> bytes:
    return replace(certificate, partials=partials).encode()


def test_partial_decryptions_that_are_missing_wrong_or_doubled_are_refused(
    parts: tuple[A1Cluster, Certificate],
) -> None:
    cluster, certificate = parts
    good = dict(certificate.partials)
    first, second = sorted(good)
    spare = release.decrypt_partially(
        setup_of(certificate), ticket_of(certificate), "node3", cluster.shares[2], ciphertexts_of(certificate),
        SeededEntropy("spare"),
    )  # fmt: skip
    number = "must hold the partial decryptions of 2 nodes of the roster"
    assert number in reason(with_partials(certificate, {}), cluster)
    assert number in reason(with_partials(certificate, {first: good[first]}), cluster)
    assert number in reason(with_partials(certificate, {**good, "node3": spare}), cluster)
    assert number in reason(with_partials(certificate, {first: good[first], "mallory": good[second]}), cluster)
    doubled = with_partials(certificate, {first: good[first], second: good[first]})
    assert f"{second} broke the protocol: its partial decryption is refused" in reason(doubled, cluster)
    other_two = with_partials(certificate, {second: good[second], "node3": spare})
    assert accept(other_two, cluster) == accept(certificate.encode(), cluster)


def test_a_wrong_partial_decryption_under_the_honest_proof_is_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    """w·(1+N)^δ moves the plaintext by a multiple of δ; only the proof notices."""
    cluster, certificate = parts
    key, (first, second) = certificate.key.encryption, sorted(certificate.partials)
    data = certificate.partials[first]
    w = int.from_bytes(data[: key.ciphertext_bytes], "big") * int(key.with_plaintext(1 << 20)) % int(key.square)
    moved = {first: w.to_bytes(key.ciphertext_bytes, "big") + data[key.ciphertext_bytes :]}
    why = reason(with_partials(certificate, {**moved, second: certificate.partials[second]}), cluster)
    assert f"{first} broke the protocol: its partial decryption is refused: the decryption proof" in why


def test_a_decryption_of_other_ciphertexts_is_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    """A34 after the fact: valid proofs for a bid's ciphertext do not pass for the outputs."""
    cluster, certificate = parts
    setup, ticket = setup_of(certificate), ticket_of(certificate)
    bid = commit.verify_public(setup, "ann", certificate.bids["ann"].public)
    outputs = [bid.fields[0]] * len(setup.outputs)
    stolen = {
        name: release.decrypt_partially(setup, ticket, name, cluster.shares[setup.roster.index(name)], outputs, entropy)
        for name, entropy in ((n, SeededEntropy(n)) for n in certificate.partials)
    }
    assert "partial decryption is refused" in reason(with_partials(certificate, stolen), cluster)


def test_a_ticket_over_other_recipients_is_refused(private_parts: tuple[A1Cluster, Certificate]) -> None:
    """The recipients follow from the terms; a ticket that was signed for others does not match."""
    cluster, certificate = private_parts
    setup, (freeze, session) = setup_of(certificate), facts(certificate)
    swapped = swap_recipients(setup, "ann", "bob")
    ticket = release.ticket(swapped, session, freeze, certificate.root, ciphertexts_of(certificate))
    nodes = {n: replace(p, ticket=cluster.identities[n].sign("ticket", ticket)) for n, p in certificate.nodes.items()}
    assert "a signature for ticket does not verify" in reason(replace(certificate, nodes=nodes).encode(), cluster)


def swap_recipients(setup: Setup, one: str, other: str) -> Any:
    names = {one: other, other: one}

    class Swapped:
        auction_id = setup.auction_id
        outputs = tuple(replace(p, recipient=names.get(p.recipient, p.recipient)) for p in setup.outputs)

    return Swapped()


def test_an_outcome_moved_to_another_owner_is_refused(private_parts: tuple[A1Cluster, Certificate]) -> None:
    """All nodes exchange two owners' masked openings: each mask belongs to its owner's committed ciphertext."""
    cluster, certificate = private_parts
    values = certificate.opened["allocation"]
    exchanged = replace(certificate, opened={**certificate.opened, "allocation": (values[1], values[0], values[2])})
    assert "a signature for ticket does not verify" in reason(exchanged.encode(), cluster)
    signed_only = sign_ticket(exchanged, cluster).encode()
    assert "the decryption proof does not verify" in reason(signed_only, cluster)


def test_signatures_of_all_nodes_are_needed_on_freeze_and_ticket(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    for name in cluster.names:
        for field in ("freeze", "ticket"):
            part = certificate.nodes[name]
            flipped = bytearray(getattr(part, field))
            flipped[3] ^= 1
            broken = with_node(certificate, name, **{field: bytes(flipped)})
            assert f"a signature for {field} does not verify" in reason(broken.encode(), cluster)
    two = replace(certificate, nodes={n: p for n, p in certificate.nodes.items() if n != "node3"})
    assert "parts of exactly the roster's nodes" in reason(two.encode(), cluster)


def test_an_aggregate_that_lacks_one_signer_is_refused(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    ticket = ticket_of(certificate)
    for names in (["node1", "node2"], ["node1", "node2", "node2"], ["node1"]):
        together = aggregate([cluster.multi[n].sign(ticket) for n in names])
        why = reason(replace(certificate, aggregate=together).encode(), cluster)
        assert "the aggregated signature does not hold" in why
    infinity = b"\xc0" + bytes(95)
    assert "aggregated signature" in reason(replace(certificate, aggregate=infinity).encode(), cluster)


def test_another_transcript_root_needs_new_signatures_and_decryptions(parts: tuple[A1Cluster, Certificate]) -> None:
    cluster, certificate = parts
    other = replace(certificate, root=bytes(32))
    assert "a signature for ticket does not verify" in reason(other.encode(), cluster)
    assert "decryption proof does not verify" in reason(sign_all(other, cluster, decrypt=False), cluster)
    assert accept(decrypt_again(sign_ticket(other, cluster), cluster).encode(), cluster)
