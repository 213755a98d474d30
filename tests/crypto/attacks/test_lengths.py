"""A68, A08: length games. Lengths are part of the statement, compared first and never cut to the shorter.

Old rules: zip() of lists of different length, a fixed stock of generators, indices taken from the message.
"""

import builtins
import dataclasses

import pytest
from gmpy2 import mpz

from tacita.crypto.commitment import RSA_2048, CommitmentGroup, commitment_group
from tacita.crypto.errors import InvalidKey, InvalidProof
from tacita.crypto.integers import multi_power, power
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import decryption, quadratic
from tacita.crypto.proofs.quadratic import CommitmentLink, PaillierLink, Proof, Statement, Witness
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.threshold import combine, partial_decrypt
from tacita.deploy.attack.prover import accepted
from tacita.deploy.attack.sizes import invented_second
from tests.crypto.helpers import range_instance, refuses

HIGH = 10**9


def cut_multi_power(bases, exponents, modulus):
    """Control: surplus bases or exponents are dropped without a word."""
    count = min(len(bases), len(exponents))
    return multi_power(bases[:count], exponents[:count], modulus)


class StockOfGenerators(CommitmentGroup):
    """Old rule: four generators were made; witnesses beyond them are bound by nothing."""

    def generators(self, count):
        return super().generators(min(count, 4))

    def commit(self, values, randomness):
        return self.canonical(
            self.h.power(randomness) * cut_multi_power(self.generators(len(values)), values, self.modulus)
        )


def two_bids(parameters, entropy, second):
    """Ciphertexts of 7 and `second` with the statement that both lie in [0, 100]; bids come first, then squares."""
    relations, key = Relations(), parameters.key
    first = relations.integer(100)
    relations.in_range(first, 0, 100)
    other = relations.integer(100)
    relations.in_range(other, 0, 100)
    (c, r), (d, s) = key.encrypt(7, entropy), key.encrypt(second, entropy)
    bits = key.randomness_bits
    return relations.statement([link(c, first, bits), link(d, other, bits)]), relations, (r, s)


@pytest.mark.parametrize("ours", [False, True], ids=["old rule", "ours"])
def test_a_bid_beyond_the_stock_of_generators_is_proven_in_range_under_the_old_rule_only(
    parameters, context, entropy, ours
):
    current = parameters if ours else PublicParameters(parameters.key, StockOfGenerators(RSA_2048))
    statement, relations, randomness = two_bids(current, entropy, HIGH)
    witness = relations.witness({0: 7, 4: 50}, randomness, (), entropy)
    proof = invented_second(current, statement, witness.values, randomness, entropy, context)
    assert accepted(current, context, statement, proof) is not ours


def test_a_third_ciphertext_without_a_range_is_dropped_under_the_old_rule_only(parameters, context, entropy):
    """The old statement was zip(ciphertexts, ranges); ours has one link per ciphertext and a proof for all of them."""
    two = range_instance(parameters, entropy, [(0, 10), (0, 10)], [1, 2])
    proof = quadratic.prove(parameters, context, two.statement, two.witness, entropy)
    third = PaillierLink(parameters.key.encrypt(10**30, entropy)[0], ((8, 1),), 0, parameters.key.randomness_bits)
    ciphertexts, ranges = [*two.statement.paillier, third], [(0, 10), (0, 10)]
    old = dataclasses.replace(two.statement, paillier=tuple(c for c, _ in zip(ciphertexts, ranges, strict=False)))
    quadratic.verify(parameters, context, old, proof)
    with pytest.raises(InvalidProof):
        quadratic.verify(parameters, context, dataclasses.replace(two.statement, paillier=tuple(ciphertexts)), proof)


def test_responses_links_or_indices_that_do_not_match_the_statement_are_refused(parameters, context, entropy):
    instance = range_instance(parameters, entropy, [(0, 10), (0, 10)], [1, 2], commitment=True)
    statement = instance.statement
    proof = quadratic.prove(parameters, context, statement, instance.witness, entropy)
    quadratic.verify(parameters, context, statement, proof)
    for values in ((), proof.values[:-1], (*proof.values, 0), proof.values * 2):
        lie = dataclasses.replace(proof, values=values)
        with pytest.raises(InvalidProof, match="wrong number"):
            quadratic.verify(parameters, context, statement, lie)
    paillier, external = statement.paillier, statement.commitments[0]
    count = len(statement.bits)
    for changed in (
        {"paillier": paillier[:1]},
        {"paillier": (*paillier, paillier[0])},
        {"paillier": ()},
        {"commitments": ()},
        {"commitments": (external, external)},
        {"quadratics": statement.quadratics[:1]},
        {"quadratics": ()},
        {"bits": statement.bits[:-1]},
        {"bits": (*statement.bits, 8)},
    ):
        lie = dataclasses.replace(statement, **changed)
        assert refuses(quadratic.verify, parameters, context, lie, proof, errors=InvalidProof), changed
    for index in (-1, count, count + 5):
        for changed in (
            {"paillier": (dataclasses.replace(paillier[0], terms=((index, 1),)), paillier[1])},
            {"commitments": (CommitmentLink(external.commitment, ((0, index), (1, 1))),)},
            {"commitments": (CommitmentLink(external.commitment, ((index, 0), (1, 1))),)},
            {"quadratics": (quadratic.Quadratic(((index, 0, 1),)),)},
            {"quadratics": (quadratic.Quadratic(((0, index, 1),)),)},
            {"quadratics": (quadratic.Quadratic((), ((index, 1),)),)},
        ):
            with pytest.raises(InvalidProof, match="does not exist"):
                quadratic.verify(parameters, context, dataclasses.replace(statement, **changed), proof)


def test_a_prover_refuses_a_statement_with_an_index_that_does_not_exist(parameters, context, entropy):
    for index in (-1, 1):
        statement = Statement((8,), (quadratic.Quadratic((), ((index, 1),), -5),), ())
        with pytest.raises(InvalidProof, match="does not exist"):
            quadratic.prove(parameters, context, statement, Witness((5,), ()), entropy)


@pytest.fixture
def batch(dealt, entropy):
    ciphertexts = tuple(dealt.encryption.encrypt(x, entropy)[0] for x in (1, 2))
    return ciphertexts, tuple(partial_decrypt(dealt.public, dealt.shares[0], c) for c in ciphertexts)


def test_a_junk_partial_behind_an_honest_batch_passes_under_the_old_rule(dealt, context, entropy, batch, monkeypatch):
    ciphertexts, partials = batch
    statement = decryption.Statement(1, ciphertexts, (*partials, mpz(7) ** 2))
    monkeypatch.setattr(decryption, "_check_shape", lambda key, statement: None)
    monkeypatch.setattr(decryption, "multi_power", cut_multi_power)
    group = commitment_group()
    proof = decryption.prove(dealt.public, group, context, statement, dealt.shares[0], entropy)
    decryption.verify(dealt.public, group, context, statement, proof)


def test_partials_that_do_not_pair_up_with_ciphertexts_are_refused(dealt, context, entropy, batch):
    (c, d), (w, x) = batch
    group, key = commitment_group(), dealt.public
    honest = decryption.prove(key, group, context, decryption.Statement(1, *batch), dealt.shares[0], entropy)
    for ciphertexts, partials in [((c, d), (w, x, w)), ((c, d), (w,)), ((c, d, c), (w, x)), ((), ()), ((), (w,))]:
        statement = decryption.Statement(1, ciphertexts, partials)
        with pytest.raises(InvalidProof, match="one partial decryption for every ciphertext"):
            decryption.verify(key, group, context, statement, honest)
        with pytest.raises(InvalidProof, match="one partial decryption"):
            decryption.prove(key, group, context, statement, dealt.shares[0], entropy)
        with pytest.raises(InvalidProof, match="one partial decryption"):
            decryption.statement_for(key, 1, ciphertexts, partials)
    for ciphertexts, partials in [((c,), (w,)), ((c, d, c), (w, x, w)), ((d, c), (x, w))]:
        statement = decryption.Statement(1, ciphertexts, partials)
        with pytest.raises(InvalidProof, match="does not verify"):
            decryption.verify(key, group, context, statement, honest)


@pytest.mark.parametrize("index", [-2, -1, 0, 4, 2**64])
def test_a_decrypting_node_that_does_not_exist_is_refused(dealt, context, entropy, batch, index):
    group = commitment_group()
    honest = decryption.prove(dealt.public, group, context, decryption.Statement(1, *batch), dealt.shares[0], entropy)
    with pytest.raises(InvalidProof, match="no place"):
        decryption.verify(dealt.public, group, context, decryption.Statement(index, *batch), honest)


def test_a_negative_index_would_have_found_another_nodes_key_under_the_old_rule(dealt):
    """Control for the case above: Python's own indexing wraps around."""
    assert dealt.public.verification[-1] == dealt.public.verification[2]
    assert (
        power(dealt.public.v, dealt.public.delta * dealt.shares[2].secret, dealt.encryption.square)
        == (dealt.public.verification[-1])
    )


def test_too_few_partial_decryptions_are_refused(dealt, batch):
    for partials in ({}, {1: batch[1][0]}):
        with pytest.raises(InvalidKey, match="needed"):
            combine(dealt.public, partials)


def test_no_zip_in_the_proofs_cuts_to_the_shorter(parameters, context, entropy, dealt, batch, monkeypatch):
    """Every zip() of a whole run is strict: the proofs see this replacement of the built-in."""
    loose = []

    def watched(*sequences, strict=False):
        if not strict:
            loose.append(sequences)
        return builtins.zip(*sequences, strict=strict)

    monkeypatch.setattr(quadratic, "zip", watched, raising=False)
    monkeypatch.setattr(decryption, "zip", watched, raising=False)
    instance = range_instance(parameters, entropy, [(0, 10)], [1], commitment=True)
    proof = quadratic.prove(parameters, context, instance.statement, instance.witness, entropy)
    quadratic.verify(parameters, context, instance.statement, proof)
    Proof.decode(parameters, instance.statement, proof.encode(parameters, instance.statement))
    statement, group = decryption.Statement(1, *batch), commitment_group()
    answer = decryption.prove(dealt.public, group, context, statement, dealt.shares[0], entropy)
    decryption.verify(dealt.public, group, context, statement, answer)
    assert not loose
