"""IntQuad: relations over committed integers, linked to ciphertexts and to commitments."""

import dataclasses

import pytest

from tacita.crypto.entropy import random_bits
from tacita.crypto.errors import InvalidProof
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import (
    CommitmentLink,
    PaillierLink,
    Proof,
    Quadratic,
    Statement,
    Witness,
    prove,
    verify,
)
from tests.crypto.helpers import (
    contexts_that_differ,
    other_group,
    product_instance,
    refuses,
    signed_below,
    small_modulus_parameters,
)
from tests.crypto.helpers import tampered as variants


@pytest.fixture
def instance(parameters, context, entropy):
    statement, witness = product_instance(parameters, entropy)
    return statement, prove(parameters, context, statement, witness, entropy)


@pytest.fixture
def careless(monkeypatch):
    """A prover that does not check its witness, as an attacker's would not."""
    monkeypatch.setattr(quadratic, "_check_witness", lambda *arguments: None)


def test_honest_products_verify(parameters, context, entropy):
    largest = (1 << 40) - 1
    for x, y in [(0, 0), (1, -1), (largest, largest), (-largest, largest), *[(None, None)] * 10]:
        statement, witness = product_instance(parameters, entropy, x=x, y=y)
        proof = prove(parameters, context, statement, witness, entropy)
        verify(parameters, context, statement, proof)
        data = proof.encode(parameters, statement)
        assert Proof.decode(parameters, statement, data) == proof


def test_statements_without_one_kind_of_part_verify(parameters, context, entropy):
    whole, witness = product_instance(parameters, entropy)
    for changed, used in [
        ({"quadratics": ()}, witness),
        ({"paillier": ()}, dataclasses.replace(witness, paillier=())),
        ({"commitments": ()}, dataclasses.replace(witness, commitments=())),
        ({"paillier": (), "commitments": ()}, Witness(witness.values, ())),
    ]:
        statement = dataclasses.replace(whole, **changed)
        proof = prove(parameters, context, statement, used, entropy)
        verify(parameters, context, statement, proof)
        assert refuses(verify, parameters, context, whole, proof)


def test_a_proof_with_any_field_changed_is_refused(parameters, context, instance):
    statement, proof = instance
    verify(parameters, context, statement, proof)
    for name, other in variants(proof):
        assert refuses(verify, parameters, context, statement, other), name


def test_a_statement_with_any_number_changed_is_refused(parameters, context, instance):
    statement, proof = instance
    count = 0
    for name, other in variants(statement):
        assert refuses(verify, parameters, context, other, proof), name
        count += 1
    for bits in ((40, 40), (40, 40, 80, 1)):
        assert refuses(verify, parameters, context, dataclasses.replace(statement, bits=bits), proof)
    assert count > 60


def test_a_proof_is_bound_to_its_context(parameters, context, instance):
    for name, other in contexts_that_differ(context):
        assert refuses(verify, parameters, other, *instance), name


def test_a_proof_is_bound_to_its_parameters(parameters, context, instance):
    for other in (small_modulus_parameters(), PublicParameters(parameters.key, other_group())):
        assert refuses(verify, other, context, *instance)


@pytest.mark.parametrize("parts", ["paillier", "commitments"])
def test_a_proof_has_one_encoding_also_when_a_kind_of_link_is_absent(parameters, context, entropy, parts):
    """The response of an absent kind of link is 0 and nothing else."""
    whole, witness = product_instance(parameters, entropy)
    statement = dataclasses.replace(whole, **{parts: ()})
    proof = prove(parameters, context, statement, dataclasses.replace(witness, **{parts: ()}), entropy)
    field = {"paillier": "paillier", "commitments": "links"}[parts]
    verify(parameters, context, statement, proof)
    assert getattr(proof, field) == 0
    with pytest.raises(InvalidProof):
        verify(parameters, context, statement, dataclasses.replace(proof, **{field: 1}))


def test_a_false_product_is_refused(parameters, context, entropy, careless):
    for z in (16, 14, -15, 0, 15 + int(parameters.key.modulus) // 4):
        statement, witness = product_instance(parameters, entropy, x=3, y=5, z=z)
        with pytest.raises(InvalidProof):
            verify(parameters, context, statement, prove(parameters, context, statement, witness, entropy))


def test_relations_that_are_false_by_opposite_amounts_are_refused(parameters, context, entropy, careless):
    one, other = Quadratic(linear=((0, 1),), constant=-4), Quadratic(linear=((0, -1),), constant=4)
    statement = Statement((8,), (one, other), ())
    assert one.value([5]) + other.value([5]) == 0
    with pytest.raises(InvalidProof):
        verify(parameters, context, statement, prove(parameters, context, statement, Witness((5,), ()), entropy))


def test_links_that_are_false_by_opposite_amounts_are_refused(parameters, context, entropy):
    key, group = parameters.key, parameters.group
    (c, r), (d, s) = key.encrypt(6, entropy), key.encrypt(4, entropy)
    links = tuple(PaillierLink(x, ((0, 1),), 0, key.randomness_bits) for x in (c, d))
    statement = Statement((8,), (), links)
    with pytest.raises(InvalidProof):
        verify(parameters, context, statement, prove(parameters, context, statement, Witness((5,), (r, s)), entropy))
    openings = tuple(random_bits(entropy, group.randomness_bits) for _ in range(2))
    commitments = tuple(
        CommitmentLink(group.commit([value], o), ((0, 0),)) for value, o in zip((6, 4), openings, strict=True)
    )
    statement = Statement((8,), (), (), commitments)
    with pytest.raises(InvalidProof):
        verify(
            parameters, context, statement, prove(parameters, context, statement, Witness((5,), (), openings), entropy)
        )


def test_a_link_to_another_plaintext_or_value_is_refused(parameters, context, entropy):
    statement, witness = product_instance(parameters, entropy, x=3, y=5)
    key, group = parameters.key, parameters.group
    shifted = statement.paillier[1].ciphertext * (1 + key.modulus) % key.square
    links = (statement.paillier[0], dataclasses.replace(statement.paillier[1], ciphertext=shifted))
    false_paillier = dataclasses.replace(statement, paillier=(*links, statement.paillier[2]))
    moved = CommitmentLink(group.commit([5, 0, 4], witness.commitments[0]), ((0, 1), (2, 0)))
    swapped = dataclasses.replace(statement.commitments[0], terms=((0, 0), (2, 1)))
    extra = CommitmentLink(group.commit([5, 1, 3], witness.commitments[0]), ((0, 1), (2, 0)))
    for lie in (false_paillier, *(dataclasses.replace(statement, commitments=(c,)) for c in (moved, swapped, extra))):
        with pytest.raises(InvalidProof):
            verify(parameters, context, lie, prove(parameters, context, lie, witness, entropy))


def test_links_that_share_a_plaintext_or_a_generator_verify(parameters, context, entropy):
    """Dec(c) = 3·w_0 − 2·w_1 + 7, twice, and a commitment whose generator 0 carries w_0 + w_1."""
    key, group = parameters.key, parameters.group
    c, r = key.encrypt(3 * 10 - 2 * 4 + 7, entropy)
    link = PaillierLink(c, ((0, 3), (1, -2)), 7, key.randomness_bits)
    opening = random_bits(entropy, group.randomness_bits)
    external = CommitmentLink(group.commit([14], opening), ((0, 0), (0, 1)))
    statement = Statement((8, 8), (), (link, link), (external, external))
    witness = Witness((10, 4), (r, r), (opening, opening))
    verify(parameters, context, statement, prove(parameters, context, statement, witness, entropy))


def test_the_homogeneous_form_splits_as_the_protocol_says(entropy):
    """F^hom(m + e·w, e) = e²·F(w) + e·a1 + a0 for any w and m."""
    for _ in range(50):
        w, m = ([signed_below(entropy, 1 << 60) for _ in range(3)] for _ in range(2))
        e, k = random_bits(entropy, 64), signed_below(entropy, 1000)
        form = Quadratic(((0, 0, k), (0, 1, -3), (2, 1, 5)), ((0, 7), (2, -k)), 11 - k)
        a1, a0 = form.cross(w, m)
        z = [a + e * b for a, b in zip(m, w, strict=True)]
        assert form.homogeneous(z, e) == e * e * form.value(w) + e * a1 + a0
        plain = k * w[0] ** 2 - 3 * w[0] * w[1] + 5 * w[2] * w[1] + 7 * w[0] - k * w[2] + 11 - k
        assert form.value(w) == plain


def test_a_witness_does_not_show_itself():
    shown = repr(Witness((123456,), (123456,), (123456,)))
    assert "123456" not in shown
