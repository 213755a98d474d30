"""Batched proof of correct partial decryption."""

import dataclasses

import pytest
from gmpy2 import jacobi

from tacita.crypto.commitment import commitment_group
from tacita.crypto.errors import InvalidCiphertext, InvalidEncoding, InvalidProof
from tacita.crypto.proofs.decryption import Proof, Statement, _mask_bits, prove, statement_for, verify
from tacita.crypto.threshold import KeyShare, combine, partial_decrypt
from tacita.crypto.transcript import Context
from tests.crypto.helpers import contexts_that_differ, other_group, refuses, signed_below
from tests.crypto.helpers import tampered as variants


@pytest.fixture
def here():
    return Context(bytes(32), "release/epoch 0", "node 2", "outputs")


@pytest.fixture
def group():
    return commitment_group()


def decrypted(dealt, entropy, count, node=2):
    """`count` random ciphertexts and what the node makes of them."""
    share = dealt.shares[node - 1]
    ciphertexts = [dealt.encryption.encrypt(signed_below(entropy, 1 << 64), entropy)[0] for _ in range(count)]
    return statement_for(
        dealt.public, node, ciphertexts, [partial_decrypt(dealt.public, share, c) for c in ciphertexts]
    )


def proven(dealt, group, here, entropy, statement):
    return prove(dealt.public, group, here, statement, dealt.shares[statement.index - 1], entropy)


@pytest.mark.parametrize("count", [1, 2, 7, 24], ids=lambda k: f"k{k}")
def test_honest_batches_verify_at_every_node(dealt, group, here, entropy, count):
    for node in (1, 2, 3):
        statement = decrypted(dealt, entropy, count, node)
        proof = proven(dealt, group, here, entropy, statement)
        verify(dealt.public, group, here, statement, proof)
        assert Proof.decode(dealt.public, proof.encode(dealt.public)) == proof


@pytest.mark.parametrize(("n", "t"), [(5, 2), (7, 3)], ids=["t2n5", "t3n7"])
def test_larger_committees_prove_too(deal, group, here, entropy, n, t):
    dealt = deal(n, t)
    statement = decrypted(dealt, entropy, 3, n)
    verify(dealt.public, group, here, statement, proven(dealt, group, here, entropy, statement))


def test_a_node_with_a_negative_share_proves_too(dealt, group, here, entropy):
    order = (dealt.p - 1) // 2 * ((dealt.q - 1) // 2) * dealt.public.modulus
    share = KeyShare(2, dealt.shares[1].secret - order)
    c = dealt.encryption.encrypt(5, entropy)[0]
    statement = Statement(2, (c,), (partial_decrypt(dealt.public, share, c),))
    verify(dealt.public, group, here, statement, prove(dealt.public, group, here, statement, share, entropy))


def test_a_proof_or_statement_with_any_field_changed_is_refused(dealt, group, here, entropy):
    statement = decrypted(dealt, entropy, 3)
    proof = proven(dealt, group, here, entropy, statement)
    verify(dealt.public, group, here, statement, proof)
    for name, other in variants(proof):
        assert refuses(verify, dealt.public, group, here, statement, other), name
    for field in ("ciphertexts", "partials"):
        values = getattr(statement, field)
        for i in range(3):
            for changed in (values[i] + 1, values[i] * values[i] % dealt.encryption.square, -values[i]):
                other = dataclasses.replace(statement, **{field: (*values[:i], changed, *values[i + 1 :])})
                assert refuses(verify, dealt.public, group, here, other, proof), (field, i)
    for index in (1, 3, 0, 4, -1):
        assert refuses(verify, dealt.public, group, here, dataclasses.replace(statement, index=index), proof), index


def wrong_partials(dealt, statement):
    """What a corrupt node may send instead (attack A33)."""
    key, square = dealt.encryption, int(dealt.encryption.square)
    w, public = list(statement.partials), dealt.public
    foreign = partial_decrypt(public, dealt.shares[0], statement.ciphertexts[0])
    return {
        "shifted by one plaintext": [w[0] * (1 + key.modulus) % square, *w[1:]],
        "times the public base": [w[0] * public.v % square, *w[1:]],
        "of another node": [foreign, *w[1:]],
        "squared": [w[0] * w[0] % square, *w[1:]],
        "in another order": [w[1], w[0], *w[2:]],
        "with errors that cancel": [w[0] * public.v % square, w[1] * pow(public.v, -1, square) % square, *w[2:]],
        "one": [1, *w[1:]],
    }


def test_a_wrong_partial_is_refused_with_a_new_and_with_the_old_proof(dealt, group, here, entropy):
    statement = decrypted(dealt, entropy, 3)
    honest = proven(dealt, group, here, entropy, statement)
    for name, partials in wrong_partials(dealt, statement).items():
        lie = dataclasses.replace(statement, partials=tuple(partials))
        attempt = proven(dealt, group, here, entropy, lie)
        assert refuses(verify, dealt.public, group, here, lie, attempt, errors=InvalidProof), name
        assert refuses(verify, dealt.public, group, here, lie, honest, errors=InvalidProof), name


def test_a_proof_with_another_share_is_refused(dealt, group, here, entropy):
    statement = decrypted(dealt, entropy, 2)
    for secret in (dealt.shares[0].secret, dealt.shares[1].secret + 1, 1):
        attempt = prove(dealt.public, group, here, statement, KeyShare(2, secret), entropy)
        with pytest.raises(InvalidProof):
            verify(dealt.public, group, here, statement, attempt)


def test_a_proof_of_other_ciphertexts_is_refused(dealt, group, here, entropy):
    one, other = decrypted(dealt, entropy, 2), decrypted(dealt, entropy, 2)
    with pytest.raises(InvalidProof):
        verify(dealt.public, group, here, other, proven(dealt, group, here, entropy, one))


def test_a_proof_is_not_replayed_in_another_context_key_epoch_or_group(dealt, group, here, entropy):
    statement = decrypted(dealt, entropy, 2)
    proof = proven(dealt, group, here, entropy, statement)
    for name, elsewhere in contexts_that_differ(here):
        assert refuses(verify, dealt.public, group, elsewhere, statement, proof), name
    for changed in ({"epoch": 1}, {"provenance": "dealerless"}, {"sigma": dealt.public.sigma + 8}, {"kappa": 4}):
        other = dataclasses.replace(dealt.public, **changed)
        assert refuses(verify, other, group, here, statement, proof), changed
    assert refuses(verify, dealt.public, other_group(), here, statement, proof)


def test_a_sign_flipped_partial_passes_and_decrypts_right(dealt, group, here, entropy):
    c = dealt.encryption.encrypt(-77, entropy)[0]
    flipped = [int(dealt.encryption.square) - partial_decrypt(dealt.public, share, c) for share in dealt.shares]
    for share, w in zip(dealt.shares, flipped, strict=True):
        statement = Statement(share.index, (c,), (w,))
        verify(dealt.public, group, here, statement, proven(dealt, group, here, entropy, statement))
    assert combine(dealt.public, {1: flipped[0], 2: flipped[1]}) == -77


def test_malformed_ciphertexts_and_partials_are_refused(dealt, group, here, entropy):
    statement = decrypted(dealt, entropy, 2)
    proof = proven(dealt, group, here, entropy, statement)
    square, modulus = int(dealt.encryption.square), dealt.public.modulus
    minus_one = next(x for x in range(2, 1000) if jacobi(x, modulus) == -1)
    for bad in (0, -1, square, dealt.p, statement.partials[0] + square, minus_one):
        lie = dataclasses.replace(statement, partials=(bad, statement.partials[1]))
        with pytest.raises(InvalidProof, match="partial decryption"):
            verify(dealt.public, group, here, lie, proof)
        lie = dataclasses.replace(statement, ciphertexts=(statement.ciphertexts[0], bad))
        with pytest.raises(InvalidCiphertext):
            verify(dealt.public, group, here, lie, proof)


def test_a_node_does_not_raise_a_malformed_ciphertext_to_its_secret(dealt, group, here, entropy):
    """The owner of a secret exponent checks the base before using it."""
    share, good = dealt.shares[1], decrypted(dealt, entropy, 1)
    for bad in (0, -5, dealt.p, int(dealt.encryption.square) + 1):
        with pytest.raises(InvalidCiphertext):
            partial_decrypt(dealt.public, share, bad)
        lie = Statement(2, (bad,), good.partials)
        with pytest.raises(InvalidCiphertext):
            prove(dealt.public, group, here, lie, share, entropy)


def test_responses_out_of_bounds_are_refused_although_they_satisfy_the_equations(dealt, group, here, entropy):
    statement = decrypted(dealt, entropy, 1)
    proof = proven(dealt, group, here, entropy, statement)
    order = (dealt.p - 1) * (dealt.q - 1) * dealt.public.modulus
    bound = 1 << (_mask_bits(dealt.public) + 1)
    for response in (proof.response + order * (bound // order + 1), proof.response - order * (2 * bound // order + 1)):
        with pytest.raises(InvalidProof, match="out of range"):
            verify(dealt.public, group, here, statement, dataclasses.replace(proof, response=response))
    with pytest.raises(InvalidProof, match="out of range"):
        verify(dealt.public, group, here, statement, dataclasses.replace(proof, challenge=proof.challenge + (1 << 128)))


def test_bytes_of_a_wrong_length_are_refused(dealt, group, here, entropy):
    data = proven(dealt, group, here, entropy, decrypted(dealt, entropy, 1)).encode(dealt.public)
    for wrong in (b"", data[:-1], data + b"\0"):
        with pytest.raises(InvalidEncoding):
            Proof.decode(dealt.public, wrong)


def test_the_prover_refuses_a_share_that_is_longer_than_its_mask_hides(dealt, group, here, entropy):
    """z // e would show what reaches beyond 2^sigma (attack A66)."""
    statement = decrypted(dealt, entropy, 1)
    for secret in (1 << dealt.public.sigma, -(1 << dealt.public.sigma), 1 << (dealt.public.sigma + 200)):
        with pytest.raises(ValueError, match="share"):
            prove(dealt.public, group, here, statement, KeyShare(2, secret), entropy)
