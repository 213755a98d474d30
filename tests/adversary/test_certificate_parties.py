"""Who signed, under which key, for which terms and participants: all of it is inside what the proofs are about."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import MultiSigningKey
from tacita.crypto.threshold import deal
from tacita.deploy.attack.certificates import accept, reason, sign_all, sign_consents
from tacita.protocols.faults import CallerMistake, VerificationFailed
from tacita.protocols.party import Result
from tacita.protocols.policies.registry import complete_terms
from tacita.protocols.roster import Node, Roster
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.setup import Enrolled
from tacita.protocols.terms import Terms
from tacita.protocols.verify import verify
from tests.adversary.honest import TERMS, A1Cluster, a1, run_honest, tree

Parts = tuple[A1Cluster, Certificate]


@pytest.fixture
def parts(public: tuple[A1Cluster, Result]) -> Parts:
    return public[0], Certificate.decode(public[1].certificate)


# ---- roster ---------------------------------------------------------------------------------------------------------


def test_a_made_up_roster_is_refused_when_the_reader_knows_the_true_one(parts: Parts) -> None:
    cluster, _ = parts
    other = A1Cluster(3, seed="made up")
    forged = asyncio.run(other.run(*a1()))["node1"].certificate
    assert "signed by another roster" in reason(forged, cluster)
    assert not verify(forged, None, allow_insecure_key=True).known_signers


def test_the_true_names_with_one_other_key_or_in_another_order_are_refused(parts: Parts) -> None:
    cluster, certificate = parts
    nodes = cluster.roster.nodes
    rosters = {
        "order": (nodes[1], nodes[0], nodes[2]),
        "address": (replace(nodes[0], address="memory:9"), *nodes[1:]),
        "identity": (replace(nodes[0], identity=nodes[0].sealing, sealing=nodes[0].identity), *nodes[1:]),
        "sealing": (replace(nodes[0], sealing=bytes(31) + b"\x09"), *nodes[1:]),
    }
    for what, changed in rosters.items():
        forged = replace(certificate, roster=Roster(changed))
        assert "signed by another roster" in reason(forged.encode(), cluster), what
        with pytest.raises(VerificationFailed):
            verify(sign_all(forged, cluster), None, allow_insecure_key=True)


def rogue(cluster: A1Cluster) -> Roster:
    """A16: node3's BLS key is a·G minus the keys of the others, so that node3 alone 'signs' for all three."""
    from py_ecc.bls.g2_primitives import G1_to_pubkey, pubkey_to_G1
    from py_ecc.optimized_bls12_381 import G1, add, multiply, neg

    point = multiply(G1, 12345)
    for name in ("node1", "node2"):
        point = add(point, neg(pubkey_to_G1(cluster.multi[name].public)))
    nodes = cluster.roster.nodes
    return Roster((*nodes[:2], replace(nodes[2], multi=bytes(G1_to_pubkey(point)))))


def test_a_rogue_bls_key_without_proof_of_possession_is_refused(parts: Parts) -> None:
    cluster, certificate = parts
    roster = rogue(cluster)
    with pytest.raises(CallerMistake, match="node3 has no valid proof of possession"):
        roster.check_possession()
    forged = replace(certificate, roster=roster)
    with pytest.raises(VerificationFailed):
        verify(sign_all(forged, cluster), roster, allow_insecure_key=True)


def test_a_certificate_of_a_roster_without_proof_of_possession_is_refused(parts: Parts) -> None:
    """The whole session runs under that roster, so possession is the only thing that is wrong."""
    cluster, _ = parts
    bad = A1Cluster(3)
    nodes = [
        replace(n, possession=cluster.roster.nodes[(i + 1) % 3].possession) for i, n in enumerate(bad.roster.nodes)
    ]
    bad.roster = Roster(tuple(nodes))
    results = asyncio.run(bad.run(*a1()))
    assert "no valid proof of possession" in reason(results["node1"].certificate, bad)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: [n[0], n[0], n[2]],
        lambda n: [n[0], {**n[1], "multi": n[0]["multi"]}, n[2]],
        lambda n: [n[0], {**n[1], "identity": n[0]["identity"]}, n[2]],
        lambda n: [n[0], {**n[1], "name": "Node2"}, n[2]],
        lambda n: [n[0], {**n[1], "name": "node2\n"}, n[2]],
        lambda n: n[:2],
        lambda n: n * 3,
        lambda n: [n[0], {**n[1], "identity": n[1]["identity"].upper()}, n[2]],
        lambda n: [n[0], {**n[1], "more": ""}, n[2]],
        lambda n: [n[0], {k: v for k, v in n[1].items() if k != "possession"}, n[2]],
    ],
)
def test_a_roster_with_twins_strangers_or_wrong_spelling_cannot_be_read(change: Any, parts: Parts) -> None:
    with pytest.raises(CallerMistake):
        Roster.read({"nodes": change(parts[0].roster.tree()["nodes"])})


# ---- key ------------------------------------------------------------------------------------------------------------


def test_a_key_that_is_not_dealerless_is_refused_outside_of_tests(parts: Parts) -> None:
    """Who deals a key can forge decryptions; nobody asks how long it is."""
    cluster, certificate = parts
    for provenance in (certificate.key.provenance, "", "Dealerless", "dealerless "):
        forged = replace(certificate, key=replace(certificate.key, provenance=provenance))
        with pytest.raises(VerificationFailed, match="the key was dealt"):
            verify(forged.encode(), cluster.roster)


def test_another_key_is_refused_even_if_everybody_signs_for_it(parts: Parts) -> None:
    cluster, certificate = parts
    other, _ = deal(1024, 3, 1, SeededEntropy("another dealer"))
    mixed = {
        "another key": other,
        "another N": replace(certificate.key, modulus=other.modulus),
        "other verification keys": replace(certificate.key, verification=other.verification),
        "exchanged verification keys": replace(
            certificate.key, verification=(*certificate.key.verification[1:], certificate.key.verification[0])
        ),
        "one changed": replace(certificate.key, verification=(4, *certificate.key.verification[1:])),
        "another base": replace(certificate.key, v=4),
        "kappa": replace(certificate.key, kappa=certificate.key.kappa * 4),
        "a larger share bound": replace(certificate.key, sigma=certificate.key.sigma + 1),
        "epoch": replace(certificate.key, epoch=1),
        "provenance": replace(certificate.key, provenance="dealerless"),
        "threshold 2": replace(certificate.key, threshold=2),
        "four parties": replace(certificate.key, parties=4, verification=(*certificate.key.verification, 4)),
    }
    for what, key in mixed.items():
        forged = replace(certificate, key=key)
        assert reason(forged.encode(), cluster), what
        if key.parties == 3 and key.threshold == 1 and key.modulus == certificate.key.modulus:
            assert "refused" in (why := reason(sign_all(forged, cluster), cluster)) or "key" in why, what


def test_a_short_key_is_refused_unless_a_test_allows_it(parts: Parts) -> None:
    cluster, certificate = parts
    forged = replace(certificate, key=replace(certificate.key, provenance="dealerless"))
    with pytest.raises(VerificationFailed, match="the key has 1024 bits, which is not secure"):
        verify(forged.encode(), cluster.roster)


def test_a_monstrous_key_is_refused_before_anything_is_computed_with_it(parts: Parts) -> None:
    """Two hostile files: 60,000-bit N, and 65,535 parties whose factorial alone takes seconds."""
    cluster, certificate = parts
    long = replace(certificate, key=replace(certificate.key, modulus=(1 << 60_000) + 1))
    assert "which is not secure" in reason(long.encode(), cluster)
    many = replace(certificate.key, parties=65_535, threshold=32_767, verification=(4,) * 65_535)
    assert "cluster of another size" in reason(replace(certificate, key=many).encode(), cluster)


# ---- terms ----------------------------------------------------------------------------------------------------------


def with_terms(certificate: Certificate, changed: Mapping[str, Any]) -> Certificate:
    return replace(certificate, terms=Terms(changed))


def test_terms_that_are_changed_after_the_fact_void_every_proof(parts: Parts) -> None:
    cluster, certificate = parts
    base = json.loads(certificate.terms.canonical())
    changes = {
        "session": {**base["session"], "name": "another"},
        "auction": {**base["auction"], "cost": {"linear": [2], "quadratic": [0.5]}},
        "bounds": {**base["bounds"], "value": [0, 32]},
        "solver": {**base["solver"], "gap": 0.2},
    }
    for section, value in changes.items():
        forged = with_terms(certificate, {**base, section: value})
        assert complete_terms(forged.terms.tree).canonical() == forged.terms.canonical(), section
        assert "did not sign these terms" in reason(forged.encode(), cluster), section
        why = reason(sign_all(sign_consents(forged, cluster), cluster), cluster)
        assert "ann broke the protocol: its bid object is refused: " in why, section


def test_terms_that_are_not_complete_are_refused(parts: Parts) -> None:
    cluster, certificate = parts
    base = json.loads(certificate.terms.canonical())
    hostile = [
        {**base, "policy": "none"}, {**base, "policy": []}, {**base, "policy": {}}, {**base, "more": {}}, [], {},
        {k: v for k, v in base.items() if k != "solver"}, {**base, "auction": None},
        {**base, "auction": {**base["auction"], "slots": 1.0}}, {**base, "auction": {**base["auction"], "x": 1}},
        {**base, "bounds": {**base["bounds"], "value": [0, "1e999999999"]}},
        {**base, "bounds": {**base["bounds"], "value": [0, "9" * 5000]}},
        {**base, "bounds": {**base["bounds"], "quantity": [0, 5e-324]}},
        {**base, "bounds": {**base["bounds"], "slope": [5e-324, 4]}},
        {**base, "session": {**base["session"], "security": "none"}},
    ]  # fmt: skip
    for changed in hostile:
        assert reason(with_terms(certificate, changed).encode(), cluster)  # type: ignore[arg-type]


def test_a_terms_file_of_the_reader_decides_what_the_session_must_have_followed(parts: Parts) -> None:
    cluster, certificate = parts
    data = certificate.encode()
    assert accept(data, cluster, TERMS["public"])
    assert accept(data, cluster, {k: v for k, v in TERMS["public"].items() if k != "session"})
    for changed in (
        tree("public", name="another"),
        tree("private"),
        tree("public", payment_rule="clarke"),
        tree("public", supply_max=5.0),
        tree("public", budgets=True),
        {**TERMS["public"], "bounds": {**TERMS["public"]["bounds"], "value": [0, 17]}},
        {**TERMS["public"], "solver": {"method": "table", "gap": 0.1, "iterations": 9}},
    ):
        assert "differ from the given terms file" in reason(data, cluster, changed)


def test_a_rule_that_the_readers_file_leaves_out_must_have_its_default(public: tuple[A1Cluster, Result]) -> None:
    """Nodes add a supply cap and the uniform price to terms that mention neither: not what the file says."""
    loose = tree("public", name="loose")
    del loose["auction"]["payment_rule"], loose["auction"]["slots"]
    capped = tree("public", name="loose", supply_max=5.0)
    cluster, result = run_honest(capped)
    why = reason(result.certificate, cluster, loose)
    assert "differ from the given terms file" in why


# ---- participants ---------------------------------------------------------------------------------------------------


def with_enrolled(certificate: Certificate, **changes: Any) -> Certificate:
    """Change ann's enrolment."""
    return replace(certificate, enrolled=(replace(certificate.enrolled[0], **changes), *certificate.enrolled[1:]))


def test_a_changed_enrolment_is_refused_signed_or_not(parts: Parts) -> None:
    cluster, certificate = parts
    stranger = cluster.bidder("stranger").public
    for changes in (
        {"pattern": ()},
        {"host": "node2"},
        {"identity": stranger},
        {"consent": bytes(64)},
        {"name": "amy"},
    ):
        forged = with_enrolled(certificate, **changes)
        assert reason(forged.encode(), cluster), changes
    moved = sign_consents(with_enrolled(certificate, host="node2"), cluster)
    assert "ann broke the protocol: its bid object is refused" in reason(sign_all(moved, cluster), cluster)
    nowhere = sign_consents(with_enrolled(certificate, host="node9"), cluster)
    assert "names a host that is not in the roster" in reason(nowhere.encode(), cluster)
    idle = sign_consents(with_enrolled(certificate, pattern=()), cluster)
    assert "announces slots that the auction does not have" in reason(idle.encode(), cluster)


def test_a_dropped_doubled_or_reordered_participant_is_refused(parts: Parts) -> None:
    cluster, certificate = parts
    ann, bob, cat = certificate.enrolled
    dropped = replace(certificate, bids={n: b for n, b in certificate.bids.items() if n != "cat"})
    assert "not those of the enrolled participants" in reason(dropped.encode(), cluster)
    both = replace(dropped, enrolled=(ann, bob))
    assert "its bid object is refused" in reason(sign_all(both, cluster), cluster)
    assert "not in order" in reason(replace(certificate, enrolled=(bob, ann, cat)).encode(), cluster)
    assert "announced twice" in reason(replace(certificate, enrolled=(ann, ann, bob, cat)).encode(), cluster)


def test_a_crowd_of_participants_is_refused_before_anything_is_planned_for_it(parts: Parts) -> None:
    cluster, certificate = parts
    key = cluster.bidder("ann")
    crowd = tuple(Enrolled.sign(key, f"p{i:04}", (0,), "node1", certificate.terms) for i in range(300))
    crowded = replace(certificate, enrolled=crowd, bids={e.name: certificate.bids["ann"] for e in crowd})
    assert "at most 256 fit into one session" in reason(crowded.encode(), cluster)


def test_a_multi_signing_key_of_the_forger_does_not_stand_in_for_a_nodes_key(parts: Parts) -> None:
    cluster, certificate = parts
    mine = MultiSigningKey(SeededEntropy("forger").token(32))
    node = cluster.roster.nodes[2]
    taken = Node(node.name, node.address, node.identity, node.sealing, mine.public, mine.prove_possession())
    forged = replace(certificate, roster=Roster((*cluster.roster.nodes[:2], taken)))
    assert "signed by another roster" in reason(sign_all(forged, cluster), cluster)
