"""IntQuad: bounds, membership and lengths, on the side of the verifier and on that of the prover."""

import dataclasses

import pytest
from gmpy2 import jacobi

from tacita.crypto.errors import InvalidCiphertext, InvalidEncoding, InvalidProof
from tacita.crypto.proofs.quadratic import Proof, _Sizes, prove, verify
from tests.crypto.helpers import product_instance


@pytest.fixture
def instance(parameters, context, entropy):
    statement, witness = product_instance(parameters, entropy)
    return statement, prove(parameters, context, statement, witness, entropy)


def test_malformed_elements_are_refused(parameters, context, instance, dealt):
    statement, proof = instance
    n_c, square = parameters.group.modulus, parameters.key.square
    minus_one = next(x for x in range(2, 1000) if jacobi(x, n_c) == -1)
    for bad in (0, -proof.commitment, n_c - proof.commitment, proof.commitment + n_c, minus_one):
        for field in ("commitment", "cross"):
            with pytest.raises(InvalidProof, match="canonical"):
                verify(parameters, context, statement, dataclasses.replace(proof, **{field: bad}))
        external = dataclasses.replace(statement.commitments[0], commitment=bad)
        with pytest.raises(InvalidProof, match="canonical"):
            verify(parameters, context, dataclasses.replace(statement, commitments=(external,)), proof)
    for bad in (0, -1, square, dealt.p, statement.paillier[0].ciphertext + square):
        links = (dataclasses.replace(statement.paillier[0], ciphertext=bad), *statement.paillier[1:])
        with pytest.raises(InvalidCiphertext):
            verify(parameters, context, dataclasses.replace(statement, paillier=links), proof)


def test_every_response_has_its_bound(parameters, context, instance):
    statement, proof = instance
    sizes = _Sizes(parameters, statement)
    limits = {"randomness": sizes.randomness, "cross_randomness": sizes.randomness}
    limits |= {"paillier": sizes.paillier, "links": sizes.links}
    for field, bits in limits.items():
        for value in (1 << (bits + 1), -1):
            with pytest.raises(InvalidProof, match="randomness response is out of range"):
                verify(parameters, context, statement, dataclasses.replace(proof, **{field: value}))
        with pytest.raises(InvalidProof, match="does not verify"):
            verify(parameters, context, statement, dataclasses.replace(proof, **{field: (1 << (bits + 1)) - 1}))
    for i, bits in enumerate(sizes.values):
        for value in (1 << (bits + 1), -(1 << (bits + 1))):
            values = (*proof.values[:i], value, *proof.values[i + 1 :])
            with pytest.raises(InvalidProof, match="a response is out of range"):
                verify(parameters, context, statement, dataclasses.replace(proof, values=values))
    for challenge in (-1, proof.challenge + (1 << 128)):
        with pytest.raises(InvalidProof, match="a response is out of range"):
            verify(parameters, context, statement, dataclasses.replace(proof, challenge=challenge))


def test_a_response_shifted_by_the_known_order_of_the_paillier_group_is_out_of_range(
    parameters, context, instance, dealt
):
    statement, proof = instance
    order = (dealt.p - 1) * (dealt.q - 1)
    limit = 1 << (_Sizes(parameters, statement).paillier + 1)
    for response in (proof.paillier + order * (limit // order + 1), proof.paillier % order - order):
        with pytest.raises(InvalidProof, match="out of range"):
            verify(parameters, context, statement, dataclasses.replace(proof, paillier=response))


def test_the_prover_refuses_what_breaks_the_statement_or_its_bounds(parameters, context, entropy):
    statement, witness = product_instance(parameters, entropy, x=3, y=5)
    r = witness.paillier
    limit = 1 << parameters.group.randomness_bits
    for changed in (
        {"values": (3, 5, 16)},
        {"values": (3, 1 << 40, 3 << 40)},
        {"values": (3, -(1 << 40), -(3 << 40))},
        {"values": (3, 5)},
        {"values": (3, 5, 15, 0)},
        {"paillier": r[:2]},
        {"paillier": (*r, 0)},
        {"paillier": (*r[:2], 1 << parameters.key.randomness_bits)},
        {"paillier": (*r[:2], -1)},
        {"commitments": ()},
        {"commitments": (limit,)},
        {"commitments": (-1,)},
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - a caller's mistake, in several wordings
            prove(parameters, context, statement, dataclasses.replace(witness, **changed), entropy)


def test_bytes_of_a_wrong_length_are_refused(parameters, instance):
    statement, proof = instance
    data = proof.encode(parameters, statement)
    for wrong in (b"", data[:-1], data + b"\0", data[1:]):
        with pytest.raises(InvalidEncoding):
            Proof.decode(parameters, statement, wrong)
