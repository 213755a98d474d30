"""Proof of knowledge of one plaintext."""

import dataclasses

import pytest

from tacita.crypto.entropy import random_bits
from tacita.crypto.errors import InvalidCiphertext, InvalidEncoding, InvalidProof
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs.knowledge import Proof, Statement, Witness, _response_bits, prove, verify
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS
from tests.crypto.helpers import contexts_that_differ, other_group, refuses, signed_below, small_modulus_parameters
from tests.crypto.helpers import tampered as variants


@pytest.fixture
def instance(parameters, context, entropy):
    plaintext = signed_below(entropy, int(parameters.key.half) + 1)
    ciphertext, randomness = parameters.key.encrypt(plaintext, entropy)
    statement = Statement(ciphertext)
    return statement, prove(parameters, context, statement, Witness(plaintext, randomness), entropy)


def test_honest_proofs_verify_for_extreme_and_random_plaintexts(parameters, context, entropy):
    key, half = parameters.key, int(parameters.key.half)
    for plaintext in (0, 1, -1, half, -half, *(signed_below(entropy, half) for _ in range(20))):
        ciphertext, randomness = key.encrypt(plaintext, entropy)
        statement = Statement(ciphertext)
        proof = prove(parameters, context, statement, Witness(plaintext, randomness), entropy)
        verify(parameters, context, statement, proof)
        assert Proof.decode(parameters, proof.encode(parameters)) == proof


def test_the_extremes_of_the_randomness_can_be_proven(parameters, context, entropy):
    for randomness in (0, 1, (1 << parameters.key.randomness_bits) - 1):
        statement = Statement(parameters.key.encrypt_with(5, randomness))
        verify(parameters, context, statement, prove(parameters, context, statement, Witness(5, randomness), entropy))


def test_a_proof_with_any_field_changed_is_refused(parameters, context, instance):
    statement, proof = instance
    verify(parameters, context, statement, proof)
    for name, other in variants(proof):
        assert refuses(verify, parameters, context, statement, other), name


def test_a_proof_of_another_ciphertext_is_refused(parameters, context, instance, entropy):
    """Copied, re-randomised and shifted by one: the three ways to take over a rival's bid (attack A06)."""
    statement, proof = instance
    key = parameters.key
    for other in (
        key.encrypt(5, entropy)[0],
        statement.ciphertext * key.h_s.power(12345) % key.square,
        statement.ciphertext * (1 + key.modulus) % key.square,
        key.square - statement.ciphertext,
    ):
        with pytest.raises(InvalidProof):
            verify(parameters, context, Statement(other), proof)


def test_a_proof_is_bound_to_its_context(parameters, context, instance):
    for name, other in contexts_that_differ(context):
        assert refuses(verify, parameters, other, *instance), name


def test_a_proof_is_bound_to_its_parameters(parameters, context, instance):
    for other in (small_modulus_parameters(), PublicParameters(parameters.key, other_group())):
        assert refuses(verify, other, context, *instance)


def test_a_malformed_ciphertext_is_refused(parameters, context, instance, dealt):
    statement, proof = instance
    square = parameters.key.square
    for value in (0, -statement.ciphertext, statement.ciphertext + square, square, dealt.p, dealt.q * 77):
        with pytest.raises(InvalidCiphertext):
            verify(parameters, context, Statement(value), proof)


def test_responses_that_are_congruent_but_out_of_bounds_are_refused(parameters, context, instance, dealt):
    """Whoever knows the order of h_s can shift the randomness response; the bound still holds."""
    statement, proof = instance
    modulus, order = dealt.p * dealt.q, (dealt.p - 1) * (dealt.q - 1)
    limit = 1 << _response_bits(parameters)
    negative = proof.randomness - (proof.randomness // order + 1) * order
    beyond = proof.randomness + ((limit - proof.randomness) // order + 1) * order
    for changed in (
        {"plaintext": proof.plaintext + modulus},
        {"plaintext": proof.plaintext - modulus},
        {"randomness": beyond},
        {"randomness": negative},
        {"challenge": proof.challenge + (1 << 128)},
    ):
        with pytest.raises(InvalidProof, match="out of range"):
            verify(parameters, context, statement, dataclasses.replace(proof, **changed))


def test_bytes_of_a_wrong_length_are_refused(parameters, instance):
    data = instance[1].encode(parameters)
    for wrong in (b"", data[:-1], data + b"\0", data * 2):
        with pytest.raises(InvalidEncoding):
            Proof.decode(parameters, wrong)


def test_every_flipped_bit_of_the_encoding_is_noticed(parameters, context, instance):
    statement, proof = instance
    data = proof.encode(parameters)
    for position in range(0, 8 * len(data), 5):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        other = Proof.decode(parameters, bytes(changed))
        assert refuses(verify, parameters, context, statement, other), position


def test_the_prover_refuses_a_witness_that_does_not_open_the_ciphertext(parameters, context, entropy):
    ciphertext, randomness = parameters.key.encrypt(5, entropy)
    for witness in (Witness(6, randomness), Witness(5, randomness + 1)):
        with pytest.raises(ValueError, match="does not open"):
            prove(parameters, context, Statement(ciphertext), witness, entropy)


@pytest.mark.parametrize("extra", [1, 128, 400])
def test_the_prover_refuses_randomness_that_is_longer_than_its_mask_hides(parameters, context, entropy, extra):
    """Of a sum or a re-randomised ciphertext: s // e would show the randomness (attack A69)."""
    randomness = random_bits(entropy, parameters.key.randomness_bits + extra) | 1 << (
        parameters.key.randomness_bits + extra - 1
    )
    statement = Statement(parameters.key.encrypt_with(5, randomness))
    with pytest.raises(ValueError, match="randomness"):
        prove(parameters, context, statement, Witness(5, randomness), entropy)


def test_the_prover_refuses_negative_randomness(parameters, context, entropy):
    statement = Statement(parameters.key.encrypt_with(5, -3))
    with pytest.raises(ValueError, match="randomness"):
        prove(parameters, context, statement, Witness(5, -3), entropy)


def test_the_responses_hide_plaintext_and_randomness(parameters, context, entropy):
    """z is uniform modulo N also for plaintext 0; the mask of s exceeds e·r by the hiding bits."""
    modulus, largest = int(parameters.key.modulus), (1 << parameters.key.randomness_bits) - 1
    statement = Statement(parameters.key.encrypt_with(0, largest))
    proofs = [prove(parameters, context, statement, Witness(0, largest), entropy) for _ in range(200)]
    quarters = [int(4 * proof.plaintext // modulus) for proof in proofs]
    assert all(quarters.count(quarter) > 10 for quarter in range(4))
    mask_bits = _response_bits(parameters) - 1
    assert mask_bits >= (largest << CHALLENGE_BITS).bit_length() + HIDING_BITS
    halves = [proof.randomness >> (mask_bits - 1) for proof in proofs]
    assert halves.count(0) > 50
    assert halves.count(1) > 50


def test_a_witness_does_not_show_itself():
    assert "123456" not in repr(Witness(123456, 123456))
