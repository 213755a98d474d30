"""The ceremony of a commitment modulus: tests and K0 as for a key, no shares at the end (crypto.md section 1)."""

import asyncio
import json
from dataclasses import replace
from math import gcd

import pytest
from gmpy2 import is_prime

from tacita.crypto.commitment import CommitmentGroup
from tacita.deploy.attack.liars import Killed, Lies, honest
from tacita.deploy.attack.ring import Ring
from tacita.protocols.faults import BadModulus, Equivocation, ParamMismatch, SessionAborted, VerificationFailed
from tacita.protocols.keygen.ceremony import generate_key, generate_modulus
from tacita.protocols.keygen.modulus import ModulusCertificate
from tests.keygen.opening import open_factors
from tests.keygen.test_liars import flip


def run(ring: Ring, choose=lambda name: generate_modulus):
    async def go():
        ring.channels.clear()
        ring.early.clear()
        ring.dead.clear()
        work = [choose(n)(ring.ceremony(n), ring.opener(n)) for n in ring.names]
        return dict(zip(ring.names, await asyncio.gather(*work, return_exceptions=True), strict=True))

    return asyncio.run(go())


def made(outcomes) -> ModulusCertificate:
    assert all(isinstance(r, ModulusCertificate) for r in outcomes.values()), outcomes
    assert len({r.encode() for r in outcomes.values()}) == 1
    return outcomes["node1"]


def test_a_modulus_is_a_product_of_two_primes_and_no_part_of_it_is_kept(seed) -> None:
    ring = Ring(seed=seed)
    certificate = made(run(ring))
    certificate.verify(ring.roster)
    factors = open_factors(ring, certificate.modulus)
    assert is_prime(factors.p) and is_prime(factors.q) and factors.p * factors.q == certificate.modulus
    assert gcd(factors.p - 1, factors.q - 1) == 2
    for store in ring.stores.values():
        kinds = {kind for kind, _ in store.facts}
        assert not kinds & {"keygen/winner", "keygen/batch", "keygen/theta", "keygen/key", "keygen/said"}, kinds
    group = CommitmentGroup(certificate.modulus)
    group.check(group.commit([3, 5], 12345))


def test_a_certificate_comes_back_from_its_bytes_and_every_other_one_is_refused(seed) -> None:
    ring = Ring(seed=seed)
    certificate = made(run(ring))
    assert ModulusCertificate.read(json.loads(certificate.encode())) == certificate
    signatures = dict(certificate.signatures)
    for other in (
        replace(certificate, modulus=certificate.modulus + 8),
        replace(certificate, session=bytes(32)),
        replace(certificate, roster=bytes(32)),
        replace(certificate, signatures={n: s for n, s in signatures.items() if n != "node1"}),
        replace(certificate, signatures={**signatures, "node1": signatures["node2"]}),
    ):
        with pytest.raises(VerificationFailed):
            other.verify(ring.roster)
    for tree in (None, {}, {**json.loads(certificate.encode()), "more": 1}):
        with pytest.raises(VerificationFailed):
            ModulusCertificate.read(tree)


@pytest.mark.parametrize("step", ["S4", "S8 open", "K0", "K6"])
@pytest.mark.parametrize("when", ["dies_before", "dies_after"])
def test_an_interrupted_ceremony_goes_on(step, when, seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    Lies(liar=2, **{when: step}).install(ring, monkeypatch)
    assert isinstance(run(ring)["node2"], Killed)
    monkeypatch.undo()
    made(run(ring)).verify(ring.roster)


@pytest.mark.parametrize(("lies", "kind"), [({"opens": {"S8 open": flip}}, BadModulus),
                                            ({"reopens": {"S4": flip}}, Equivocation)])  # fmt: skip
def test_a_lie_is_blamed(lies, kind, seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    Lies(liar=3, **lies).install(ring, monkeypatch)
    for result in honest(ring, run(ring), 3).values():
        assert type(result) is kind and result.culprit == "node3", repr(result)


def test_a_node_that_wants_a_key_and_one_that_wants_a_modulus_do_not_meet(seed) -> None:
    ring = Ring(seed=seed)
    outcomes = run(ring, lambda name: generate_key if name == "node3" else generate_modulus)
    assert all(isinstance(r, (ParamMismatch, SessionAborted)) for r in outcomes.values()), outcomes
