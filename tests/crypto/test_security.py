"""Security parameters are constants of the code, long enough, and no proof carries its own (attack A05)."""

import dataclasses

import pytest

from tacita.crypto import security
from tacita.crypto.proofs import decryption, knowledge, quadratic
from tacita.crypto.security import SecurityLevel


def test_the_levels_are_at_least_what_the_specification_demands():
    for level in (security.STANDARD, security.LONG_TERM):
        assert level.modulus_bits >= 2048
        assert level.challenge_bits >= 128
        assert level.hiding_bits >= 128
        assert level.share_hiding_bits >= 80
    assert set(security.ALLOWED_MODULUS_BITS) == {2048, 3072}


def test_a_level_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        security.STANDARD.challenge_bits = 1
    assert SecurityLevel(2048) == security.STANDARD


@pytest.mark.parametrize("module", [decryption, knowledge, quadratic], ids=lambda module: module.__name__[21:])
def test_no_proof_carries_a_number_of_rounds_or_a_length(module):
    names = {field.name for field in dataclasses.fields(module.Proof)}
    assert "challenge" in names
    assert not [name for name in names if "iteration" in name or "bits" in name or "length" in name]
