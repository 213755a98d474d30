"""A52, A53: a response of a million bits costs seconds if it meets a power before its bound.

Old rule: equations first. Ours: the decoder reads fixed widths, and bounds come before any arithmetic.
"""

import dataclasses
from time import process_time

import pytest

from tacita.crypto.commitment import CommitmentGroup, commitment_group
from tacita.crypto.errors import InvalidCiphertext, InvalidEncoding, InvalidProof
from tacita.crypto.integers import FixedBase, power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import decryption, knowledge, quadratic
from tacita.crypto.threshold import partial_decrypt
from tests.crypto.helpers import range_instance

HUGE = 1 << 1_000_000


def no_arithmetic(*arguments, **named):
    raise AssertionError("an expensive operation was reached")


@pytest.fixture
def forbidden(monkeypatch):
    """Call it to turn every power, in every module that a verifier uses, into a failure of the test."""

    def forbid():
        monkeypatch.setattr(FixedBase, "power", no_arithmetic)
        monkeypatch.setattr(CommitmentGroup, "commit", no_arithmetic)
        for module in (decryption, knowledge, quadratic):
            for name in ("power", "multi_power", "inverse"):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, no_arithmetic)

    return forbid


@pytest.fixture
def range_proof(parameters, context, entropy):
    instance = range_instance(parameters, entropy, [(0, 100)], [42], commitment=True)
    return instance.statement, quadratic.prove(parameters, context, instance.statement, instance.witness, entropy)


def test_a_huge_exponent_costs_a_thousand_times_the_check_of_its_bound(parameters):
    """Control: what a verifier would pay for one such response if it computed first."""
    started = process_time()
    power(3, HUGE, parameters.group.modulus)
    computing = process_time() - started
    started = process_time()
    for _ in range(100):
        assert abs(HUGE) >= 1 << 2048
    assert computing > 1000 * (process_time() - started) / 100


def test_a_huge_response_of_a_range_proof_is_refused_before_any_arithmetic(parameters, context, range_proof, forbidden):
    statement, proof = range_proof
    forbidden()
    for field in ("challenge", "randomness", "cross_randomness", "paillier", "links", "commitment", "cross"):
        for value in (HUGE, -HUGE):
            with pytest.raises(InvalidProof):
                quadratic.verify(parameters, context, statement, dataclasses.replace(proof, **{field: value}))
    for value in (HUGE, -HUGE):
        lie = dataclasses.replace(proof, values=(value, *proof.values[1:]))
        with pytest.raises(InvalidProof):
            quadratic.verify(parameters, context, statement, lie)
    link = dataclasses.replace(statement.paillier[0], ciphertext=HUGE)
    with pytest.raises(InvalidCiphertext):
        quadratic.verify(parameters, context, dataclasses.replace(statement, paillier=(link,)), proof)


def test_a_huge_response_of_a_proof_of_knowledge_is_refused_before_any_arithmetic(
    parameters, context, entropy, forbidden
):
    ciphertext, randomness = parameters.key.encrypt(5, entropy)
    statement = knowledge.Statement(ciphertext)
    proof = knowledge.prove(parameters, context, statement, knowledge.Witness(5, randomness), entropy)
    forbidden()
    for field in ("challenge", "plaintext", "randomness"):
        with pytest.raises(InvalidProof):
            knowledge.verify(parameters, context, statement, dataclasses.replace(proof, **{field: HUGE}))
    with pytest.raises(InvalidCiphertext):
        knowledge.verify(parameters, context, knowledge.Statement(HUGE), proof)


def test_a_huge_response_of_a_decryption_proof_is_refused_before_any_arithmetic(dealt, context, entropy, forbidden):
    group, key = commitment_group(), dealt.public
    c = key.encryption.encrypt(5, entropy)[0]
    w = partial_decrypt(key, dealt.shares[0], c)
    statement = decryption.Statement(1, (c,), (w,))
    proof = decryption.prove(key, group, context, statement, dealt.shares[0], entropy)
    assert PublicParameters(key.encryption, group).identifier
    forbidden()
    for changed in ({"challenge": HUGE}, {"response": HUGE}, {"response": -HUGE}):
        with pytest.raises(InvalidProof):
            decryption.verify(key, group, context, statement, dataclasses.replace(proof, **changed))
    with pytest.raises(InvalidProof):
        decryption.verify(key, group, context, decryption.Statement(1, (c,), (HUGE,)), proof)
    with pytest.raises(InvalidCiphertext):
        decryption.verify(key, group, context, decryption.Statement(1, (HUGE,), (w,)), proof)


def test_a_field_of_125_kilobytes_is_refused_by_its_width(parameters, context, range_proof, forbidden):
    statement, proof = range_proof
    data = proof.encode(parameters, statement)
    forbidden()
    for position in (0, 256, len(data)):
        inflated = data[:position] + bytes(125_000) + data[position:]
        with pytest.raises(InvalidEncoding, match="125000 bytes too many"):
            quadratic.Proof.decode(parameters, statement, inflated)


def test_the_size_of_a_proof_follows_from_the_statement_alone(parameters, context, entropy):
    """Also the two-world rule: equal statements, equal sizes, whatever the secret is."""
    sizes = set()
    for value in (0, 1, 50, 99, 100):
        instance = range_instance(parameters, entropy, [(0, 100)], [value], commitment=True)
        proof = quadratic.prove(parameters, context, instance.statement, instance.witness, entropy)
        sizes.add(len(proof.encode(parameters, instance.statement)))
    assert len(sizes) == 1
