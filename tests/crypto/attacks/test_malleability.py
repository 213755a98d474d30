"""One statement, one object: signs, shifts and copies of a valid proof or ciphertext are refused (A06, A10).

Old rule: C_* and the announcements are hashed up to sign, and any unit counts as a commitment.
"""

import dataclasses

import pytest
from gmpy2 import gcd

from tacita.crypto.commitment import RSA_2048, CommitmentGroup
from tacita.crypto.errors import InvalidEncoding, InvalidProof
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import Proof
from tacita.crypto.transcript import Transcript
from tests.crypto.helpers import contexts_that_differ, range_instance, refuses


class AnySign(CommitmentGroup):
    """Control: every unit modulo N_c counts as an element."""

    def check(self, commitment):
        if not 0 < commitment < self.modulus or gcd(commitment, self.modulus) != 1:
            raise InvalidProof("not a unit")


class UpToSign(Transcript):
    """Control: announcements are brought to one sign before they are hashed, the transmitted C_* included."""

    def absorb_all(self, label, values):
        items = list(values)
        if label == "announcements":
            items[0] = min(items[0], RSA_2048 - items[0])
        return super().absorb_all(label, items)


@pytest.fixture
def proven(parameters, context, entropy):
    instance = range_instance(parameters, entropy, [(0, 100)], [42], commitment=True)
    proof = quadratic.prove(parameters, context, instance.statement, instance.witness, entropy)
    quadratic.verify(parameters, context, instance.statement, proof)
    return instance.statement, proof


def test_the_negated_cross_commitment_makes_a_second_valid_proof_under_the_old_rule(
    parameters, context, entropy, monkeypatch
):
    old = PublicParameters(parameters.key, AnySign(RSA_2048))
    monkeypatch.setattr(quadratic, "Transcript", UpToSign)
    instance = range_instance(old, entropy, [(0, 100)], [42])
    proof = quadratic.prove(old, context, instance.statement, instance.witness, entropy)
    negated = dataclasses.replace(proof, cross=RSA_2048 - proof.cross)
    for valid in (proof, negated):
        quadratic.verify(old, context, instance.statement, valid)
    assert negated != proof


@pytest.mark.parametrize("field", ["cross", "commitment"])
def test_a_negated_element_is_refused(parameters, context, proven, field):
    statement, proof = proven
    negated = dataclasses.replace(proof, **{field: parameters.group.modulus - getattr(proof, field)})
    with pytest.raises(InvalidProof, match="canonical"):
        quadratic.verify(parameters, context, statement, negated)


def test_a_negated_external_commitment_is_refused(parameters, context, proven):
    statement, proof = proven
    external = statement.commitments[0]
    negated = dataclasses.replace(external, commitment=parameters.group.modulus - external.commitment)
    with pytest.raises(InvalidProof, match="canonical"):
        quadratic.verify(parameters, context, dataclasses.replace(statement, commitments=(negated,)), proof)


def test_responses_shifted_together_with_the_elements_they_answer_are_refused(parameters, context, proven):
    """C·h with z_r + e, and C_*·h with z_* + e, satisfy the same equations; the hash of C and C_* does not."""
    statement, proof = proven
    group, e = parameters.group, proof.challenge
    for element, response in (("commitment", "randomness"), ("cross", "cross_randomness")):
        moved = group.canonical(getattr(proof, element) * group.h.base)
        shifted = dataclasses.replace(proof, **{element: moved, response: getattr(proof, response) + e})
        with pytest.raises(InvalidProof, match="does not verify"):
            quadratic.verify(parameters, context, statement, shifted)


def test_a_rivals_bid_cannot_be_taken_over_in_any_of_three_ways(parameters, context, proven):
    """Verbatim under another name, re-randomised, and raised by one (attack A06)."""
    statement, proof = proven
    key, bid = parameters.key, statement.paillier[0].ciphertext
    for name, elsewhere in contexts_that_differ(context):
        assert refuses(quadratic.verify, parameters, elsewhere, statement, proof, errors=InvalidProof), name
    for changed in (bid * key.h_s.power(99) % key.square, bid * (1 + key.modulus) % key.square, key.square - bid):
        link = dataclasses.replace(statement.paillier[0], ciphertext=changed)
        with pytest.raises(InvalidProof, match="does not verify"):
            quadratic.verify(parameters, context, dataclasses.replace(statement, paillier=(link,)), proof)


def test_a_flipped_bit_anywhere_in_the_encoding_is_noticed(parameters, context, proven):
    statement, proof = proven
    data = proof.encode(parameters, statement)
    for position in range(3, 8 * len(data), 89):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises((InvalidProof, InvalidEncoding)):
            quadratic.verify(parameters, context, statement, Proof.decode(parameters, statement, bytes(changed)))
