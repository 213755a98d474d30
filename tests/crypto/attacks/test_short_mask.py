"""A66: a mask shorter than the key share lets every decryption proof show the top of the share.

Old rule: the mask covers 2|N| bits, whatever the shares are; a dealerless key has longer ones. Ours: it covers sigma,
the bound that the key states. A thousand proofs of one node are intersected to find what they tell about its share.
"""

import dataclasses

import pytest

from tacita.crypto import threshold
from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.proofs import decryption
from tacita.crypto.security import CHALLENGE_BITS, HIDING_BITS
from tacita.crypto.threshold import KeyShare, partial_decrypt
from tacita.crypto.transcript import Context

PROOFS = 1000
SLACK = 250
"""How much longer than 2|N| the shares of this key are."""


@pytest.fixture(scope="module")
def long_shares():
    """A 64-bit key whose shares were lifted by multiples of their order, as a dealerless ceremony does."""
    public, shares = threshold.deal(64, 3, 1, SeededEntropy("short mask"))
    order_multiple = public.modulus * (public.modulus + 1)
    assert partial_decrypt(public, shares[0], public.v) > 1
    public = dataclasses.replace(public, sigma=public.sigma + SLACK)
    # Any integer below 2^sigma serves this test: the attacker reads responses, never verdicts.
    secret = shares[0].secret + (order_multiple << (SLACK - 4)) + 12345
    assert secret.bit_length() > public.sigma - 8
    assert abs(secret) < 1 << public.sigma
    return public, KeyShare(1, secret)


def old_mask_bits(key):
    """Control: 2|N| in place of sigma."""
    return 2 * key.modulus.bit_length() + key.delta.bit_length() + CHALLENGE_BITS + HIDING_BITS


def interval_of_the_share(public, share, entropy):
    """[lo, hi) that the responses of all proofs leave for the share: z − mask < 2^bits, mask ≥ 0."""
    context, group = Context(bytes(32), "release", "node 1", "outputs"), commitment_group()
    c = public.encryption.encrypt_with(5, 7)
    statement = decryption.Statement(1, (c,), (partial_decrypt(public, share, c),))
    mask = 1 << decryption._mask_bits(public)
    lo, hi = 0, 1 << public.sigma
    for _ in range(PROOFS):
        proof = decryption.prove(public, group, context, statement, share, entropy)
        scale = proof.challenge * public.delta
        assert scale
        lo = max(lo, (proof.response - mask) // scale + 1)
        hi = min(hi, proof.response // scale + 1)
    assert lo <= share.secret < hi
    return lo, hi


def test_a_thousand_proofs_show_the_top_of_the_share_under_the_old_rule(long_shares, entropy, monkeypatch):
    monkeypatch.setattr(decryption, "_mask_bits", old_mask_bits)
    public, share = long_shares
    lo, hi = interval_of_the_share(public, share, entropy)
    known = public.sigma - (hi - lo).bit_length()
    assert known > SLACK - HIDING_BITS


def test_a_thousand_proofs_show_nothing_of_the_share(long_shares, entropy):
    public, share = long_shares
    assert interval_of_the_share(public, share, entropy) == (0, 1 << public.sigma)


def test_the_responses_do_not_depend_on_the_share(long_shares, entropy):
    """Mean and spread of 1000 responses over the mask are those of a uniform mask, for the longest share there is."""
    public, share = long_shares
    context, group = Context(bytes(32), "release", "node 1", "outputs"), commitment_group()
    c = public.encryption.encrypt_with(5, 7)
    statement = decryption.Statement(1, (c,), (partial_decrypt(public, share, c),))
    mask = 1 << decryption._mask_bits(public)
    draws = [
        decryption.prove(public, group, context, statement, share, entropy).response * 1000 // mask
        for _ in range(PROOFS)
    ]
    # Standard deviation of the mean 9.1, so 8 sigma is 73.
    assert abs(sum(draws) / PROOFS - 500) < 73
    quarters = [sum(250 * i <= z < 250 * (i + 1) for z in draws) for i in range(4)]
    assert all(140 < q < 360 for q in quarters)


def test_honest_proofs_meet_the_bound_of_the_verifier(dealt, entropy):
    """1000 responses with the session's key, none above half of what `verify` allows."""
    public, group = dealt.public, commitment_group()
    context = Context(bytes(32), "release", "node 1", "outputs")
    c = public.encryption.encrypt(5, entropy)[0]
    statement = decryption.Statement(1, (c,), (partial_decrypt(public, dealt.shares[0], c),))
    for round_number in range(100):
        proof = decryption.prove(public, group, context, statement, dealt.shares[0], entropy)
        assert proof.response < 1 << (decryption._mask_bits(public) + 1)
        if round_number % 10 == 0:
            decryption.verify(public, group, context, statement, proof)
