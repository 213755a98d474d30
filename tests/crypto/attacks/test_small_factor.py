"""A77: nodes that all collude make N = r·q with a small r; what rests on N can then be forged by grinding.

This documents a limit: a link to a ciphertext, and a decryption proof, hold only for a well-formed N, which no
outsider can check. Therefore a participant is bound by C_bid modulo N_c, and the same forger fails against that.
"""

import copy

import gmpy2
import pytest

from tacita.crypto import threshold
from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import SeededEntropy, random_bits
from tacita.crypto.errors import InvalidProof
from tacita.crypto.integers import power
from tacita.crypto.paillier import PublicParameters, encryption_key
from tacita.crypto.proofs import decryption
from tacita.crypto.proofs.quadratic import CommitmentLink
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.threshold import check_key, combine, partial_decrypt
from tacita.deploy.attack.prover import accepted, forge
from tests.crypto.helpers import raw_decrypt


def bad_factors():
    """r of 11 bits and q of 500, both 3 mod 4: 20 bits of r take the same forger a few seconds more."""
    entropy, r = SeededEntropy("colluding nodes"), gmpy2.next_prime(1500)
    while r % 4 != 3:
        r = gmpy2.next_prime(r)
    while True:
        q = gmpy2.next_prime(random_bits(entropy, 500) | 1 << 499)
        if q % 4 == 3 and gmpy2.gcd(r * q, (r - 1) * (q - 1)) == 1:
            return int(r), int(q)


R, Q = bad_factors()


@pytest.fixture(scope="module")
def bad_parameters():
    return PublicParameters(encryption_key(R * Q), commitment_group())


def in_range_of(parameters, entropy, plaintext, value, committed=None):
    """ "Dec(c) is in [0, 100]" for an encryption of `plaintext` and the witness `value`; C_bid holds `committed`."""
    relations, key, group = Relations(), parameters.key, parameters.group
    x = relations.integer(100)
    relations.in_range(x, 0, 100)
    ciphertext, randomness = key.encrypt(plaintext, entropy)
    opening = random_bits(entropy, group.randomness_bits)
    bids = [] if committed is None else [CommitmentLink(group.commit([committed], opening), ((0, 0),))]
    witness = relations.witness({0: value}, [randomness], [opening] * len(bids), entropy)
    statement = relations.statement([link(ciphertext, x, key.randomness_bits)], bids)
    return ciphertext, statement, witness


def forge_with_grinding(parameters, context, entropy, statement, witness):
    """Repeat until r divides e·γ', so that an error of N/r in the plaintext vanishes."""
    return forge(
        parameters,
        context,
        statement,
        [int(w) for w in witness.values],
        parameters.group.generators(len(witness.values)),
        witness.paillier,
        entropy,
        openings=witness.commitments,
        wanted=lambda e, coefficients: e * coefficients.paillier[0] % R == 0,
        tries=20 * R,
    )


def bogus(value):
    """A huge plaintext that differs from `value` by a multiple of N/r."""
    return value + Q * 3


def test_a_forged_link_passes_for_such_a_modulus(bad_parameters, context, entropy):
    ciphertext, statement, witness = in_range_of(bad_parameters, entropy, bogus(7), 7)
    assert raw_decrypt(R, Q, ciphertext) == bogus(7)
    assert bogus(7) > 1 << 490
    proof = forge_with_grinding(bad_parameters, context, entropy, statement, witness)
    assert accepted(bad_parameters, context, statement, proof)


def test_the_same_forger_passes_with_an_honest_commitment_which_then_binds_it(bad_parameters, context, entropy):
    """The ciphertext lies, C_bid does not: whatever is computed from C_bid is computed from 7."""
    _, statement, witness = in_range_of(bad_parameters, entropy, bogus(7), 7, committed=7)
    proof = forge_with_grinding(bad_parameters, context, entropy, statement, witness)
    assert accepted(bad_parameters, context, statement, proof)


@pytest.mark.parametrize("committed", [8, -7, 10**9, bogus(7), bogus(0)], ids=["8", "-7", "10^9", "bogus", "N/r"])
def test_the_same_lie_about_the_commitment_fails(bad_parameters, context, entropy, committed):
    _, statement, witness = in_range_of(bad_parameters, entropy, bogus(7), 7, committed=committed)
    proof = forge_with_grinding(bad_parameters, context, entropy, statement, witness)
    assert not accepted(bad_parameters, context, statement, proof)


def test_the_forged_link_fails_without_the_small_factor(parameters, context, entropy):
    _, statement, witness = in_range_of(parameters, entropy, bogus(7), 7)
    proof = forge_with_grinding(parameters, context, entropy, statement, witness)
    assert not accepted(parameters, context, statement, proof)


@pytest.fixture
def bad_key(monkeypatch, entropy):
    """The colluding nodes deal themselves a key that passes every public check."""
    primes = iter((gmpy2.mpz(R), gmpy2.mpz(Q)))
    monkeypatch.setattr(threshold, "safe_prime", lambda bits, source: next(primes))
    public, shares = threshold.deal(511, 3, 1, entropy)
    check_key(public)
    return public, shares


def lie_about(public, share, c, context, entropy):
    """w·(1+N)^{N/r}: wrong in the part of order r, and a proof whose challenge r divides."""
    square, group = public.encryption.square, commitment_group()
    w = partial_decrypt(public, share, c) * (1 + Q * public.modulus) % square
    statement = decryption.Statement(share.index, (c,), (w,))
    transcript, _, x = decryption._combine(public, group, context, statement)
    mask = random_bits(entropy, decryption._mask_bits(public))
    a, b = power(public.v, mask, square), power(x, mask, square)
    for _ in range(20 * R):
        e = copy.copy(transcript).absorb("A", a).absorb("B", b).challenge("e")
        if e % R == 0:
            return statement, decryption.Proof(e, mask + e * public.delta * share.secret)
        a, b, mask = a * public.v % square, b * x % square, mask + 1
    raise AssertionError("no suitable challenge was found")


def test_a_false_decryption_is_proven_for_such_a_modulus(bad_key, context, entropy):
    public, shares = bad_key
    c = public.encryption.encrypt(42, entropy)[0]
    statement, proof = lie_about(public, shares[0], c, context, entropy)
    decryption.verify(public, commitment_group(), context, statement, proof)
    partials = {1: statement.partials[0], 2: partial_decrypt(public, shares[1], c)}
    assert combine(public, partials) != 42


def test_the_same_lie_fails_for_a_well_formed_modulus(dealt, context, entropy):
    c = dealt.encryption.encrypt(42, entropy)[0]
    statement, proof = lie_about(dealt.public, dealt.shares[0], c, context, entropy)
    with pytest.raises(InvalidProof):
        decryption.verify(dealt.public, commitment_group(), context, statement, proof)
