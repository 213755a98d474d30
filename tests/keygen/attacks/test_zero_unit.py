"""A74: party 1 shares x = 0, so it knows p and q modulo M, and p = −1 mod F: it knows p and q modulo L.

Old rule: L has k−24 bits; a lattice of dimension two then splits N in milliseconds. R1: L ≤ 2^{k/2−128}.
"""

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.keys import factored
from tacita.deploy.attack.ring import toy
from tacita.protocols.keygen.parameters import Parameters


def test_the_lattice_of_the_first_design_gives_the_factors_away(seed) -> None:
    old = Parameters.fitting(1024, 3, 64, 8 * 3 * 5 * 7, 512 - 24)
    assert factored(old, SeededEntropy(seed)) >= 7  # of 10 keys; 295 of 300 were split


@pytest.mark.parametrize("bits", [1024, 2048, 3072])
def test_with_the_small_sieve_the_same_attack_finds_nothing(bits, seed) -> None:
    parameters = Parameters.standard(bits, 3, allow_test_bits=True)
    assert parameters.lattice.bit_length() <= bits // 4 - 127
    assert factored(parameters, SeededEntropy(seed)) == 0


def test_toy_sizes_are_toys(seed) -> None:
    """The rings of the other tests exceed R1; production cannot make such parameters."""
    assert toy().lattice.bit_length() > toy().bits // 4 - 127
