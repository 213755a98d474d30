"""Everything there is, for moduli so small that everything can be tried."""

from math import gcd

import pytest
from gmpy2 import jacobi

from tacita.crypto import threshold
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidCiphertext, InvalidKey, RangeViolation
from tacita.crypto.paillier import EncryptionKey
from tests.crypto.helpers import raw_decrypt

TOYS = [(7, 11), (11, 19), (7, 23)]


@pytest.fixture(params=TOYS, ids=lambda primes: f"N={primes[0] * primes[1]}")
def toy(request):
    p, q = request.param
    assert p % 4 == q % 4 == 3
    assert gcd(p * q, (p - 1) * (q - 1)) == 1
    return p, q, EncryptionKey(p * q)


def test_every_plaintext_with_every_randomness_decrypts_to_itself(toy):
    p, q, key = toy
    half = int(key.half)
    for plaintext in range(-half, half + 1):
        for randomness in range(1 << key.randomness_bits):
            ciphertext = key.encrypt_with(plaintext, randomness)
            key.check(ciphertext)
            assert raw_decrypt(p, q, ciphertext) == plaintext


def test_every_integer_around_the_ciphertexts_is_judged_by_its_residue(toy):
    _, _, key = toy
    modulus, square = int(key.modulus), int(key.square)
    accepted = 0
    for value in range(-square, 2 * square + 2):
        proper = 0 < value < square and gcd(value, modulus) == 1 and jacobi(value, modulus) == 1
        try:
            key.check(value)
        except InvalidCiphertext:
            assert not proper, value
        else:
            assert proper, value
            accepted += 1
    p, q, _ = toy
    assert accepted == modulus * (p - 1) * (q - 1) // 2


def test_every_sum_is_right_or_refused(toy):
    p, q, key = toy
    half = int(key.half)
    inputs = {a: key.receive(key.encrypt_with(a, a % 4), a, a) for a in range(-half, half + 1)}
    for a, left in inputs.items():
        for b, right in inputs.items():
            if abs(a + b) > half:
                with pytest.raises(RangeViolation):
                    key.add([left, right])
            else:
                total = key.add([left, right])
                assert (total.lo, total.hi) == (a + b, a + b)
                assert raw_decrypt(p, q, total.value) == a + b


def test_every_plaintext_decrypts_with_every_pair_of_toy_nodes(monkeypatch):
    """7 and 11 are safe primes; with three nodes Δ = 6 has no factor in common with N = 77."""
    primes = iter((7, 11))
    monkeypatch.setattr(threshold, "safe_prime", lambda bits, entropy: next(primes))
    public, shares = threshold.deal(7, 3, 1, SeededEntropy("toy"))
    key = public.encryption
    for plaintext in range(-38, 39):
        ciphertext = key.encrypt_with(plaintext, 5)
        partials = {s.index: threshold.partial_decrypt(public, s, ciphertext) for s in shares}
        for left_out in partials:
            quorum = {i: w for i, w in partials.items() if i != left_out}
            assert threshold.combine(public, quorum) == plaintext


def test_a_toy_key_whose_factorial_meets_the_modulus_is_refused(monkeypatch):
    primes = iter((7, 11))
    monkeypatch.setattr(threshold, "safe_prime", lambda bits, entropy: next(primes))
    with pytest.raises(InvalidKey, match="units"):
        threshold.deal(7, 7, 2, SeededEntropy("toy"))
