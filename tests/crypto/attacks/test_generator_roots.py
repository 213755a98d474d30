"""A61: whoever knows an r-th root of the generators proves that a/r mod N is an integer in range.

No factors are needed. Old rule: generators made by raising hash outputs to a public power (squares, or odd powers
that clear small factors of the group order). Ours: hash outputs as they are, up to sign.
"""

from fractions import Fraction

import pytest

from tacita.crypto.commitment import RSA_2048, CommitmentGroup
from tacita.crypto.integers import power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs.range import Relations, link
from tacita.deploy.attack.prover import accepted, forge, fractional_range_witness, residue


class PoweredGenerators(CommitmentGroup):
    """Old rule: g_i = y_i^exponent for a hashed, hence public, y_i."""

    def __init__(self, exponent: int) -> None:
        super().__init__(RSA_2048)
        self.exponent = exponent

    def generators(self, count):
        return [self.canonical(power(y, self.exponent, self.modulus)) for y in super().generators(count)]


def attempt(parameters, context, entropy, roots, lo, hi, offset):
    """Encrypt lo + offset for a fraction `offset` and try to prove that it lies in [lo, hi]."""
    relations, key = Relations(), parameters.key
    x = relations.integer(max(abs(lo), abs(hi)))
    relations.in_range(x, lo, hi)
    values = fractional_range_witness(lo, hi, offset)
    plaintext = residue(values[0], key.modulus)
    ciphertext, randomness = key.encrypt(plaintext, entropy)
    statement = relations.statement([link(ciphertext, x, key.randomness_bits)])
    proof = forge(parameters, context, statement, values, roots, [randomness], entropy)
    return plaintext, accepted(parameters, context, statement, proof)


CASES = pytest.mark.parametrize(
    ("lo", "hi", "offset"),
    [(0, 100, Fraction(1, 2)), (-50, 50, Fraction(99, 2)), (0, 100, Fraction(1, 3)), (0, 100, Fraction(2, 5))],
    ids=["1/2", "99/2-50", "1/3", "2/5"],
)


@CASES
def test_public_roots_of_generators_prove_a_huge_plaintext_in_range_under_the_old_rule(
    parameters, context, entropy, lo, hi, offset
):
    old = PublicParameters(parameters.key, PoweredGenerators(offset.denominator))
    roots = CommitmentGroup.generators(old.group, 4)
    plaintext, passes = attempt(old, context, entropy, roots, lo, hi, offset)
    assert abs(plaintext) > parameters.key.modulus // 8
    assert passes


@CASES
def test_the_same_forgery_fails_against_our_generators(parameters, context, entropy, lo, hi, offset):
    """The forger takes the hash outputs for roots, as it did before; they are the generators themselves now."""
    roots = parameters.group.generators(4)
    for _ in range(3):
        plaintext, passes = attempt(parameters, context, entropy, roots, lo, hi, offset)
        assert abs(plaintext) > parameters.key.modulus // 8
        assert not passes


def test_integers_pass_the_same_forger_against_our_generators(parameters, context, entropy):
    """The forger is otherwise an honest prover: with an integer it must succeed."""
    roots = parameters.group.generators(4)
    plaintext, passes = attempt(parameters, context, entropy, roots, 0, 100, Fraction(37))
    assert plaintext == 37
    assert passes


def test_a_cleared_factor_breaks_a_bare_link_too(parameters, context, entropy):
    """Without any range: Dec(c) = w for an 8-bit integer w, with plaintext 1/3 mod N."""
    for group, works in ((PoweredGenerators(3), True), (parameters.group, False)):
        current = PublicParameters(parameters.key, group)
        relations = Relations()
        x = relations.integer(255)
        third = Fraction(1, 3)
        ciphertext, randomness = current.key.encrypt(residue(third, current.key.modulus), entropy)
        statement = relations.statement([link(ciphertext, x, current.key.randomness_bits)])
        roots = CommitmentGroup.generators(group, 1)
        proof = forge(current, context, statement, [third], roots, [randomness], entropy)
        assert accepted(current, context, statement, proof) is works


def test_half_a_digit_in_a_packed_mask_is_accepted_under_the_old_rule_only(parameters, context, entropy):
    """Digits r_0 and 1/2: the plaintext is an ordinary integer whose half carries into the neighbour's slot."""
    slot, digit_bits, key = 40, 30, parameters.key
    top = (1 << digit_bits) - 1
    for group, works in ((PoweredGenerators(2), True), (parameters.group, False)):
        current = PublicParameters(key, group)
        relations = Relations()
        low, high = relations.integer(top), relations.integer(top)
        relations.in_range(low, 0, top)
        relations.in_range(high, 0, top)
        honest, half = fractional_range_witness(0, top, Fraction(0)), fractional_range_witness(0, top, Fraction(1, 2))
        values = [honest[0], half[0], *honest[1:], *half[1:]]
        plaintext = int(values[0] + values[1] * (1 << slot))
        assert plaintext > top
        assert plaintext < 1 << slot
        ciphertext, randomness = key.encrypt(plaintext, entropy)
        statement = relations.statement([link(ciphertext, low.plus(high, 1 << slot), key.randomness_bits)])
        roots = CommitmentGroup.generators(group, 8)
        proof = forge(current, context, statement, values, roots, [randomness], entropy)
        assert accepted(current, context, statement, proof) is works
