"""Commitments modulo N_c: generators that nobody has roots of, one representative per element."""

import hashlib

import pytest
from gmpy2 import is_prime, jacobi, mpz

from tacita.crypto.commitment import RSA_2048, CommitmentGroup, commitment_group, hash_to_unit
from tacita.crypto.entropy import random_bits
from tacita.crypto.errors import InvalidKey, InvalidProof
from tests.crypto.helpers import INSECURE_OTHER_MODULUS, other_group, signed_below


@pytest.fixture(scope="module")
def group():
    return commitment_group()


def test_the_modulus_is_the_published_challenge_number():
    """sha256 of the number in decimal with a line feed, as in the file that was handed down."""
    file = f"{RSA_2048}\n".encode()
    assert hashlib.sha256(file).hexdigest() == "699870219daf8b2ba588e845b1f836fb55909d705bfdf7417693b30dc9301eda"
    assert RSA_2048.bit_length() == 2048
    assert RSA_2048 % 8 == 5
    assert not is_prime(RSA_2048)


@pytest.mark.parametrize("modulus", [RSA_2048, INSECURE_OTHER_MODULUS, 77])
def test_hashed_units_have_symbol_one_and_are_canonical(modulus):
    for index in range(20):
        value = hash_to_unit(modulus, "g", index)
        assert 1 < value <= (modulus - 1) // 2
        assert jacobi(value, modulus) == 1


def test_hashed_units_depend_on_modulus_label_and_index():
    values = [hash_to_unit(RSA_2048, label, i) for label in ("g", "h", "g*") for i in range(5)]
    values.append(hash_to_unit(RSA_2048 + 4, "g", 0))
    assert len(set(values)) == len(values)


def test_the_generators_are_distinct_and_none_is_the_square_of_a_hashed_value(group):
    generators = [group.h.base, group.g_star.base, *group.generators(30)]
    assert len(set(generators)) == 32
    squares = {group.canonical(g * g) for g in generators}
    assert not squares & set(generators)


def test_the_generator_of_an_index_is_the_hash_of_that_index(group):
    assert group.generators(4) == [hash_to_unit(group.modulus, "g", i) for i in range(4)]
    assert group.generators(2) == group.generators(4)[:2]


def test_commitments_add_up_and_do_not_depend_on_signs(group, entropy):
    a = [signed_below(entropy, 1 << 64) for _ in range(3)]
    b = [signed_below(entropy, 1 << 64) for _ in range(3)]
    r, s = (random_bits(entropy, group.randomness_bits) for _ in range(2))
    total = group.commit([x + y for x, y in zip(a, b, strict=True)], r + s)
    assert group.canonical(group.commit(a, r) * group.commit(b, s)) == total
    assert group.canonical(-total) == total
    assert group.commit(a, r) != group.commit([a[0] + 1, *a[1:]], r)
    assert group.commit(a, r) != group.commit(a, r + 1)


def test_the_randomness_covers_the_group_by_128_bits(group):
    assert group.randomness_bits == 2048 + 128


def test_every_commitment_passes_its_own_check(group, entropy):
    for _ in range(20):
        group.check(group.commit([signed_below(entropy, 1 << 40)], random_bits(entropy, group.randomness_bits)))


def test_what_is_not_a_canonical_element_is_refused(group, entropy):
    good = group.commit([5], random_bits(entropy, 2000))
    minus_one = next(x for x in range(2, 1000) if jacobi(x, group.modulus) == -1)
    half = (group.modulus - 1) // 2
    bad = [0, -good, group.modulus - good, good + group.modulus, group.modulus, minus_one, 1 << 100_000]
    bad.append(next(x for x in range(1, 1000) if jacobi(half + x, group.modulus) == 1) + half)
    for value in bad:
        with pytest.raises(InvalidProof):
            group.check(value)
    group.check(1)
    group.check(next(half - x for x in range(1000) if jacobi(half - x, group.modulus) == 1))


def test_every_element_of_a_toy_group_is_judged(entropy):
    toy = CommitmentGroup(77)
    for value in range(-100, 200):
        proper = 0 < value <= 38 and jacobi(mpz(value), 77) == 1
        if proper:
            toy.check(value)
        else:
            with pytest.raises(InvalidProof):
                toy.check(value)


@pytest.mark.parametrize("modulus", [RSA_2048 + 2, RSA_2048 + 1, RSA_2048 - 1])
def test_a_modulus_that_is_not_one_mod_four_is_refused(modulus):
    with pytest.raises(InvalidKey, match="1 mod 4"):
        CommitmentGroup(modulus)


def test_groups_of_different_moduli_have_different_identifiers(group):
    assert group.identifier != other_group().identifier
    assert group.identifier == CommitmentGroup(RSA_2048).identifier
