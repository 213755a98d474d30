"""Refresh and resharing: new shares of one key, old ones worthless, a wrong share names its dealer (R11, A17)."""

import asyncio
from dataclasses import replace
from itertools import combinations

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidKey
from tacita.crypto.signature import SigningKey
from tacita.crypto.threshold import combine, partial_decrypt
from tacita.deploy.attack.liars import all_made
from tacita.deploy.attack.ring import MemoryStore, Ring
from tacita.protocols.faults import BadKeyShare, CallerMistake, Equivocation, ProtocolFault, VerificationFailed
from tacita.protocols.keygen import dealing, renewal, reshare
from tacita.protocols.keygen.refresh import refresh_key, zero_dealing
from tacita.protocols.keygen.renewal import Member
from tacita.protocols.keygen.reshare import MAX_RESHARES, dealers, reshare_key, share_dealing
from tacita.protocols.roster import Node, Roster


def key_of(ring: Ring):
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    ring.sent.clear()
    return outcomes["node1"].certificate, {name: made.share for name, made in outcomes.items()}


def member(ring: Ring, name: str, parent, **changes):
    settings = {
        "node": name,
        "everybody": ring.roster,
        "receivers": ring.roster,
        "parent": parent,
        "identity": ring.identities[name],
        "entropy": ring.entropies[name],
        "store": ring.stores[name],
    }
    return Member(**{**settings, **changes})


async def refresh(ring: Ring, parent, shares):
    ring.channels.clear()
    ring.early.clear()
    ring.dead.clear()
    work = [refresh_key(member(ring, n, parent), shares[n], ring.opener(n)) for n in ring.names]
    return dict(zip(ring.names, await asyncio.gather(*work, return_exceptions=True), strict=True))


def decrypts(key, shares, entropy) -> bool:
    plaintext = int.from_bytes(entropy.token(8), "big")
    ciphertext = key.encryption.encrypt(plaintext, entropy)[0]
    partials = {s.index: partial_decrypt(key, s, ciphertext) for s in shares}
    quorums = combinations(partials, key.threshold + 1)
    return all(combine(key, {i: partials[i] for i in q}) == plaintext for q in quorums)


@pytest.mark.parametrize("parties", [3, 5], ids=["t1", "t2"])
def test_refreshed_shares_decrypt_and_mixed_epochs_do_not(parties, seed) -> None:
    ring, entropy = Ring(parties=parties, seed=seed), SeededEntropy(seed)
    certificate, shares = key_of(ring)
    first, old = certificate, dict(shares)
    for epoch in range(1, 4):
        results = asyncio.run(refresh(ring, certificate, shares))
        assert all(isinstance(r, renewal.Renewed) for r in results.values()), results
        assert len({r.certificate.encode() for r in results.values()}) == 1
        certificate, shares = results["node1"].certificate, {n: r.share for n, r in results.items()}
        certificate.verify(ring.roster)
        assert (certificate.key.epoch, certificate.key.modulus) == (epoch, first.key.modulus)
        assert certificate.identifier != first.identifier
    assert decrypts(certificate.key, shares.values(), entropy)
    mixed = [old["node1"], *list(shares.values())[1:]]
    with pytest.raises(InvalidKey):
        decrypts(certificate.key, mixed, entropy)
    assert all(old[n].secret != shares[n].secret for n in ring.names)


def test_a_dealer_of_a_wrong_share_is_named_with_evidence(seed) -> None:
    ring = Ring(seed=seed)
    certificate, shares = key_of(ring)

    def bend(envelope, receiver):
        if envelope.round == "shares" and receiver == "node1":
            return replace(envelope, payload=envelope.payload[:-1] + bytes([envelope.payload[-1] ^ 1]))
        return envelope

    ring.liar, ring.bend = "node3", bend
    results = asyncio.run(refresh(ring, certificate, shares))
    for name in ("node1", "node2"):
        fault = results[name]
        assert isinstance(fault, BadKeyShare) and fault.culprit == "node3", repr(fault)
        public = zero_dealing(certificate)
        found = dealing.verdict(public, renewal.ROUNDS, ring.roster, ring.roster, fault.evidence)
        assert found is not None and found.culprit == "node3"
        swapped = replace(fault.evidence, signed=fault.evidence.signed[::-1])
        assert dealing.verdict(public, renewal.ROUNDS, ring.roster, ring.roster, swapped) is None


def test_equivocation_in_a_refresh_convicts(seed) -> None:
    ring = Ring(seed=seed)
    certificate, shares = key_of(ring)

    def bend(envelope, receiver):
        if envelope.round == "dealing" and receiver == "node1":
            return replace(envelope, payload=envelope.payload[:-1] + bytes([envelope.payload[-1] ^ 1]))
        return envelope

    ring.liar, ring.bend = "node2", bend
    results = asyncio.run(refresh(ring, certificate, shares))
    assert all(isinstance(results[n], Equivocation) and results[n].culprit == "node2" for n in ("node1", "node3"))


def test_a_node_that_died_at_the_end_of_a_refresh_catches_up(seed) -> None:
    """node1 dies before it stored the new share; the others keep only the new key and have forgotten the old one."""
    ring = Ring(seed=seed)
    certificate, shares = key_of(ring)

    def dies(renewed):
        raise OSError("power cut")

    async def attempt(parents, held, keep):
        ring.channels.clear()
        ring.early.clear()
        work = [
            refresh_key(member(ring, n, parents[n]), held[n], ring.opener(n), keep.get(n, lambda _: None))
            for n in ring.names
        ]
        return dict(zip(ring.names, await asyncio.gather(*work, return_exceptions=True), strict=True))

    first = asyncio.run(attempt(dict.fromkeys(ring.names, certificate), shares, {"node1": dies}))
    assert isinstance(first["node1"], OSError)
    ahead = {n: first[n] for n in ("node2", "node3")}
    assert all(isinstance(r, renewal.Renewed) for r in ahead.values()), ahead
    parents = {"node1": certificate, **{n: r.certificate for n, r in ahead.items()}}
    held = {"node1": shares["node1"], **{n: r.share for n, r in ahead.items()}}
    results = asyncio.run(attempt(parents, held, {}))
    assert all(isinstance(r, renewal.Renewed) for r in results.values()), results
    assert {r.certificate.key.epoch for r in results.values()} == {1}
    assert len({r.certificate.encode() for r in results.values()}) == 1
    assert decrypts(results["node1"].certificate.key, [r.share for r in results.values()], SeededEntropy(seed))
    assert not any(kind == "key/pending" for store in ring.stores.values() for kind, _ in store.facts)


@pytest.mark.parametrize("step", ["hello", "dealing", "decrypt", "sign"])
def test_an_interrupted_refresh_leaves_one_key_that_all_can_use(step, seed) -> None:
    ring = Ring(seed=seed, deadline=1.0)
    certificate, shares = key_of(ring)
    ring.liar, ring.bend = "node3", lambda e, receiver: None if (e.round, receiver) == (step, "node1") else e
    asyncio.run(refresh(ring, certificate, shares))
    ring.bend, ring.deadline = None, 20.0
    results = asyncio.run(refresh(ring, certificate, shares))
    assert all(isinstance(r, renewal.Renewed) for r in results.values()), results
    assert len({r.certificate.encode() for r in results.values()}) == 1
    final = results["node1"].certificate
    assert decrypts(final.key, [r.share for r in results.values()], SeededEntropy(seed))


def bigger(ring: Ring, leaves: str, joins: int) -> Roster:
    """The ring's roster without one node and with new ones."""
    nodes = [node for node in ring.roster.nodes if node.name != leaves]
    for k in range(joins):
        name = f"new{k + 1}"
        ring.identities[name] = SigningKey(SeededEntropy(f"{ring.seed}/{name}").token(32))
        ring.entropies[name] = SeededEntropy(f"{ring.seed}/entropy/{name}")
        ring.stores[name] = MemoryStore()
        public = ring.identities[name].public
        nodes.append(Node(name, f"memory:{name}", public, public, public + bytes(16), bytes(96)))
    return Roster(tuple(nodes))


async def hand_on(ring: Ring, parent, shares, receivers: Roster):
    old = ring.roster
    extra = tuple(node for node in receivers.nodes if node.name not in old.names)
    everybody = Roster((*old.nodes, *extra))
    ring.channels.clear()
    ring.early.clear()
    ring.roster = everybody
    work = []
    for name in everybody.names:
        me = member(ring, name, parent, everybody=everybody, receivers=receivers, kind="reshare")
        work.append(reshare_key(me, old, shares.get(name), ring.opener(name)))
    results = await asyncio.gather(*work, return_exceptions=True)
    ring.roster = old
    return dict(zip(everybody.names, results, strict=True))


@pytest.mark.parametrize(("leaves", "joins"), [("node3", 1), ("node1", 3), ("", 2), ("node2", 2)])
def test_a_key_is_handed_to_another_roster(leaves, joins, seed) -> None:
    ring, entropy = Ring(seed=seed), SeededEntropy(seed)
    certificate, shares = key_of(ring)
    receivers = bigger(ring, leaves, joins)
    results = asyncio.run(hand_on(ring, certificate, shares, receivers))
    assert all(isinstance(r, renewal.Renewed) for r in results.values()), results
    final = results[receivers.names[0]].certificate
    final.verify(receivers)
    assert final.key.modulus == certificate.key.modulus and final.origin.reshares == 1
    new = [results[name].share for name in receivers.names]
    assert decrypts(final.key, new, entropy)
    assert all(results[name].share is None for name in ring.roster.names if name not in receivers.names)
    with pytest.raises(VerificationFailed):
        final.verify(ring.roster)


def test_two_resharings_and_a_refresh_in_a_row_still_decrypt(seed) -> None:
    ring, entropy = Ring(seed=seed), SeededEntropy(seed)
    certificate, shares = key_of(ring)
    for _ in range(2):
        results = asyncio.run(hand_on(ring, certificate, shares, ring.roster))
        certificate, shares = results["node1"].certificate, {n: r.share for n, r in results.items()}
        results = asyncio.run(refresh(ring, certificate, shares))
        certificate, shares = results["node1"].certificate, {n: r.share for n, r in results.items()}
    assert certificate.origin.reshares == 2 and certificate.key.epoch == 4
    assert decrypts(certificate.key, shares.values(), entropy)


def test_who_hands_on_something_else_than_its_share_is_named(seed) -> None:
    ring = Ring(seed=seed)
    certificate, shares = key_of(ring)
    wrong = {**shares, "node2": replace(shares["node2"], secret=shares["node2"].secret + 1)}
    results = asyncio.run(hand_on(ring, certificate, wrong, ring.roster))
    assert all(isinstance(r, ProtocolFault) and r.culprit == "node2" for r in results.values()), results


def test_a_key_is_not_handed_on_for_ever(seed) -> None:
    ring = Ring(seed=seed)
    certificate, shares = key_of(ring)
    worn = replace(certificate, origin=replace(certificate.origin, reshares=MAX_RESHARES))
    results = asyncio.run(hand_on(ring, worn, shares, ring.roster))
    assert all(isinstance(r, CallerMistake) for r in results.values()), results


def test_those_that_stay_deal_first(seed) -> None:
    ring = Ring(parties=5, seed=seed)
    receivers = Roster(ring.roster.nodes[2:])
    assert dealers(ring.roster, receivers) == [3, 4, 5]
    assert dealers(ring.roster, ring.roster) == [1, 2, 3]


def test_a_share_above_its_bound_is_refused(seed) -> None:
    ring = Ring(seed=seed)
    certificate, _ = key_of(ring)
    for public in (zero_dealing(certificate), share_dealing(certificate, ring.roster, [1, 2])):
        coefficients = public.draw(0, SeededEntropy(seed))
        committed = public.read(public.commit(coefficients))
        assert public.open(public.share(coefficients, 2), committed, 2) == sum(
            a * 2**k for k, a in enumerate(coefficients)
        )
        with pytest.raises(Exception, match="bound"):
            public.open((public.share_bound + 1).to_bytes(public.width, "big", signed=True), committed, 2)


def test_nobody_leaves_a_resharing_with_its_last_words_unsent(seed) -> None:
    """Between machines every node's process ends with its part; node3's messages are slow to leave."""
    ring = Ring(seed=seed)
    certificate, shares = key_of(ring)
    receivers, send, sending = bigger(ring, "", 1), ring.send, []

    async def slowly(sender, receiver, data):
        async def later():
            await asyncio.sleep(0.2 if sender == "node3" else 0.0)
            await send(sender, receiver, data)

        sending.append(asyncio.ensure_future(later()))

    ring.send = slowly
    original, left = reshare.Renewal.close, []

    async def close_and_die(renewal):
        await original(renewal)
        left.append(renewal.member.node)
        ring.kill(renewal.member.node)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reshare.Renewal, "close", close_and_die)
        results = asyncio.run(hand_on(ring, certificate, shares, receivers))
    assert len(left) == 4 and all(isinstance(r, renewal.Renewed) for r in results.values()), results
    assert decrypts(results["node1"].certificate.key, [results[n].share for n in receivers.names], SeededEntropy(seed))
