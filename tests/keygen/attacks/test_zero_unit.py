"""A74: party 1 shares x = 0, so it knows p and q modulo M, and p = −1 mod F: it knows p and q modulo L.

Old rule: L has k−24 bits; a lattice of dimension two then splits N in milliseconds. R1: L ≤ 2^{k/2−128}.
"""

import pytest
from gmpy2 import gcd, invert, mpz

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.deploy.attack.ring import toy
from tacita.protocols.keygen.parameters import Parameters


def sample(parameters: Parameters, entropy):
    """p, q as the lattice of candidates gives them (primality does not matter to the attack)."""
    values = []
    for _ in range(2):
        unit = random_below(entropy, parameters.sieve)
        while gcd(unit, parameters.sieve) != 1:
            unit = random_below(entropy, parameters.sieve)
        fixed, sieve = parameters.fixed, parameters.sieve
        base = (unit * parameters.lift + (fixed - 1) * sieve * invert(sieve, fixed)) % parameters.lattice
        lift = sum(random_below(entropy, int(parameters.lift_range)) for _ in parameters.everyone)
        values.append(parameters.offset + base + parameters.lattice * lift)
    return mpz(values[0]), mpz(values[1])


def split(modulus, p_residue, lattice):
    """p = p0 + L·x, q = q0 + L·y: find the small x, y with (p0 + L·x)(q0 + L·y) = N modulo L² by lattice reduction."""
    q_residue = modulus * invert(p_residue, lattice) % lattice
    rest = (modulus - p_residue * q_residue) // lattice
    a = rest * invert(q_residue, lattice) % lattice
    b = -p_residue * invert(q_residue, lattice) % lattice
    u, v = (lattice, mpz(0)), (b, mpz(1))

    def dot(s, t):
        return s[0] * t[0] + s[1] * t[1]

    while True:
        if dot(u, u) < dot(v, v):
            u, v = v, u
        k = (2 * dot(u, v) + dot(v, v)) // (2 * dot(v, v))
        if k == 0:
            break
        u = (u[0] - k * v[0], u[1] - k * v[1])
    determinant = u[0] * v[1] - u[1] * v[0]
    c, d = a * v[1] // determinant, -a * u[1] // determinant
    for i in range(-3, 4):
        for j in range(-3, 4):
            x = a - (c + i) * u[0] - (d + j) * v[0]
            factor = gcd(p_residue + lattice * x, modulus)
            # The samples are no primes: a wrong x may meet a small factor by chance.
            if modulus.bit_length() // 4 < factor.bit_length() and factor < modulus:
                return factor
    return None


def attempt(parameters: Parameters, entropy, runs: int = 10) -> int:
    found = 0
    for _ in range(runs):
        p, q = sample(parameters, entropy)
        found += split(p * q, p % parameters.lattice, parameters.lattice) in (p, q)
    return found


def test_the_lattice_of_the_first_design_gives_the_factors_away(seed) -> None:
    old = Parameters.fitting(1024, 3, 64, 8 * 3 * 5 * 7, 512 - 24)
    assert attempt(old, SeededEntropy(seed)) == 10


@pytest.mark.parametrize("bits", [1024, 2048, 3072])
def test_with_the_small_sieve_the_same_attack_finds_nothing(bits, seed) -> None:
    parameters = Parameters.standard(bits, 3, allow_test_bits=True)
    assert parameters.lattice.bit_length() <= bits // 4 - 127
    assert attempt(parameters, SeededEntropy(seed)) == 0


def test_toy_sizes_are_toys(seed) -> None:
    """The rings of the other tests exceed R1; production cannot make such parameters."""
    assert toy().lattice.bit_length() > toy().bits // 4 - 127
