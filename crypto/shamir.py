"""Shamir sharing over a prime field: a value is a polynomial's value at 0, node i (1-based) holds its value at i."""

from collections.abc import Mapping, Sequence

from tacita.crypto.entropy import Entropy, random_below


def share(value: int, prime: int, threshold: int, parties: int, entropy: Entropy) -> list[int]:
    """The shares of nodes 1..parties; any threshold + 1 determine the value, threshold say nothing."""
    coefficients = [value % prime] + [random_below(entropy, prime) for _ in range(threshold)]
    return [_evaluate(coefficients, i, prime) for i in range(1, parties + 1)]


def _evaluate(coefficients: Sequence[int], point: int, prime: int) -> int:
    result = 0
    for a in reversed(coefficients):
        result = (result * point + a) % prime
    return result


def coefficients_at(points: Sequence[int], target: int, prime: int) -> list[int]:
    """Lagrange coefficients that carry values at `points` to the value at `target` mod prime."""
    result = []
    for i in points:
        numerator = denominator = 1
        for j in points:
            if j != i:
                numerator, denominator = numerator * (target - j) % prime, denominator * (i - j) % prime
        result.append(numerator * pow(denominator, -1, prime) % prime)
    return result


def reconstruct(shares: Mapping[int, int], prime: int) -> int:
    """The value at 0 of the polynomial through {point: share}."""
    points = list(shares)
    weights = coefficients_at(points, 0, prime)
    return sum(w * shares[i] for w, i in zip(weights, points, strict=True)) % prime
