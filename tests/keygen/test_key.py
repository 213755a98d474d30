"""What holds for every key a ceremony makes; factors are known to the test alone (tests/keygen/opening.py)."""

from dataclasses import replace
from itertools import combinations
from math import gcd

import pytest
from gmpy2 import is_prime

from tacita.crypto.commitment import commitment_group
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.proofs import decryption
from tacita.crypto.threshold import DEALERLESS, check_key, check_share, combine, partial_decrypt
from tacita.crypto.transcript import Context
from tacita.deploy.attack.liars import all_made
from tacita.deploy.attack.ring import Ring, toy
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.keygen.parameters import Parameters
from tests.keygen.opening import batch_seed, open_factors, theta_seed, winners
from tests.keygen.replayer import Sizes, replay

PLANTED_1024 = "planted-1024-2"


def made(ring: Ring):
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    return outcomes


def check_everything(ring: Ring, outcomes, entropy) -> None:
    certificates = {m.certificate.encode() for m in outcomes.values()}
    assert len(certificates) == 1
    certificate = outcomes["node1"].certificate
    key, parameters = certificate.key, ring.parameters
    certificate.verify(ring.roster)
    factors = open_factors(ring, key.modulus)
    p, q = factors.p, factors.q
    assert p * q == key.modulus and is_prime(p, 25) and is_prime(q, 25) and p != q
    assert key.modulus.bit_length() == parameters.bits
    assert p % parameters.fixed == q % parameters.fixed == parameters.fixed - 1
    assert p % 8 == q % 8 == 7
    assert gcd(p - 1, q - 1) == 2
    assert gcd(key.modulus, (p - 1) * (q - 1)) == 1
    assert key.provenance == DEALERLESS and key.epoch == 0
    check_key(key)
    for m in outcomes.values():
        check_share(key, m.share)
    plaintext = -int(entropy.token(8).hex(), 16)
    ciphertext = key.encryption.encrypt(plaintext, entropy)[0]
    partials = {m.share.index: partial_decrypt(key, m.share, ciphertext) for m in outcomes.values()}
    for size in range(key.threshold + 1, key.parties + 1):
        for quorum in combinations(partials, size):
            assert combine(key, {i: partials[i] for i in quorum}) == plaintext
    share = outcomes["node2"].share
    statement = decryption.Statement(2, (ciphertext,), (partials[2],))
    context = Context(bytes(32), "test", "node2", "decryption")
    proof = decryption.prove(key, commitment_group(), context, statement, share, entropy)
    decryption.verify(key, commitment_group(), context, statement, proof)


@pytest.mark.parametrize("parties", [3, 4, 5, pytest.param(7, marks=pytest.mark.slow)], ids=lambda m: f"m{m}")
def test_a_ceremony_makes_a_key_that_every_quorum_decrypts_with(parties, seed) -> None:
    batch = 64 if parties < 5 else 128
    ring = Ring(parties=parties, seed=seed, parameters=toy(parties, 256, batch))
    check_everything(ring, made(ring), SeededEntropy(seed))


@pytest.mark.parametrize("count", [5, pytest.param(40, marks=pytest.mark.slow)])
def test_random_keys_are_what_they_must_be(count, seed) -> None:
    for run in range(count):
        ring = Ring(seed=f"{seed}/{run}")
        check_everything(ring, made(ring), SeededEntropy(seed))


def test_a_key_of_1024_bits(seed) -> None:
    """A seed whose first batch holds a winner: it saves the search, not a single step."""
    parameters = Parameters.standard(1024, 3, 64, allow_test_bits=True)
    ring = Ring(seed=PLANTED_1024, parameters=parameters, deadline=60)
    outcomes = made(ring)
    assert outcomes["node1"].candidates == 64
    check_everything(ring, outcomes, SeededEntropy(seed))


@pytest.mark.slow
@pytest.mark.parametrize("run", range(10))
def test_keys_of_1024_bits_from_nothing(run, seed) -> None:
    parameters = Parameters.standard(1024, 3, 256, allow_test_bits=True)
    ring = Ring(seed=seed, parameters=parameters, deadline=120)
    check_everything(ring, made(ring), SeededEntropy(seed))


@pytest.mark.parametrize("parties", [3, 5], ids=["t1", "t2"])
def test_an_independent_replay_of_the_seeds_gives_the_same_key(parties, seed) -> None:
    parameters = toy(parties, 256, 64 if parties == 3 else 128)
    ring = Ring(parties=parties, seed=seed, parameters=parameters)
    key = made(ring)["node1"].certificate.key
    winner = winners(ring, key.modulus)[1]
    sizes = Sizes(parameters.bits, parties, parameters.batch, parameters.fixed, parameters.sieve)
    roots = {i: batch_seed(ring, i, winner.batch) for i in parameters.everyone}
    taus = {i: theta_seed(ring, i, winner.batch) for i in parameters.everyone}
    modulus, verification, (p, q) = replay(sizes, roots, winner.index, taus)
    assert modulus == key.modulus
    assert tuple(verification.values()) == key.verification
    factors = open_factors(ring, key.modulus)
    assert (p, q) == (factors.p, factors.q)


@pytest.mark.parametrize("name", ["node1", "node2", "node3"])
def test_changing_one_nodes_entropy_alone_changes_the_key(name, seed) -> None:
    before = made(Ring(seed=seed))["node1"].certificate.key
    again = made(Ring(seed=seed))["node1"].certificate.key
    other = Ring(seed=seed, entropies={name: SeededEntropy(f"{seed}/other")})
    assert again == before
    assert made(other)["node1"].certificate.key.modulus != before.modulus


def test_secrets_are_forgotten_once_the_certificate_is_complete(seed) -> None:
    ring = Ring(seed=seed)
    made(ring)
    for store in ring.stores.values():
        kinds = {kind for kind, _ in store.facts}
        assert not kinds & {"keygen/winner", "keygen/batch", "keygen/theta", "keygen/said"}, kinds


def test_a_certificate_is_refused_in_every_other_shape(seed) -> None:
    ring = Ring(seed=seed)
    certificate = made(ring)["node1"].certificate
    assert KeyCertificate.read(certificate.tree()) == certificate
    key, origin = certificate.key, certificate.origin
    signatures = dict(certificate.signatures)
    changed = [
        replace(certificate, signatures={**signatures, "node1": signatures["node2"]}),
        replace(certificate, signatures={n: s for n, s in signatures.items() if n != "node3"}),
        replace(certificate, key=replace(key, kappa=key.kappa + 1)),
        replace(certificate, key=replace(key, sigma=key.sigma + 1)),
        replace(certificate, key=replace(key, provenance="dealer-insecure")),
        replace(certificate, key=replace(key, verification=key.verification[::-1])),
        replace(certificate, origin=replace(origin, epoch=origin.epoch + 1)),
        replace(certificate, origin=replace(origin, secret_bits=1)),
        replace(certificate, roster=bytes(32)),
    ]
    for other in changed:
        with pytest.raises(VerificationFailed):
            other.verify(ring.roster)
    for tree in ({}, [], None, {**certificate.tree(), "format": "other"}, {**certificate.tree(), "more": 1}):
        with pytest.raises(VerificationFailed):
            KeyCertificate.read(tree)
