"""Everything public enters every challenge (attack A03, Frozen Heart).

Three angles: two statements never share a transcript, each first message is absorbed before its challenge, and a
verifier that hears any single item differently refuses the proof.
"""

import dataclasses

import pytest

from tacita.crypto.commitment import commitment_group
from tacita.crypto.errors import InvalidProof
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import decryption, knowledge, quadratic
from tacita.crypto.threshold import partial_decrypt
from tacita.crypto.transcript import Transcript
from tests.crypto.helpers import contexts_that_differ, other_group, range_instance, small_modulus_parameters
from tests.crypto.helpers import tampered as variants


@pytest.fixture
def knowledge_run(parameters, context, entropy):
    ciphertext, randomness = parameters.key.encrypt(5, entropy)
    statement = knowledge.Statement(ciphertext)
    proof = knowledge.prove(parameters, context, statement, knowledge.Witness(5, randomness), entropy)
    return lambda: knowledge.verify(parameters, context, statement, proof)


@pytest.fixture
def decryption_run(dealt, context, entropy):
    ciphertexts = [dealt.encryption.encrypt(x, entropy)[0] for x in (5, 6)]
    partials = [partial_decrypt(dealt.public, dealt.shares[0], c) for c in ciphertexts]
    statement = decryption.statement_for(dealt.public, 1, ciphertexts, partials)
    group = commitment_group()
    proof = decryption.prove(dealt.public, group, context, statement, dealt.shares[0], entropy)
    return lambda: decryption.verify(dealt.public, group, context, statement, proof)


@pytest.fixture
def quadratic_run(parameters, context, entropy):
    instance = range_instance(parameters, entropy, [(0, 100), (-5, 5)], [7, -5], commitment=True)
    proof = quadratic.prove(parameters, context, instance.statement, instance.witness, entropy)
    return lambda: quadratic.verify(parameters, context, instance.statement, proof)


class Listener(Transcript):
    """A transcript that writes down what it absorbs and can mishear one item."""

    heard: list  # set per test
    mishear: int

    def absorb(self, label, value):
        self.heard.append((label, value))
        if len(self.heard) - 1 == self.mishear:
            value = value + 1 if not isinstance(value, (bytes, str)) else value + value[:1]
        return super().absorb(label, value)


def listen(monkeypatch, module, run, mishear=-1):
    """Run a verifier with a Listener in place of its Transcript; return what it heard."""
    listener = type("ThisListener", (Listener,), {"heard": [], "mishear": mishear})
    with monkeypatch.context() as patch:
        patch.setattr(module, "Transcript", listener)
        run()
    return listener.heard


RUNS = pytest.mark.parametrize(
    ("module", "run"),
    [(knowledge, "knowledge_run"), (decryption, "decryption_run"), (quadratic, "quadratic_run")],
    ids=["knowledge", "decryption", "quadratic"],
)


@RUNS
def test_a_verifier_that_hears_any_one_item_differently_refuses(monkeypatch, request, module, run):
    verify = request.getfixturevalue(run)
    heard = listen(monkeypatch, module, verify)
    assert len(heard) > 8
    for position in range(len(heard)):
        with pytest.raises(InvalidProof, match="does not verify"):
            listen(monkeypatch, module, verify, mishear=position)


@RUNS
def test_the_context_and_the_parameters_come_first(monkeypatch, request, context, parameters, dealt, module, run):
    heard = listen(monkeypatch, module, request.getfixturevalue(run))
    expected = [context.session, context.round, context.prover, context.object]
    expected.append(dealt.public.identifier(commitment_group()) if module is decryption else parameters.identifier)
    assert [value for _, value in heard[:5]] == expected


def order_of(heard, *labels):
    positions = [[label for label, _ in heard].index(label) for label in labels]
    return positions == sorted(positions)


def test_the_announcement_of_knowledge_is_absorbed_before_the_challenge(monkeypatch, knowledge_run):
    heard = listen(monkeypatch, knowledge, knowledge_run)
    assert order_of(heard, "ciphertext", "A", "challenge")


def test_both_announcements_of_a_decryption_are_absorbed_before_the_challenge(monkeypatch, decryption_run):
    heard = listen(monkeypatch, decryption, decryption_run)
    assert [value for label, value in heard if label == "challenge"] == ["rho", "e"]
    assert order_of(heard, "index", "v", "v_i", "c", "w", "challenge", "A", "B")
    assert [label for label, _ in heard[-5:]] == ["A", "B", "challenge", "count", "bits"]


def test_the_commitment_is_absorbed_before_the_coefficients_and_five_announcements_before_e(monkeypatch, quadratic_run):
    heard = listen(monkeypatch, quadratic, quadratic_run)
    assert [value for label, value in heard if label == "challenge"] == ["gamma", "gamma-link", "delta", "e"]
    assert order_of(heard, "Z", "C_l", "C", "challenge", "announcements")
    announcements = [value for label, value in heard if label == "announcements"]
    assert announcements[0] == 5
    assert len(set(announcements)) == 6
    assert [label for label, _ in heard[-4:]] == ["announcements", "challenge", "count", "bits"]


def test_two_statements_of_relations_never_share_a_transcript(parameters, context, entropy):
    statement = range_instance(parameters, entropy, [(0, 100), (-5, 5)], [7, -5], commitment=True).statement
    others = [other for _, other in variants(statement)]
    for bits in (statement.bits[:-1], (*statement.bits, 1), statement.bits[::-1]):
        others.append(dataclasses.replace(statement, bits=bits))
    others.append(dataclasses.replace(statement, paillier=statement.paillier[::-1]))
    others.append(dataclasses.replace(statement, quadratics=statement.quadratics[::-1]))
    moved = dataclasses.replace(
        statement.quadratics[0], products=(), linear=statement.quadratics[0].linear + statement.quadratics[0].linear
    )
    others.append(dataclasses.replace(statement, quadratics=(moved, *statement.quadratics[1:])))
    digests = {quadratic._absorb(parameters, context, s).digest() for s in (statement, *others)}
    digests |= {quadratic._absorb(parameters, c, statement).digest() for _, c in contexts_that_differ(context)}
    for changed in (small_modulus_parameters(), PublicParameters(parameters.key, other_group())):
        digests.add(quadratic._absorb(changed, context, statement).digest())
    assert len(digests) == 1 + len(others) + 4 + 2


def test_two_statements_of_a_decryption_never_share_a_transcript(dealt, context):
    group = commitment_group()
    statement = decryption.Statement(1, (5, 6, 7), (8, 9, 10))
    others = [
        dataclasses.replace(statement, index=2),
        dataclasses.replace(statement, ciphertexts=(5, 6), partials=(7, 8)),
        dataclasses.replace(statement, ciphertexts=(5, 6, 8)),
        dataclasses.replace(statement, ciphertexts=(6, 5, 7)),
        dataclasses.replace(statement, partials=(8, 9, 11)),
        dataclasses.replace(statement, partials=(9, 8, 10)),
    ]
    runs = [(dealt.public, group, context, s) for s in (statement, *others)]
    runs += [(dealt.public, group, c, statement) for _, c in contexts_that_differ(context)]
    runs += [(dataclasses.replace(dealt.public, epoch=1), group, context, statement)]
    runs += [(dealt.public, other_group(), context, statement)]
    assert len({decryption._combine(*run)[0].digest() for run in runs}) == len(runs)
