"""A65: a ciphertext Y of Jacobi symbol −1 shows the parity of every secret X in Z = Y^X·h_s^t.

Old rule: any unit modulo N² counts as a ciphertext. Ours: symbol +1 only.
"""

from math import gcd

import pytest
from gmpy2 import jacobi

from tacita.crypto.entropy import random_bits
from tacita.crypto.errors import InvalidCiphertext
from tacita.crypto.integers import power, secret_power
from tests.crypto.helpers import signed_below


def old_check(key, value):
    """Control: the range and the unit test alone."""
    assert 0 < value < key.square
    assert gcd(int(value), int(key.modulus)) == 1


@pytest.fixture
def poisoned(key, entropy):
    """A valid encryption of 7 whose symbol is −1."""
    minus_one = next(x for x in range(2, 1000) if jacobi(x, key.modulus) == -1)
    return key.encrypt(7, entropy)[0] * power(minus_one, key.modulus, key.square) % key.square


def products(key, entropy, base, secrets):
    """What the honest owner of the secrets publishes: base^X, re-randomised."""
    fresh = (key.h_s.power(random_bits(entropy, key.randomness_bits)) for _ in secrets)
    return [secret_power(base, x, key.square) * f % key.square for x, f in zip(secrets, fresh, strict=True)]


def read_parities(key, published):
    return [0 if jacobi(z % key.modulus, key.modulus) == 1 else 1 for z in published]


def test_the_poisoned_ciphertext_passes_the_old_check_and_shows_forty_parities_of_forty(key, dealt, entropy, poisoned):
    old_check(key, poisoned)
    assert dealt.decrypt(poisoned) == 7
    secrets = [signed_below(entropy, 1 << 41) for _ in range(40)]
    assert read_parities(key, products(key, entropy, poisoned, secrets)) == [x % 2 for x in secrets]


def test_the_poisoned_ciphertext_is_refused_on_receipt(key, poisoned):
    with pytest.raises(InvalidCiphertext, match="Jacobi"):
        key.receive(poisoned, 0, 10)


def test_products_with_an_accepted_ciphertext_all_have_symbol_one(key, entropy):
    accepted = key.receive(key.encrypt(7, entropy)[0], 0, 10).value
    secrets = [signed_below(entropy, 1 << 41) for _ in range(40)]
    assert read_parities(key, products(key, entropy, accepted, secrets)) == [0] * 40
