"""Exact ranges: every integer inside can be proven, none outside."""

from math import isqrt

import pytest
from gmpy2 import is_prime
from hypothesis import given
from hypothesis import strategies as st

from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.errors import InvalidProof, RangeViolation
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.range import Linear, Relations, constant, link, three_squares, variable
from tests.crypto.helpers import between, range_instance

RANGES = {
    "64 bits": (0, 2**64 - 1),
    "around zero": (-100, 100),
    "negative": (-(2**40), -(2**20)),
    "one value": (5, 5),
    "zero only": (0, 0),
    "two values": (-1, 0),
    "three values": (0, 2),
    "odd width": (10**6, 10**9 + 1),
}
ALL_RANGES = pytest.mark.parametrize(("lo", "hi"), RANGES.values(), ids=RANGES.keys())


def shown(parameters, context, instance, entropy):
    proof = quadratic.prove(parameters, context, instance.statement, instance.witness, entropy)
    quadratic.verify(parameters, context, instance.statement, proof)
    return True


@ALL_RANGES
def test_the_ends_the_middle_and_random_values_of_a_range_are_proven(parameters, context, entropy, lo, hi):
    # (lo + hi ± 1)/2 makes 4y(B − y) + 1 a perfect square, where the search for squares must not hang.
    middle = (lo + hi) // 2
    for value in sorted({lo, hi, middle, min(middle + 1, hi), *(between(entropy, lo, hi) for _ in range(3))}):
        assert shown(parameters, context, range_instance(parameters, entropy, [(lo, hi)], [value]), entropy)


@ALL_RANGES
def test_a_value_outside_is_refused_by_the_prover_and_by_the_verifier(
    parameters, context, entropy, monkeypatch, lo, hi
):
    """The forger takes the three squares of a value inside and encrypts a value outside."""
    monkeypatch.setattr(quadratic, "_check_witness", lambda *arguments: None)
    for value in (lo - 1, hi + 1, lo - 2**30, hi + 2**70, -hi - lo - 10**10):
        with pytest.raises(RangeViolation):
            range_instance(parameters, entropy, [(lo, hi)], [value])
        inside = range_instance(parameters, entropy, [(lo, hi)], [lo])
        ciphertext, randomness = parameters.key.encrypt(value, entropy)
        old = inside.statement.paillier[0]
        lie = quadratic.Statement(
            inside.statement.bits,
            inside.statement.quadratics,
            (quadratic.PaillierLink(ciphertext, old.terms, old.constant, old.randomness_bits),),
        )
        for witness in (inside.witness.values, (value, *inside.witness.values[1:])):
            attempt = quadratic.Witness(witness, (randomness,))
            proof = quadratic.prove(parameters, context, lie, attempt, entropy)
            with pytest.raises(InvalidProof):
                quadratic.verify(parameters, context, lie, proof)


def test_many_values_and_one_commitment_share_one_proof(parameters, context, entropy):
    ranges = list(RANGES.values()) * 2
    values = [between(entropy, lo, hi) for lo, hi in ranges]
    assert shown(parameters, context, range_instance(parameters, entropy, ranges, values, commitment=True), entropy)


def test_one_value_out_of_many_outside_its_range_is_refused(parameters, entropy):
    for bad in range(4):
        values = [7] * 4
        values[bad] = 101
        with pytest.raises(RangeViolation, match="outside"):
            range_instance(parameters, entropy, [(0, 100)] * 4, values)


@pytest.mark.parametrize(("lo", "hi"), [(5, 4), (10, 0), (0, -1), (2**64, 0)])
def test_a_reversed_range_is_refused(lo, hi):
    with pytest.raises(RangeViolation, match="reversed"):
        Relations().in_range(variable(0), lo, hi)


def test_every_value_of_small_ranges_has_its_squares_exactly_inside(entropy):
    """Exhaustive over widths: the relation holds for a witness iff the value lies inside."""
    for lo, hi in [(-3, 3), (0, 0), (2, 9), (-8, -8), (-20, 21)]:
        relations = Relations()
        x = relations.integer(100)
        relations.in_range(x, lo, hi)
        statement = relations.statement(())
        for value in range(lo - 30, hi + 31):
            if lo <= value <= hi:
                witness = relations.witness({0: value}, (), (), entropy)
                assert all(form.value(witness.values) == 0 for form in statement.quadratics)
                assert all(abs(w) < 1 << b for w, b in zip(witness.values, statement.bits, strict=True))
            else:
                with pytest.raises(RangeViolation):
                    relations.witness({0: value}, (), (), entropy)


def test_a_bilinear_inequality_is_proven_up_to_equality(parameters, context, entropy):
    """price·quantity ≤ budget, all three encrypted."""

    def instance(price, quantity, budget):
        relations, key = Relations(), parameters.key
        inputs = [relations.integer(1000), relations.integer(1000), relations.integer(10**6)]
        cost = inputs[0].times(inputs[1])
        slack = quadratic.Quadratic(tuple((i, j, -k) for i, j, k in cost.products), ((2, 1),))
        relations.nonnegative(slack, 10**6)
        encrypted = [key.encrypt(value, entropy) for value in (price, quantity, budget)]
        links = [link(c, x, key.randomness_bits) for (c, _), x in zip(encrypted, inputs, strict=True)]
        values = {0: price, 1: quantity, 2: budget}
        return relations.statement(links), relations.witness(values, [r for _, r in encrypted], (), entropy)

    for case in [(30, 20, 600), (30, 20, 601), (0, 0, 0), (999, 1000, 10**6)]:
        statement, witness = instance(*case)
        proof = quadratic.prove(parameters, context, statement, witness, entropy)
        quadratic.verify(parameters, context, statement, proof)
    for case in [(30, 20, 599), (1, 1, 0), (1000, 1000, 0)]:
        with pytest.raises(RangeViolation):
            instance(*case)


def is_sum(n, squares):
    a, b, c = squares
    return a * a + b * b + c * c == n and min(a, b, c) >= 0


def test_every_small_number_that_is_one_mod_four_is_a_sum_of_three_squares(entropy):
    assert all(is_sum(n, three_squares(n, entropy)) for n in range(1, 6000, 4))


def test_numbers_around_the_change_of_method_are_sums_of_three_squares(entropy):
    assert all(is_sum(n, three_squares(n, entropy)) for n in range(199_901, 200_101, 4))


@pytest.mark.parametrize("bits", [18, 40, 64, 130])
def test_large_numbers_are_sums_of_three_squares(entropy, bits):
    for _ in range(20):
        n = 4 * random_bits(entropy, bits) + 1
        assert is_sum(n, three_squares(n, entropy))


def test_perfect_squares_are_split_at_once(entropy):
    """(2k+1)² may have no even a with n − a² prime; for 5² there is none at all."""
    assert not any(is_prime(25 - a * a) for a in (0, 2, 4))
    for root in (1, 3, 447, 449, 2**64 + 1, 10**30 + 57):
        assert three_squares(root * root, entropy) == (root, 0, 0)
        assert is_sum(root * root + 4, three_squares(root * root + 4, entropy))


SMALL = st.integers(-50, 50)
LINEARS = st.builds(Linear, st.lists(st.tuples(st.integers(0, 2), SMALL), max_size=4).map(tuple), SMALL)


@given(LINEARS, LINEARS, st.lists(SMALL, min_size=3, max_size=3), SMALL)
def test_sums_and_products_of_expressions_have_the_right_values(one, other, w, factor):
    assert one.times(other).value(w) == one.value(w) * other.value(w)
    assert one.plus(other, factor).value(w) == one.value(w) + factor * other.value(w)
    assert constant(factor).value(w) == factor
    assert variable(1).value(w) == w[1]


@given(st.integers(0, 10**12))
def test_the_bits_of_a_witness_hold_its_magnitude(magnitude):
    relations = Relations()
    relations.integer(magnitude)
    assert magnitude < 1 << relations.statement(()).bits[0]


@given(st.integers(-(2**70), 2**70), st.integers(0, 2**70), st.integers(0, 2**70))
def test_the_squares_of_every_honest_value_fit_their_bits(lo, width, offset):
    hi, value = lo + width, lo + offset % (width + 1)
    relations = Relations()
    relations.in_range(relations.integer(max(abs(lo), abs(hi))), lo, hi)
    witness = relations.witness({0: value}, (), (), SeededEntropy(offset))
    bits = relations.statement(()).bits
    assert max(witness.values[1:]) <= isqrt(width * width + 1)
    assert all(abs(w) < 1 << b for w, b in zip(witness.values, bits, strict=True))


def test_a_derived_integer_equals_its_form_and_can_stand_in_another_form(parameters, context, entropy):
    """x² ≤ 50 by way of s = x², and s·x = 343 by way of a relation."""
    relations, key = Relations(), parameters.key
    x = relations.integer(100)
    square = relations.derived(x.times(x), 10_000)
    relations.in_range(square, 0, 50)
    relations.equal_zero(quadratic.Quadratic(square.times(x).products, constant=-343))
    ciphertext, randomness = key.encrypt(7, entropy)
    statement = relations.statement([link(ciphertext, x, key.randomness_bits)])
    witness = relations.witness({0: 7}, [randomness], (), entropy)
    assert witness.values[1] == 49
    quadratic.verify(parameters, context, statement, quadratic.prove(parameters, context, statement, witness, entropy))
    with pytest.raises(RangeViolation):
        relations.witness({0: 8}, [randomness], (), entropy)
    wrong = quadratic.Witness((7, 48, *witness.values[2:]), witness.paillier)
    with pytest.raises(ValueError, match="relations"):
        quadratic.prove(parameters, context, statement, wrong, entropy)
