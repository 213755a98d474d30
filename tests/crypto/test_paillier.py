"""Encryption, the checks on received ciphertexts (attack A01), bounds that travel, and interoperation with phe."""

import pytest
from gmpy2 import jacobi
from phe import paillier as phe

from tacita.crypto.commitment import CommitmentGroup
from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.entropy import random_bits
from tacita.crypto.errors import InvalidCiphertext, InvalidEncoding, InvalidKey, RangeViolation
from tacita.crypto.paillier import EncryptionKey, PublicParameters, encryption_key
from tests.crypto.helpers import INSECURE_OTHER_MODULUS, refuses, signed_below


def extreme_and_random_plaintexts(key, entropy):
    return [0, 1, -1, int(key.half), -int(key.half), *(signed_below(entropy, int(key.half) + 1) for _ in range(20))]


def test_every_plaintext_decrypts_to_itself(key, dealt, entropy):
    for plaintext in extreme_and_random_plaintexts(key, entropy):
        ciphertext, randomness = key.encrypt(plaintext, entropy)
        key.check(ciphertext)
        assert dealt.decrypt(ciphertext) == plaintext
        assert key.encrypt_with(plaintext, randomness) == ciphertext
        assert 0 <= randomness < 1 << key.randomness_bits


def test_two_encryptions_of_one_plaintext_differ(key, entropy):
    assert key.encrypt(7, entropy)[0] != key.encrypt(7, entropy)[0]


def test_a_plaintext_that_would_wrap_around_is_not_encrypted(key, entropy):
    for plaintext in (key.half + 1, -key.half - 1, key.modulus, 1 << 2000):
        with pytest.raises(RangeViolation):
            key.encrypt(plaintext, entropy)


def test_the_fixed_base_has_symbol_one_and_is_an_encryption_of_zero(key, dealt):
    assert jacobi(key.h_s.base % key.modulus, key.modulus) == 1
    assert dealt.decrypt(key.h_s.base) == 0
    # −x² is a non-residue modulo both factors, so h_s generates the whole group of symbol one.
    assert all(jacobi(key.h_s.base % prime, prime) == -1 for prime in (dealt.p, dealt.q))


def malformed(key, dealt, entropy):
    """The catalogue of A01: what no honest encryptor makes."""
    good = key.encrypt(5, entropy)[0]
    minus_one = next(x for x in range(2, 1000) if jacobi(x, key.modulus) == -1)
    return {
        "zero": 0,
        "the modulus": key.modulus,
        "a multiple of p": dealt.p * 12345,
        "a multiple of q": good * dealt.q % key.square,
        "a multiple of N": key.modulus * (key.modulus - 1),
        "N squared": key.square,
        "one more than N squared": key.square + 1,
        "a ciphertext plus N squared": good + key.square,
        "negative": -good,
        "minus one": -1,
        "a ciphertext of Jacobi symbol −1": good * pow(minus_one, int(key.modulus), int(key.square)) % key.square,
        "a huge integer": good + (key.square << 100_000),
    }


def test_a_malformed_ciphertext_is_refused(key, dealt, entropy):
    for name, value in malformed(key, dealt, entropy).items():
        assert refuses(key.check, value, errors=InvalidCiphertext), name
        assert refuses(key.receive, value, 0, 10, errors=InvalidCiphertext), name


def test_the_ends_of_the_interval_of_ciphertexts_are_checked_exactly(key):
    key.check(1)
    key.check(key.square - 1)


def test_a_ciphertext_has_one_width(key, entropy):
    value = key.encrypt(3, entropy)[0]
    data = Writer().unsigned(value, key.ciphertext_bytes).to_bytes()
    assert len(data) == 128
    assert key.read(Reader(data, "a ciphertext")) == value
    with pytest.raises(InvalidEncoding):
        key.read(Reader(data[1:], "a ciphertext"))
    longer = Reader(b"\0" + data, "a ciphertext")
    key.read(longer)
    with pytest.raises(InvalidEncoding, match="too many"):
        longer.finish()


@pytest.mark.parametrize("modulus", [-3, 0, 1, 5, 13, 15, 76, 2**64, 79])
def test_a_modulus_that_cannot_be_a_product_of_two_blum_primes_is_refused(modulus):
    with pytest.raises(InvalidKey):
        EncryptionKey(modulus)


def test_bounds_that_could_wrap_around_or_are_reversed_are_refused(key, entropy):
    value, half = key.encrypt(1, entropy)[0], int(key.half)
    whole = key.receive(value, -half, half)
    assert (whole.lo, whole.hi) == (-half, half)
    for lo, hi in [(1, 0), (5, -5), (0, half + 1), (-half - 1, 0), (half + 1, half + 2), (0, 1 << 4000)]:
        with pytest.raises(RangeViolation):
            key.receive(value, lo, hi)


def test_sums_carry_bounds_that_hold(key, dealt, entropy):
    for _ in range(20):
        terms, plaintexts = [], []
        for _ in range(4):
            lo, hi = sorted(signed_below(entropy, 1 << 100) for _ in range(2))
            plaintexts.append((lo + hi) // 2)
            terms.append(key.receive(key.encrypt(plaintexts[-1], entropy)[0], lo, hi))
        total = key.add([terms[0], terms[1], terms[2], key.constant(-17)])
        expected = plaintexts[0] + plaintexts[1] + plaintexts[2] - 17
        assert dealt.decrypt(total.value) == expected
        assert total.lo == terms[0].lo + terms[1].lo + terms[2].lo - 17
        assert total.hi == terms[0].hi + terms[1].hi + terms[2].hi - 17
        assert total.lo <= expected <= total.hi


def test_a_sum_whose_bounds_wrap_around_is_refused(key, entropy):
    half = int(key.half)
    large = key.receive(key.encrypt(half - 1, entropy)[0], 0, half)
    with pytest.raises(RangeViolation):
        key.add([large, key.constant(1)])
    assert key.add([large, key.constant(0)]).hi == half


def test_a_public_constant_is_bounded_by_itself(key, dealt):
    for plaintext in (0, 12, -12, int(key.half)):
        constant = key.constant(plaintext)
        assert (constant.lo, constant.hi) == (plaintext, plaintext)
        assert dealt.decrypt(constant.value) == plaintext


def test_ciphertexts_of_phe_with_symbol_one_decrypt_under_our_key(key, dealt):
    theirs = phe.PaillierPublicKey(int(key.modulus))
    accepted = 0
    for plaintext in range(40):
        value = theirs.raw_encrypt(plaintext)
        if jacobi(value % key.modulus, key.modulus) == 1:
            accepted += 1
            assert dealt.decrypt(key.receive(value, 0, 39).value) == plaintext
        else:
            with pytest.raises(InvalidCiphertext):
                key.receive(value, 0, 39)
    # About half have symbol +1; all or none of 40 happens with probability 2^-39.
    assert 0 < accepted < 40


def test_our_ciphertexts_decrypt_under_the_key_of_phe(key, dealt, entropy):
    theirs = phe.PaillierPrivateKey(phe.PaillierPublicKey(int(key.modulus)), dealt.p, dealt.q)
    for plaintext in extreme_and_random_plaintexts(key, entropy):
        assert theirs.raw_decrypt(int(key.encrypt(plaintext, entropy)[0])) == plaintext % int(key.modulus)


def test_our_sums_decrypt_under_the_key_of_phe(key, dealt, entropy):
    public = phe.PaillierPublicKey(int(key.modulus))
    theirs = phe.PaillierPrivateKey(public, dealt.p, dealt.q)
    a, b = random_bits(entropy, 64), random_bits(entropy, 64)
    ours = key.add([key.receive(key.encrypt(x, entropy)[0], 0, 1 << 64) for x in (a, b)])
    mixed = phe.EncryptedNumber(public, int(ours.value)) + 5
    assert theirs.decrypt(mixed) == a + b + 5


def test_the_parameters_refuse_a_commitment_modulus_that_shares_a_factor_with_n(key, dealt):
    small = encryption_key(INSECURE_OTHER_MODULUS)
    for modulus in (int(key.modulus), dealt.p * (2**61 - 1), int(key.modulus) * 5):
        with pytest.raises(InvalidKey, match="coprime"):
            PublicParameters(key, CommitmentGroup(modulus))
    assert PublicParameters(small, CommitmentGroup(int(key.modulus))).identifier


def test_the_identifier_of_the_parameters_depends_on_both_moduli_and_both_lengths(parameters):
    key, group = parameters.key, parameters.group
    smaller = encryption_key(INSECURE_OTHER_MODULUS)
    identifiers = {parameters.identifier, PublicParameters(smaller, group).identifier}
    identifiers.add(PublicParameters(key, CommitmentGroup(INSECURE_OTHER_MODULUS)).identifier)
    shorter = EncryptionKey(int(key.modulus))
    shorter.randomness_bits -= 1
    identifiers.add(PublicParameters(shorter, group).identifier)
    hiding_less = CommitmentGroup(int(group.modulus))
    hiding_less.randomness_bits -= 1
    identifiers.add(PublicParameters(key, hiding_less).identifier)
    assert len(identifiers) == 5
