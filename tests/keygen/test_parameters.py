"""Sizes: R1, R2, R10, and what cannot be asked for."""

from math import prod

import pytest
from gmpy2 import gcd, is_prime

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.deploy.attack.ring import toy
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.derivation import Deriver, Sharing
from tacita.protocols.keygen.parameters import Parameters, primes_between
from tacita.protocols.keygen.statements import Place

SIZES = [(bits, m) for bits in (1024, 2048, 3072) for m in (3, 4, 5, 7)]


@pytest.mark.parametrize(("bits", "parties"), SIZES, ids=[f"{b}m{m}" for b, m in SIZES])
def test_the_sieve_is_small_and_n_always_has_its_full_length(bits, parties) -> None:
    p = Parameters.standard(bits, parties, allow_test_bits=True)
    k = bits // 2
    assert p.lattice.bit_length() <= k // 2 - 127
    assert p.fixed == 8 * prod(r for r in range(3, 48) if is_prime(r))
    assert gcd(p.fixed, p.sieve) == 1 and p.offset % p.lattice == 0
    smallest, largest = p.offset, p.offset + parties * (p.lattice * p.lift_range)
    assert smallest**2 >= 1 << (bits - 1) and largest <= 1 << k
    assert (smallest * smallest).bit_length() == ((largest - 1) ** 2).bit_length() == bits
    assert p.field > 1 << (bits + 1)
    assert p.residue(1) % p.sieve == 0 and p.residue(1) % p.fixed == p.fixed - 1 and p.residue(2) == 0


@pytest.mark.parametrize(("bits", "expected"), [(1024, 1823), (2048, 4887), (3072, 9332)])
def test_the_expected_number_of_candidates_is_the_specified_one(bits, expected) -> None:
    assert abs(Parameters.standard(bits, 3, allow_test_bits=True).expected_candidates - expected) < 10


def test_what_is_too_short_or_too_many_is_refused() -> None:
    for bits, parties in ((1024, 3), (2047, 3), (512, 3), (4096, 3), (2048, 2), (2048, 8)):
        with pytest.raises(CallerMistake):
            Parameters.standard(bits, parties)
    with pytest.raises(CallerMistake):
        Parameters.standard(2048, 3, batch=100)


def test_the_digest_depends_on_every_size() -> None:
    sizes = [toy(3, 256, 64), toy(3, 256, 32), toy(5, 256, 64), toy(3, 512, 64)]
    assert len({p.digest for p in sizes}) == len(sizes)


@pytest.mark.parametrize("parties", [3, 5])
def test_no_honest_share_exceeds_its_public_bound(parties, seed) -> None:
    p, entropy = toy(parties), SeededEntropy(seed)
    modulus = (1 << p.bits) - 5
    sharing = Sharing(p, Place(bytes(32), 0, 0), modulus)
    f, g = [0] * (parties + 1), [0] * (parties + 1)
    for i in p.everyone:
        half = (1 << p.half) - 1
        deriver = Deriver(sharing, i, entropy.token(32), random_below(entropy, half), random_below(entropy, half))
        for j in p.everyone:
            phi, beta = deriver.pair_shares(j)
            assert abs(phi) <= p.share_bound(p.phi_bound(i)) and abs(beta) <= p.share_bound(p.beta_bound)
            f[j], g[j] = f[j] + phi, g[j] + beta
            # The extreme weight still fits its bound.
            long = deriver.long_share(p.weight_bound, j)
            assert abs(long) <= p.share_bound(p.weight_bound)
    for i in p.openers:
        weight = Deriver(sharing, i, bytes(32), 0, 0).weight(f[i], g[i])
        assert abs(weight) <= p.weight_bound
    assert (2 * p.threshold + 1) * p.share_bound(p.weight_bound) < 1 << p.sigma


def test_primes_are_primes() -> None:
    assert primes_between(1, 30) == (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
    assert primes_between(7, 13) == (11, 13)
