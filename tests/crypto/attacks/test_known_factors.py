"""A62: a prover who knows the factors of the commitment modulus forges ranges.

Old rule: commitments modulo the Paillier modulus N, which a dealer, or t+1 nodes together, can factor. Ours: modulo
RSA-2048, which nobody is known to be able to factor.
"""

from fractions import Fraction

import pytest

from tacita.crypto.commitment import CommitmentGroup
from tacita.crypto.errors import InvalidKey
from tacita.crypto.integers import power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs.range import Relations, link
from tacita.deploy.attack.prover import SharedModulus, accepted, forge, fractional_range_witness, residue


@pytest.fixture(scope="module")
def old(dealt):
    return SharedModulus(dealt.encryption, CommitmentGroup(dealt.public.modulus))


def roots_by_the_factors_of_n(dealt, group, den):
    """g^{1/den} for the order p'q' of J_N/{±1}; nonsense in a group of another order."""
    exponent = pow(den, -1, (dealt.p - 1) // 2 * ((dealt.q - 1) // 2))
    return [power(g, exponent, group.modulus) for g in group.generators(4)]


def attempt(dealt, parameters, context, entropy, offset):
    relations, key = Relations(), parameters.key
    x = relations.integer(100)
    relations.in_range(x, 0, 100)
    values = fractional_range_witness(0, 100, offset)
    plaintext = residue(offset, key.modulus)
    ciphertext, randomness = key.encrypt(plaintext, entropy)
    statement = relations.statement([link(ciphertext, x, key.randomness_bits)])
    roots = roots_by_the_factors_of_n(dealt, parameters.group, offset.denominator)
    proof = forge(parameters, context, statement, values, roots, [randomness], entropy)
    return plaintext, accepted(parameters, context, statement, proof)


@pytest.mark.parametrize("offset", [Fraction(1, 2), Fraction(1, 3), Fraction(137, 2)], ids=str)
def test_the_factors_of_n_forge_a_range_modulo_n_and_not_modulo_rsa_2048(
    dealt, old, parameters, context, entropy, offset
):
    plaintext, passes = attempt(dealt, old, context, entropy, offset)
    assert abs(plaintext) > parameters.key.modulus // 8
    assert passes
    for _ in range(3):
        plaintext, passes = attempt(dealt, parameters, context, entropy, offset)
        assert abs(plaintext) > parameters.key.modulus // 8
        assert not passes


def test_fifteen_forgeries_in_a_row_pass_the_old_rule(dealt, old, context, entropy):
    assert all(attempt(dealt, old, context, entropy, Fraction(1, 2))[1] for _ in range(15))


def test_parameters_with_one_modulus_for_both_cannot_be_made(dealt):
    with pytest.raises(InvalidKey, match="coprime"):
        PublicParameters(dealt.encryption, CommitmentGroup(dealt.public.modulus))
