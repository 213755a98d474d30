"""A69: randomness of a combined ciphertext that is longer than its mask is shown by the proof, and nobody notices.

Old rule: one mask for every link, sized for fresh ciphertexts. Ours: every link states tau, its randomness is below
2^tau, the mask covers the longest, and the prover refuses anything longer.
"""

import dataclasses

import pytest

from tacita.crypto.entropy import random_bits
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import PaillierLink, Statement, Witness
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS

TRIALS = 40


def combined_link(key, entropy, tau):
    """A ciphertext whose randomness has tau bits, such as a sum with 128-bit coefficients."""
    randomness = random_bits(entropy, tau - 1) | 1 << (tau - 1)
    return PaillierLink(key.encrypt_with(5, randomness), ((0, 1),), 0, tau), randomness


def gamma_of(parameters, context, statement, proof):
    transcript = quadratic._absorb(parameters, context, statement)
    return quadratic._Coefficients(transcript, statement, proof.commitment).paillier[0]


def bits_of_randomness_shown(parameters, context, statement, proof, randomness):
    """How many leading bits of t equal those of the attacker's estimate z_P / (e·γ')."""
    estimate = proof.paillier // (proof.challenge * gamma_of(parameters, context, statement, proof))
    return max(0, randomness.bit_length() - abs(estimate - randomness).bit_length())


def old_sizes(parameters, statement):
    """Control: the mask of the longest link is that of a fresh ciphertext."""
    short = [dataclasses.replace(link, randomness_bits=parameters.key.randomness_bits) for link in statement.paillier]
    return SIZES(parameters, dataclasses.replace(statement, paillier=tuple(short)))


SIZES = quadratic._Sizes


@pytest.mark.parametrize("extra", [300, 400, 1000])
def test_the_old_mask_shows_the_leading_bits_of_the_randomness(parameters, context, entropy, monkeypatch, extra):
    monkeypatch.setattr(quadratic, "_Sizes", old_sizes)
    link, randomness = combined_link(parameters.key, entropy, parameters.key.randomness_bits + extra)
    statement = Statement((8,), (), (link,))
    proof = quadratic.prove(parameters, context, statement, Witness((5,), (randomness,)), entropy)
    assert bits_of_randomness_shown(parameters, context, statement, proof, randomness) > extra - HIDING_BITS - 20


def test_with_128_bits_more_the_old_mask_hides_nothing_and_every_proof_verifies(
    parameters, context, entropy, monkeypatch
):
    """The secret part of z_P is as long as its mask, and no verifier can notice."""
    monkeypatch.setattr(quadratic, "_Sizes", old_sizes)
    tau = parameters.key.randomness_bits + 128
    for _ in range(10):
        link, randomness = combined_link(parameters.key, entropy, tau)
        statement = Statement((8,), (), (link,))
        proof = quadratic.prove(parameters, context, statement, Witness((5,), (randomness,)), entropy)
        quadratic.verify(parameters, context, statement, proof)
    secret_bits = 2 * CHALLENGE_BITS + tau
    assert old_sizes(parameters, statement).paillier - secret_bits < 10
    assert SIZES(parameters, statement).paillier - secret_bits >= HIDING_BITS


@pytest.mark.parametrize("extra", [0, 128, 300, 1000])
def test_our_mask_shows_no_bit_of_the_randomness(parameters, context, entropy, extra):
    tau = parameters.key.randomness_bits + extra
    worst = 0
    for _ in range(TRIALS):
        link, randomness = combined_link(parameters.key, entropy, tau)
        statement = Statement((8,), (), (link,))
        proof = quadratic.prove(parameters, context, statement, Witness((5,), (randomness,)), entropy)
        quadratic.verify(parameters, context, statement, proof)
        worst = max(worst, bits_of_randomness_shown(parameters, context, statement, proof, randomness))
    # The estimate is off by a factor of 2^128: agreement in the leading 20 bits would be chance of 2^-20 and less.
    assert worst < 20


@pytest.mark.parametrize("links", [1, 2, 3, 24, 100])
@pytest.mark.parametrize("extra", [0, 1, 500])
def test_every_mask_is_longer_than_what_it_hides_by_the_hiding_bits(parameters, links, extra):
    """The size test: e·Σ γ'_l t_l, e·Σ δ_l r_l, e·ρ and e·w against the masks of the longest allowed values."""
    tau, hidden = parameters.key.randomness_bits + extra, parameters.group.randomness_bits
    paillier = [PaillierLink(1, (), 0, parameters.key.randomness_bits)] * (links - 1) + [PaillierLink(1, (), 0, tau)]
    externals = (quadratic.CommitmentLink(1, ()),) * links
    sizes = quadratic._Sizes(parameters, Statement((8, 64), (), tuple(paillier), externals))
    e = coefficient = (1 << CHALLENGE_BITS) - 1
    for mask, secret in [
        (sizes.paillier, e * coefficient * links * ((1 << tau) - 1)),
        (sizes.links, e * coefficient * links * ((1 << hidden) - 1)),
        (sizes.randomness, e * ((1 << hidden) - 1)),
        (sizes.values[0], e * ((1 << 8) - 1)),
        (sizes.values[1], e * ((1 << 64) - 1)),
    ]:
        assert mask >= secret.bit_length() + HIDING_BITS


def test_the_prover_refuses_randomness_longer_than_the_link_states(parameters, context, entropy):
    tau = parameters.key.randomness_bits
    link, randomness = combined_link(parameters.key, entropy, tau + 1)
    understated = dataclasses.replace(link, randomness_bits=tau)
    with pytest.raises(ValueError, match="longer than its mask"):
        quadratic.prove(parameters, context, Statement((8,), (), (understated,)), Witness((5,), (randomness,)), entropy)
