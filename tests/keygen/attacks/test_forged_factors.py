"""A76, A12: who fools the biprimality test: wrong primes, a prover who knows the factors, a rushing last speaker."""

import pytest
from gmpy2 import invert, jacobi, mpz, powmod

from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.deploy.attack.keys import prime
from tacita.protocols.keygen import biprime

ROUNDS = 128


def bases(modulus, entropy):
    coin = entropy.token(32)
    return [biprime.base(modulus, coin, k) for k in range(ROUNDS)]


def old_test(g, modulus, total):
    """g^{(N−1)/4} = ± g^{(p+q−2)/4}: total = p+q−2 as the prover likes it."""
    return powmod(g, (modulus - 1 - total) // 4, modulus) in (1, modulus - 1)


def best_answer(g, factors):
    """Whether any y at all has y² = ±g: what a prover who knows every factor can reach."""
    return any(all(jacobi(sign * g, factor) == 1 for factor in factors) for sign in (1, -1))


def test_the_old_test_accepts_two_primes_that_are_one_modulo_four_and_the_new_one_does_not(seed) -> None:
    entropy = SeededEntropy(seed)
    p, q = prime(256, 1, 4, entropy), prime(256, 1, 4, entropy)
    rounds = bases(p * q, entropy)
    assert all(old_test(g, p * q, p + q - 2) for g in rounds)
    assert sum(best_answer(g, (p, q)) for g in rounds) < 100


@pytest.mark.parametrize("count", [3, 4])
def test_no_prover_passes_with_more_than_two_primes(count, seed) -> None:
    """The old form is fooled by whoever knows φ(N): it answers with the v that fits."""
    entropy = SeededEntropy(seed)
    factors = [prime(128, 7, 8, entropy) for _ in range(count)]
    modulus, phi = mpz(1), mpz(1)
    for factor in factors:
        modulus, phi = modulus * factor, phi * (factor - 1)
    rounds = bases(modulus, entropy)
    if modulus % 4 == 1:
        assert all(old_test(g, modulus, modulus - 1 - 4 * phi) for g in rounds)
    assert sum(best_answer(g, factors) for g in rounds) < 110


def test_honest_factors_of_two_primes_that_are_seven_modulo_eight_always_pass(seed) -> None:
    entropy = SeededEntropy(seed)
    p, q = prime(256, 7, 8, entropy), prime(256, 7, 8, entropy)
    exponents = [random_bits(entropy, 240), random_bits(entropy, 240)]
    exponents.append((p + q - 6) // 8 - sum(exponents))
    for g in bases(p * q, entropy):
        factors = [biprime.secret_factor(g, e, p * q) for e in exponents]
        assert biprime.passes(p * q, g, factors, biprime.public_factor(g, p * q))


def test_a_prime_and_a_power_are_recognised(seed) -> None:
    entropy = SeededEntropy(seed)
    p, q = prime(128, 7, 8, entropy), prime(128, 7, 8, entropy)
    assert biprime.two_factors_at_least(p * q)
    assert not biprime.two_factors_at_least(p)
    assert not biprime.two_factors_at_least(p * p)


def test_the_last_speaker_forges_any_modulus_of_its_choice_unless_it_committed_before(seed) -> None:
    """It knows its own P·Q: after the others' factors it answers with the one that completes the product."""
    entropy = SeededEntropy(seed)
    p, q = prime(256, 7, 8, entropy), prime(256, 7, 8, entropy)
    forged = p * q
    honest = [random_bits(entropy, 250) for _ in range(3)]
    rushing = committed = 0
    for g in bases(forged, entropy):
        public = biprime.public_factor(g, forged)
        factors = [biprime.secret_factor(g, e, forged) for e in honest]
        committed += biprime.passes(forged, g, factors, public)
        whole = powmod(g, (p + q - 6) // 8, forged)
        last = whole * invert(factors[0] * factors[1], forged) % forged
        rushing += biprime.passes(forged, g, [factors[0], factors[1], last], public)
    assert (rushing, committed) == (ROUNDS, 0)
