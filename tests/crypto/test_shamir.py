"""Shamir sharing over a prime field, exhaustively for a small one."""

from itertools import combinations, product

import pytest

from tacita.crypto.entropy import random_below
from tacita.crypto.shamir import coefficients_at, reconstruct, share

PRIME = 2**127 - 1


class Scripted:
    """Entropy that hands out chosen bytes, so that every polynomial can be tried."""

    def __init__(self, *values):
        self._values = iter(values)

    def token(self, size):
        return next(self._values).to_bytes(size, "big")


@pytest.mark.parametrize(("n", "t"), [(3, 1), (5, 2), (7, 3)], ids=["t1n3", "t2n5", "t3n7"])
def test_every_quorum_reconstructs_the_value(entropy, n, t):
    value = random_below(entropy, PRIME)
    shares = dict(enumerate(share(value, PRIME, t, n, entropy), 1))
    for quorum in combinations(shares, t + 1):
        assert reconstruct({i: shares[i] for i in quorum}, PRIME) == value
    assert reconstruct(shares, PRIME) == value
    assert reconstruct({i: shares[i] for i in range(1, t + 1)}, PRIME) != value


def test_t_shares_are_equally_likely_for_every_value():
    """Over GF(7) with t = 2: the pair of shares of any two nodes takes each of the 49 values once."""
    for value in range(7):
        polynomials = [share(value, 7, 2, 4, Scripted(a, b)) for a, b in product(range(7), repeat=2)]
        for i, j in combinations(range(4), 2):
            assert len({(shares[i], shares[j]) for shares in polynomials}) == 49


def test_the_shares_are_values_of_a_polynomial_of_the_stated_degree():
    # 5 + 3x + 2x² mod 101 at 1, 2, 3
    assert share(5, 101, 2, 3, Scripted(3, 2)) == [10, 19, 32]


def test_a_value_is_reduced_and_shares_lie_in_the_field(entropy):
    shares = dict(enumerate(share(-1, 101, 1, 3, entropy), 1))
    assert all(0 <= s < 101 for s in shares.values())
    assert reconstruct(shares, 101) == 100


def test_sums_of_shares_share_the_sum(entropy):
    a, b = random_below(entropy, PRIME), random_below(entropy, PRIME)
    left, right = share(a, PRIME, 1, 3, entropy), share(b, PRIME, 1, 3, entropy)
    total = {i: (x + y) % PRIME for i, (x, y) in enumerate(zip(left, right, strict=True), 1)}
    assert reconstruct(total, PRIME) == (a + b) % PRIME


def test_coefficients_carry_a_polynomial_to_any_point(entropy):
    shares = share(random_below(entropy, PRIME), PRIME, 2, 6, entropy)
    points = [1, 3, 6]
    for target in (2, 4, 5):
        weights = coefficients_at(points, target, PRIME)
        assert sum(w * shares[i - 1] for w, i in zip(weights, points, strict=True)) % PRIME == shares[target - 1]


def test_two_points_that_coincide_modulo_the_prime_are_refused():
    with pytest.raises(ValueError, match="not invertible"):
        reconstruct({1: 5, 102: 5}, 101)
