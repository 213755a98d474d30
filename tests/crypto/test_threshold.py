"""Any t+1 nodes decrypt; a key whose parts do not fit together is refused before it is used."""

import dataclasses
from itertools import combinations
from math import factorial

import pytest
from gmpy2 import is_prime

from tacita.crypto import threshold
from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidKey
from tacita.crypto.threshold import KeyShare, check_key, check_share, combine, lagrange, partial_decrypt
from tests.crypto.helpers import INSECURE_OTHER_MODULUS, other_group, refuses, signed_below

COMMITTEES = pytest.mark.parametrize(("n", "t"), [(3, 1), (5, 2), (7, 3), (5, 1)], ids=["t1n3", "t2n5", "t3n7", "t1n5"])


def partials_of(dealt, ciphertext):
    return {share.index: partial_decrypt(dealt.public, share, ciphertext) for share in dealt.shares}


@COMMITTEES
def test_every_quorum_decrypts_and_every_smaller_one_does_not(deal, entropy, n, t):
    dealt = deal(n, t)
    plaintext = signed_below(entropy, int(dealt.encryption.half) + 1)
    partials = partials_of(dealt, dealt.encryption.encrypt(plaintext, entropy)[0])
    for size in range(1, n + 1):
        for quorum in combinations(partials, size):
            chosen = {i: partials[i] for i in quorum}
            if size > t:
                assert combine(dealt.public, chosen) == plaintext
            else:
                with pytest.raises(InvalidKey, match="needed"):
                    combine(dealt.public, chosen)


@COMMITTEES
def test_a_dealt_key_passes_every_check_and_hides_its_shares(deal, n, t):
    dealt = deal(n, t)
    check_key(dealt.public)
    assert dealt.public.provenance == threshold.DEALER_INSECURE
    assert len(dealt.shares) == n
    for share in dealt.shares:
        check_share(dealt.public, share)
        assert str(share.secret) not in repr(share)


def test_extreme_plaintexts_and_sums_decrypt(dealt, entropy):
    key, half = dealt.encryption, int(dealt.encryption.half)
    for plaintext in (0, 1, -1, half, -half):
        assert combine(dealt.public, partials_of(dealt, key.encrypt(plaintext, entropy)[0])) == plaintext
    total = key.encrypt(20, entropy)[0] * key.encrypt(-62, entropy)[0] % key.square
    assert combine(dealt.public, partials_of(dealt, total)) == -42


def test_a_partial_decryption_with_its_sign_flipped_still_decrypts_right(dealt, entropy):
    partials = partials_of(dealt, dealt.encryption.encrypt(123, entropy)[0])
    partials[1] = dealt.encryption.square - partials[1]
    assert combine(dealt.public, partials) == 123


def test_a_wrong_partial_decryption_does_not_give_the_plaintext(dealt, entropy):
    key = dealt.encryption
    partials = partials_of(dealt, key.encrypt(123, entropy)[0])
    with pytest.raises(InvalidKey, match="do not combine"):
        combine(dealt.public, {**partials, 1: partials[1] * 3 % key.square})
    # Without a decryption proof this one passes: the factor 1 + N shifts the plaintext.
    shifted = combine(dealt.public, {**partials, 1: partials[1] * (1 + key.modulus) % key.square})
    assert shifted != 123


def test_partials_that_come_in_any_order_combine(dealt, entropy):
    partials = partials_of(dealt, dealt.encryption.encrypt(9, entropy)[0])
    assert combine(dealt.public, {3: partials[3], 1: partials[1]}) == 9


def test_a_verification_key_times_a_hidden_square_root_of_one_is_refused(dealt):
    """A dealer knows s = 1 mod p², −1 mod q²: even exponents hide it from the windows, its symbol −1 does not."""
    p, q, public = dealt.p, dealt.q, dealt.public
    square = public.modulus**2
    root = (1 + p**2 * (-2 * pow(p**2, -1, q**2) % q**2)) % square
    assert pow(root, 2, square) == 1
    first, *others = public.verification
    hidden = dataclasses.replace(public, verification=(first * root % square, *others))
    with pytest.raises(InvalidKey, match="Jacobi"):
        check_key(hidden)


@pytest.mark.parametrize(("n", "t"), [(3, 0), (4, 2), (2, 0), (1, 0)])
def test_a_committee_without_an_honest_majority_or_without_a_threshold_is_not_dealt(deal, n, t):
    with pytest.raises(InvalidKey, match="honest majority"):
        deal(n, t)


@pytest.mark.parametrize("index", [0, -1, 4, 100])
def test_a_partial_decryption_of_a_node_that_does_not_exist_is_refused(dealt, entropy, index):
    """Index 0 would carry all the weight: whoever sends it chooses the plaintext (attack A08)."""
    key = dealt.encryption
    partials = partials_of(dealt, key.encrypt(9, entropy)[0])
    forged = key.with_plaintext(777)
    with pytest.raises(InvalidKey):
        combine(dealt.public, {index: forged, 3: partials[3]})


def tampered_keys(dealt):
    public, square = dealt.public, int(dealt.encryption.square)
    v = public.verification

    def changed(**fields):
        return dataclasses.replace(public, **fields)

    return {
        "a verification key times v": changed(verification=(v[0] * public.v % square, *v[1:])),
        "a verification key times 1+N": changed(verification=(*v[:-1], v[-1] * (1 + public.modulus) % square)),
        "two verification keys swapped": changed(verification=(v[1], v[0], *v[2:])),
        "a verification key of zero": changed(verification=(0, *v[1:])),
        "a verification key plus N squared": changed(verification=(v[0] + square, *v[1:])),
        "a verification key less": changed(verification=v[:-1]),
        "a verification key more": changed(verification=(*v, v[-1])),
        "another base": changed(v=public.v * public.v % square),
        "the negated base": changed(v=square - public.v),
        "kappa plus one": changed(kappa=public.kappa + 1),
        "kappa of zero": changed(kappa=0),
        "a negative kappa": changed(kappa=-public.kappa),
        "mu of two": changed(mu=2),
        "mu of zero": changed(mu=0),
        "sigma of zero": changed(sigma=0),
        "a threshold without honest majority": changed(threshold=2),
        "a threshold of zero": changed(threshold=0),
        "more parties": changed(parties=4),
        "fewer parties": changed(parties=2, verification=v[:2]),
        "another modulus": changed(modulus=INSECURE_OTHER_MODULUS),
        "an even modulus": changed(modulus=public.modulus + 1),
        "kappa that shares a factor with N": changed(kappa=dealt.p),
    }


def test_a_key_with_any_wrong_part_is_refused(dealt):
    check_key(dealt.public)
    for name, key in tampered_keys(dealt).items():
        assert refuses(check_key, key, errors=InvalidKey), name


def test_a_negated_verification_key_passes_in_public_but_not_at_its_own_node(dealt):
    """Every λ_i is even for three nodes, so signs cancel in the windows; the node itself compares exactly."""
    first, *others = dealt.public.verification
    negated = dataclasses.replace(dealt.public, verification=(int(dealt.encryption.square) - first, *others))
    check_key(negated)
    with pytest.raises(InvalidKey, match="does not match"):
        check_share(negated, dealt.shares[0])


def test_every_window_of_the_verification_keys_is_checked(deal):
    """Each node of five is tampered with alone, so the first and the last window are needed."""
    public = deal(5, 2).public
    square = int(public.encryption.square)
    for node in range(5):
        wrong = list(public.verification)
        wrong[node] = wrong[node] * public.v % square
        with pytest.raises(InvalidKey, match="known ciphertext"):
            check_key(dataclasses.replace(public, verification=tuple(wrong)))


def test_a_consistent_key_over_another_constant_is_refused(dealt):
    """v_i^3 lies on a polynomial too, but decrypts 3·v."""
    square = int(dealt.encryption.square)
    cubed = tuple(pow(value, 3, square) for value in dealt.public.verification)
    with pytest.raises(InvalidKey, match="known ciphertext"):
        check_key(dataclasses.replace(dealt.public, verification=cubed))
    check_key(dataclasses.replace(dealt.public, verification=cubed, kappa=3 * dealt.public.kappa))


def test_a_share_that_is_not_this_nodes_is_refused(dealt):
    share = dealt.shares[0]
    order = (dealt.p - 1) // 2 * ((dealt.q - 1) // 2) * dealt.public.modulus
    for wrong in (
        KeyShare(1, share.secret + 1),
        KeyShare(2, share.secret),
        KeyShare(0, dealt.shares[2].secret),
        KeyShare(4, share.secret),
        KeyShare(1, share.secret + (order << 20)),
        KeyShare(1, 1 << dealt.public.sigma),
    ):
        with pytest.raises(InvalidKey):
            check_share(dealt.public, wrong)


def test_a_negative_share_within_the_bound_is_as_good(dealt, entropy):
    """Dealerless shares may be negative: s − 2·ord is congruent and within 2^sigma."""
    order = (dealt.p - 1) // 2 * ((dealt.q - 1) // 2) * dealt.public.modulus
    negative = KeyShare(1, dealt.shares[0].secret - order)
    assert negative.secret < 0
    check_share(dealt.public, negative)
    c = dealt.encryption.encrypt(-5, entropy)[0]
    partials = {1: partial_decrypt(dealt.public, negative, c), 3: partial_decrypt(dealt.public, dealt.shares[2], c)}
    assert combine(dealt.public, partials) == -5


def test_the_identifier_depends_on_every_field_of_the_key(dealt):
    public, group = dealt.public, commitment_group()
    keys = [public, *(key for name, key in tampered_keys(dealt).items() if "even modulus" not in name)]
    keys += [dataclasses.replace(public, epoch=1), dataclasses.replace(public, provenance="dealerless")]
    keys.append(dataclasses.replace(public, sigma=public.sigma + 1))
    identifiers = [key.identifier(group) for key in keys]
    assert len(set(identifiers)) == len(keys)
    assert public.identifier(other_group()) not in identifiers


@COMMITTEES
def test_the_coefficients_interpolate_at_zero_over_the_integers(entropy, n, t):
    polynomial = [signed_below(entropy, 1 << 64) for _ in range(t + 1)]

    def f(x):
        return sum(a * x**k for k, a in enumerate(polynomial))

    for points in combinations(range(1, n + 1), t + 1):
        total = sum(lagrange(points, i, factorial(n)) * f(i) for i in points)
        assert total == factorial(n) * polynomial[0]


def test_safe_primes_are_safe_and_their_product_has_the_full_length():
    entropy = SeededEntropy("safe primes")
    primes = [threshold.safe_prime(128, entropy) for _ in range(4)]
    for p in primes:
        assert is_prime(p)
        assert is_prime((p - 1) // 2)
        assert p % 4 == 3
    assert all((p * q).bit_length() == 256 for p, q in combinations(primes, 2))


def test_a_freshly_dealt_key_works(entropy):
    public, shares = threshold.deal(256, 3, 1, entropy)
    c = public.encryption.encrypt(-31, entropy)[0]
    assert public.modulus.bit_length() == 256
    assert combine(public, {s.index: partial_decrypt(public, s, c) for s in shares[1:]}) == -31
