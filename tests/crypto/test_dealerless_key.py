"""Keys without safe primes, as a ceremony makes them (crypto.md section 2): κ = Δ³·θ, long and negative shares.

p−1 and q−1 have odd prime factors, gcd(p−1, q−1) = 2 and gcd(N, φ) = 1. Soundness of the decryption proof is then
computational; a prover who knows an element of small order passes once in r tries, and by that it could factor N.
"""

from itertools import combinations
from math import factorial, gcd

import pytest
from gmpy2 import gcd as integer_gcd
from gmpy2 import is_prime, powmod

from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import random_below, random_bits
from tacita.crypto.errors import InvalidKey, InvalidProof
from tacita.crypto.paillier import encryption_key
from tacita.crypto.proofs import decryption
from tacita.crypto.threshold import (
    DEALERLESS,
    KeyShare,
    ThresholdKey,
    check_key,
    check_share,
    combine,
    partial_decrypt,
    verification_base,
)
from tacita.crypto.transcript import Context
from tests.crypto.helpers import signed_below

SMALL = 53
PARTIES, THRESHOLD = 3, 1


def prime_with(divisor: int, bits: int, entropy) -> int:
    """A prime p = 7 mod 8 with divisor | p−1."""
    while True:
        p = random_bits(entropy, bits) | (3 << (bits - 2))
        p += (7 - p) % 8
        p += 8 * ((1 - p) * pow(8, -1, divisor) % divisor)
        if is_prime(p):
            return p


@pytest.fixture
def made(entropy):
    """(key, shares, p, q) with a small odd factor of p−1, shared as K1 to K4 do it."""
    while True:
        p, q = prime_with(SMALL, 256, entropy), prime_with(59, 256, entropy)
        if gcd(p - 1, q - 1) == 2 and gcd(p * q, (p - 1) * (q - 1)) == 1 and (p * q).bit_length() == 512:
            break
    modulus, phi, delta = p * q, (p - 1) * (q - 1), factorial(PARTIES)
    beta = random_below(entropy, modulus)
    exponent = delta**4 * phi * beta
    sigma = exponent.bit_length() + 140
    slope = signed_below(entropy, 1 << (sigma - 4))
    shares = [KeyShare(i, exponent + slope * i) for i in range(1, PARTIES + 1)]
    encryption = encryption_key(modulus)
    v = int(verification_base(encryption, 1))
    verification = tuple(int(powmod(v, delta * s.secret, encryption.square)) for s in shares)
    kappa = delta**2 * exponent % modulus
    key = ThresholdKey(modulus, PARTIES, THRESHOLD, kappa, 1, sigma, v, verification, 0, DEALERLESS)
    return key, shares, p, q


def context() -> Context:
    return Context(bytes(32), "release", "node1", "outputs")


def test_such_a_key_passes_all_checks_and_every_quorum_decrypts(made, entropy) -> None:
    key, shares, _, _ = made
    check_key(key)
    for share in shares:
        check_share(key, share)
    plaintext = signed_below(entropy, int(key.encryption.half))
    c = key.encryption.encrypt(plaintext, entropy)[0]
    partials = {s.index: partial_decrypt(key, s, c) for s in shares}
    for quorum in combinations(partials, THRESHOLD + 1):
        assert combine(key, {i: partials[i] for i in quorum}) == plaintext


def test_decryption_proofs_of_such_a_key_verify_and_wrong_ones_do_not(made, entropy) -> None:
    key, shares, _, _ = made
    group = commitment_group()
    for share in shares:
        ciphertexts = tuple(key.encryption.encrypt(k, entropy)[0] for k in range(3))
        partials = tuple(partial_decrypt(key, share, c) for c in ciphertexts)
        statement = decryption.Statement(share.index, ciphertexts, partials)
        proof = decryption.prove(key, group, context(), statement, share, entropy)
        decryption.verify(key, group, context(), statement, proof)
        shifted = (*partials[:2], partials[2] * (1 + key.modulus) % key.encryption.square)
        wrong = decryption.Statement(share.index, ciphertexts, shifted)
        with pytest.raises(InvalidProof):
            decryption.verify(key, group, context(), wrong, proof)


def test_another_constant_is_refused(made) -> None:
    from dataclasses import replace

    key = made[0]
    for kappa in (key.kappa + 1, key.kappa * key.delta % key.modulus, key.delta**2):
        with pytest.raises(InvalidKey):
            check_key(replace(key, kappa=kappa))


def test_an_element_of_small_odd_order_factors_n_when_the_orders_are_coprime(made, entropy) -> None:
    """Why gcd(p−1, q−1) = 2 is required: whoever could cheat with such an element holds a factor."""
    key, _, p, q = made
    while True:
        element = powmod(random_below(entropy, key.modulus), (p - 1) // SMALL * (q - 1), key.modulus)
        if element != 1:
            break
    assert powmod(element, SMALL, key.modulus) == 1
    assert integer_gcd(element - 1, key.modulus) == q
