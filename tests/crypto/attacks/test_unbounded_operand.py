"""A64: a ciphertext without bounds, multiplied by a secret and opened under a mask, shows the secret.

Old rule: ciphertexts carry no bounds, the mask has a fixed length. Ours: bounds are proven at the leaves, travel with
every ciphertext, and an interval that could wrap around modulo N is refused.
"""

import pytest

from tacita.crypto.entropy import random_bits
from tacita.crypto.errors import RangeViolation
from tacita.crypto.integers import secret_power
from tacita.crypto.security import MASK_BITS
from tests.crypto.helpers import range_instance

ELL = 64
"""Bits of an ordinary value; the mask of an opening has ELL + kappa bits."""
SECRET_BITS = 41


def masked_opening(dealt, entropy, operand, secret):
    """What everybody sees: secret·operand + mask."""
    key, mask_bits = dealt.encryption, ELL + SECRET_BITS + MASK_BITS
    mask = random_bits(entropy, mask_bits)
    masked = secret_power(operand, secret, key.square) * key.encrypt(mask, entropy)[0] % key.square
    return dealt.decrypt(masked), mask_bits


def test_an_unbounded_operand_shows_the_secret_through_the_mask(dealt, entropy):
    for _ in range(10):
        secret = random_bits(entropy, SECRET_BITS)
        shift = ELL + SECRET_BITS + MASK_BITS + 10
        operand = dealt.encryption.encrypt(1 << shift, entropy)[0]
        opened, _ = masked_opening(dealt, entropy, operand, secret)
        assert opened >> shift == secret


def test_a_bounded_operand_stays_below_the_mask_by_kappa_bits(dealt, entropy):
    key = dealt.encryption
    operand = key.receive(key.encrypt((1 << ELL) - 1, entropy)[0], 0, (1 << ELL) - 1)
    largest = (1 << SECRET_BITS) - 1
    opened, mask_bits = masked_opening(dealt, entropy, operand.value, largest)
    assert operand.hi * largest << MASK_BITS < 1 << mask_bits
    assert 0 <= opened < 1 << (mask_bits + 1)


def test_the_owner_of_a_large_operand_cannot_prove_the_bounds_that_are_asked(parameters, entropy):
    for plaintext in (1 << ELL, 1 << (ELL + SECRET_BITS + MASK_BITS + 10), -1):
        with pytest.raises(RangeViolation, match="outside"):
            range_instance(parameters, entropy, [(0, (1 << ELL) - 1)], [plaintext])


def test_bounds_grow_with_every_sum_until_a_wrap_around_is_refused(key, entropy):
    total = key.receive(key.encrypt(1, entropy)[0], 0, 1)
    # (N − 1)/2 holds 2^510 and not 2^511 for an N of 512 bits.
    for _ in range(key.bits - 2):
        total = key.add([total, total])
    assert total.hi == 1 << 510
    with pytest.raises(RangeViolation, match="wrap around"):
        key.add([total, total])
