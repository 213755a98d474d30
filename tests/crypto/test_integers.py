"""Modular arithmetic against Python's own pow, on random operands."""

from math import gcd, prod

import pytest
from gmpy2 import jacobi, mpz

from tacita.crypto.entropy import Entropy, random_below, random_bits
from tacita.crypto.integers import (
    FixedBase,
    canonical,
    centered,
    inverse,
    is_unit_of_symbol_one,
    multi_power,
    power,
    product,
    secret_power,
)
from tests.crypto.helpers import signed_below


def odd_modulus(entropy: Entropy, bits: int) -> int:
    return random_bits(entropy, bits) | 1 << (bits - 1) | 1


def unit(entropy: Entropy, modulus: int) -> int:
    while True:
        value = random_below(entropy, modulus)
        if gcd(value, modulus) == 1:
            return value


@pytest.mark.parametrize("bits", [1, 16, 200, 600])
def test_powers_agree_with_pow_for_exponents_of_either_sign(entropy, bits):
    for _ in range(20):
        modulus = odd_modulus(entropy, 256)
        base, exponent = unit(entropy, modulus), signed_below(entropy, 1 << bits)
        expected = pow(base, exponent, modulus)
        assert power(base, exponent, modulus) == expected
        assert secret_power(base, exponent, modulus) == expected


def test_the_zeroth_power_is_one_also_for_secret_exponents():
    assert secret_power(5, 0, 77) == 1


def test_the_secret_power_of_a_large_exponent_does_not_depend_on_how_it_is_reduced(entropy):
    modulus = 11 * 19
    base, exponent = unit(entropy, modulus), random_bits(entropy, 900)
    assert secret_power(base, exponent, modulus) == secret_power(base, exponent % 90 + 90, modulus)


@pytest.mark.parametrize("window", [1, 4, 7, 8])
def test_a_fixed_base_agrees_with_pow(entropy, window):
    modulus = odd_modulus(entropy, 200)
    base = unit(entropy, modulus)
    table = FixedBase(base, modulus, window)
    exponents = [0, 1, -1, (1 << window) - 1, 1 << window, (1 << 5 * window) - 1]
    exponents += [signed_below(entropy, 1 << bits) for bits in (3, 80, 700, 10, 350)]
    for exponent in exponents:
        assert table.power(exponent) == pow(base, exponent, modulus), exponent


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 17, 60])
@pytest.mark.parametrize("bits", [1, 12, 128, 400])
def test_a_multi_power_agrees_with_the_product_of_powers(entropy, count, bits):
    modulus = odd_modulus(entropy, 200)
    bases = [unit(entropy, modulus) for _ in range(count)]
    exponents = [signed_below(entropy, 1 << bits) for _ in range(count)]
    expected = prod(pow(b, e, modulus) for b, e in zip(bases, exponents, strict=True)) % modulus
    assert multi_power(bases, exponents, modulus) == expected


def test_a_multi_power_takes_exponents_of_very_different_length(entropy):
    modulus = odd_modulus(entropy, 200)
    bases = [unit(entropy, modulus) for _ in range(7)]
    exponents = [0, 1, -1, 1 << 300, -(1 << 300) + 1, 3, 0]
    expected = prod(pow(b, e, modulus) for b, e in zip(bases, exponents, strict=True)) % modulus
    assert multi_power(bases, exponents, modulus) == expected


@pytest.mark.parametrize(("bases", "exponents"), [([2, 3], [1]), ([2], [1, 1]), ([], [1])])
def test_a_multi_power_never_drops_a_base_or_an_exponent(bases, exponents):
    with pytest.raises(ValueError, match="zip"):
        multi_power(bases, exponents, 77)


def test_a_product_is_reduced():
    assert product([50, 60, 70], 77) == 50 * 60 * 70 % 77
    assert product([], 77) == 1


def test_a_non_unit_has_no_inverse():
    assert inverse(3, 77) * 3 % 77 == 1
    with pytest.raises(ZeroDivisionError):
        inverse(7, 77)


@pytest.mark.parametrize("modulus", [77, 209, 21])
def test_the_symbol_tells_units_from_multiples_of_a_factor(modulus):
    for value in range(-modulus, 2 * modulus):
        expected = gcd(value, modulus) == 1 and jacobi(value % modulus, modulus) == 1
        assert is_unit_of_symbol_one(value, modulus) is expected


def test_centered_and_canonical_representatives_are_unique():
    for value in range(-200, 200):
        middle = centered(value, 77)
        assert -77 < 2 * middle < 77
        assert (middle - value) % 77 == 0
        folded = canonical(value, 77)
        assert 0 <= folded <= 38
        assert folded == canonical(-value, 77)
        assert (folded - value) % 77 == 0 or (folded + value) % 77 == 0
    assert isinstance(canonical(mpz(76), mpz(77)), type(mpz()))
