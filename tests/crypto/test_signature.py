"""Ed25519 identities and the aggregated BLS signature of a certificate, with rogue keys and dropped signers."""

import pytest
from py_ecc.bls.ciphersuites import G2ProofOfPossession as Scheme
from py_ecc.bls.g2_primitives import G1_to_pubkey, pubkey_to_G1, subgroup_check
from py_ecc.optimized_bls12_381 import FQ, G1, add, field_modulus, multiply, neg

from tacita.crypto import signature
from tacita.crypto.errors import InvalidSignature
from tacita.crypto.signature import (
    MultiSigningKey,
    SigningKey,
    aggregate,
    check_possession,
    verify_aggregate,
    verify_signature,
)
from tests.crypto.helpers import refuses

ROOT = bytes(range(32))
INFINITY = b"\xc0" + bytes(47)


@pytest.fixture
def alice(entropy):
    return SigningKey.generate(entropy)


def test_a_signature_verifies_for_its_signer_domain_and_message_only(alice, entropy):
    signed = alice.sign("commit", b"bid")
    verify_signature(alice.public, "commit", b"bid", signed)
    for public, domain, message in [
        (SigningKey.generate(entropy).public, "commit", b"bid"),
        (alice.public, "release", b"bid"),
        (alice.public, "commi", b"tbid"),
        (alice.public, "commit", b"bid "),
        (alice.public, "commit", b""),
    ]:
        with pytest.raises(InvalidSignature):
            verify_signature(public, domain, message, signed)


def test_every_flipped_bit_of_a_signature_is_noticed(alice):
    signed = alice.sign("commit", b"bid")
    for position in range(512):
        changed = bytearray(signed)
        changed[position // 8] ^= 1 << position % 8
        assert refuses(verify_signature, alice.public, "commit", b"bid", bytes(changed), errors=InvalidSignature)


def test_a_second_signature_made_by_adding_the_group_order_is_refused(alice):
    """s + L would verify under a careless verifier: two encodings of one signature."""
    order = 2**252 + 27742317777372353535851937790883648493
    signed = alice.sign("commit", b"bid")
    s = int.from_bytes(signed[32:], "little") + order
    with pytest.raises(InvalidSignature):
        verify_signature(alice.public, "commit", b"bid", signed[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_public_key_of_another_length_is_refused(alice, size):
    with pytest.raises(InvalidSignature, match="length"):
        verify_signature((alice.public * 2)[:size], "commit", b"bid", alice.sign("commit", b"bid"))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(alice, size):
    with pytest.raises(InvalidSignature, match="length"):
        verify_signature(alice.public, "commit", b"bid", (alice.sign("commit", b"bid") * 2)[:size])


def test_a_public_key_that_is_no_point_is_refused(alice):
    with pytest.raises(InvalidSignature):
        verify_signature(b"\xff" * 32, "commit", b"bid", alice.sign("commit", b"bid"))


def test_seeds_are_not_shown(alice):
    assert repr(alice.seed) not in repr(alice)
    assert repr(alice.seed) not in repr(MultiSigningKey(alice.seed))


@pytest.fixture(scope="module", params=["py_ecc", "blspy"])
def backend(request):
    """Both libraries must give the same verdicts; the accelerator is optional (extra: fast)."""
    library = None if request.param == "py_ecc" else pytest.importorskip("blspy", reason="accelerator not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signature, "_fast", library)
        signature._possesses.cache_clear()
        signature._aggregate_holds.cache_clear()
        yield request.param
        signature._possesses.cache_clear()
        signature._aggregate_holds.cache_clear()


@pytest.fixture(scope="module")
def committee(backend):
    """alice, bob and carol with their signatures over the root; pairings are slow, so once per library."""
    keys = [MultiSigningKey(name.encode() * 8) for name in ("ali.", "bob.", "carl")]
    return [key.public for key in keys], [key.sign(ROOT) for key in keys], keys


def outside_the_subgroup():
    """A point of the curve y² = x³ + 4 whose order is not the group's, compressed."""
    for x in range(1, 100):
        y = pow(x**3 + 4, (field_modulus + 1) // 4, field_modulus)
        if y * y % field_modulus == (x**3 + 4) % field_modulus and not subgroup_check((FQ(x), FQ(y), FQ(1))):
            return (x | 1 << 383 | (2 * y > field_modulus) << 381).to_bytes(48, "big")
    raise AssertionError("no such point was found")


def test_the_aggregate_of_all_signers_verifies_and_nothing_else_does(committee):
    publics, signatures, _ = committee
    whole = aggregate(signatures)
    verify_aggregate(publics, ROOT, whole)
    refused = {
        "a dropped signer": (publics, ROOT, aggregate(signatures[:2])),
        "a dropped key": (publics[:2], ROOT, whole),
        "another root": (publics, ROOT[::-1], whole),
        "a key twice": ([*publics, publics[0]], ROOT, whole),
        "no signer": ([], ROOT, whole),
        "no signer and the empty signature": ([], ROOT, b"\xc0" + bytes(95)),
        "the empty signature": (publics, ROOT, b"\xc0" + bytes(95)),
        "a short signature": (publics, ROOT, whole[:-1]),
        "a long key": ([publics[0] + b"\0", *publics[1:]], ROOT, whole),
        "bytes that are no point": (publics, ROOT, b"\xff" * 96),
        "a key that is no point": ([b"\xff" * 48, *publics[1:]], ROOT, whole),
        "a key outside the subgroup": ([*publics, outside_the_subgroup()], ROOT, whole),
    }
    for name, arguments in refused.items():
        assert refuses(verify_aggregate, *arguments, errors=InvalidSignature), name


def test_the_point_at_infinity_is_no_signer(committee):
    """It adds nothing to the sum, so a certificate would name a signer who never signed."""
    publics, signatures, _ = committee
    with pytest.raises(InvalidSignature):
        verify_aggregate([*publics, INFINITY], ROOT, aggregate(signatures))


def test_a_rogue_key_passes_the_old_rule_and_fails_the_proof_of_possession(committee):
    """A16: the rogue key a·G − victim lets its maker sign for both. Control: verification without possession."""
    publics, _, keys = committee
    secret = Scheme.KeyGen(b"mallory." * 4)
    rogue = G1_to_pubkey(add(multiply(G1, secret), neg(pubkey_to_G1(publics[0]))))
    forged = Scheme.Sign(secret, ROOT)
    verify_aggregate([publics[0], rogue], ROOT, forged)
    for proof in (Scheme.PopProve(secret), keys[1].prove_possession(), b"\xc0" + bytes(95)):
        with pytest.raises(InvalidSignature, match="possession"):
            check_possession(rogue, proof)


def test_a_proof_of_possession_is_for_one_key(committee):
    publics, _, keys = committee
    proof = keys[0].prove_possession()
    check_possession(publics[0], proof)
    for public, other in [
        (publics[1], proof),
        (publics[0], keys[0].sign(publics[0])),
        (INFINITY, b"\xc0" + bytes(95)),
        (outside_the_subgroup(), proof),
        (publics[0][:-1], proof),
        (publics[0], proof[:-1]),
        (b"\xff" * 48, proof),
    ]:
        with pytest.raises(InvalidSignature, match="possession"):
            check_possession(public, other)


def test_the_bytes_do_not_depend_on_the_library(committee):
    publics, signatures, keys = committee
    secret = Scheme.KeyGen(keys[0].seed)
    assert publics[0] == Scheme.SkToPk(secret)
    assert signatures[0] == Scheme.Sign(secret, ROOT)
    assert keys[0].prove_possession() == Scheme.PopProve(secret)
    assert aggregate(signatures) == Scheme.Aggregate(signatures)


@pytest.mark.parametrize("neutral", [1, 1 | 1 << 255, 2**255 - 18], ids=["canonical", "with a sign", "not reduced"])
def test_a_key_under_which_everybody_can_sign_everything_is_refused(neutral):
    """The neutral element as public key: R = key, s = 0 passes the equation s·B = R + h·A for every message."""
    public = neutral.to_bytes(32, "little")
    for message in (b"bid 5", b"bid 6"):
        with pytest.raises(InvalidSignature):
            verify_signature(public, "commit", message, (1).to_bytes(32, "little") + bytes(32))
