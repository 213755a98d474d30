"""Every opening of a product of degree 2t carries a sharing of zero from its own seed: counted over a transcript."""

from collections import Counter

import pytest

from tacita.deploy.attack.liars import all_made
from tacita.deploy.attack.ring import Ring, toy
from tacita.protocols.envelope import Envelope
from tacita.protocols.keygen import seeds
from tacita.protocols.keygen.audit import recompute
from tacita.protocols.keygen.derivation import SMALL_BYTES, TRIALS, Deriver
from tacita.protocols.keygen.memory import Memory
from tacita.protocols.keygen.statements import Reveal
from tacita.protocols.keygen.talk import NONCE_BYTES
from tacita.protocols.keygen.vectors import unpack
from tests.keygen.opening import batch_seed


def openings(ring: Ring, step: str) -> dict[tuple[bytes, str], bytes]:
    """(label, sender) → opened payload, from the transcript."""
    found: dict[tuple[bytes, str], bytes] = {}
    for sent in ring.sent:
        envelope: Envelope = sent.envelope
        if envelope.round == step:
            found[envelope.session, envelope.sender] = envelope.payload[NONCE_BYTES:]
    return found


@pytest.mark.parametrize("parties", [3, 5], ids=["t1", "t2"])
def test_every_opening_of_a_run_is_masked_by_its_own_sharing_of_zero(parties, seed, monkeypatch) -> None:
    parameters = toy(parties, 256, 64)
    used: set[tuple[int, str, bytes, int]] = set()
    original = Deriver.zero

    def zero(pairs, party, others, label, modulus):
        for other in others:
            if other != party:
                used.add((party, label, pairs[other], int(modulus)))
        return original(pairs, party, others, label, modulus)

    monkeypatch.setattr(Deriver, "zero", staticmethod(zero))
    ring = Ring(parties=parties, seed=seed, parameters=parameters)
    assert all_made(ring.run())
    # Batches: the opening minus the party's weighted product is a zero share of a leaf that serves nothing else.
    labels = list(dict.fromkeys(label for label, _ in openings(ring, "S4")))
    count, leaves, masks = 0, Counter(), Counter()
    for batch, label in enumerate(labels):
        reveals = {i: Reveal.whole(parameters, i, batch_seed(ring, i, batch)) for i in parameters.everyone}
        truth = recompute(parameters, reveals)
        for i in parameters.openers:
            payload = openings(ring, "S4")[label, ring.names[i - 1]]
            opened = unpack(payload, parameters.field_width, parameters.batch, parameters.field)
            bare = unmasked(parameters, truth, reveals, i)
            for c, value in enumerate(opened):
                mask = (value - bare[c]) % parameters.field
                assert mask == truth.zeros[i].product[c] != 0
                masks[int(mask)] += 1
                count += 1
        for c in range(parameters.batch):
            assert sum(truth.zeros[i].product[c] for i in parameters.openers) % parameters.field == 0
            assert sum(truth.zeros[i].sieve[2 * c] for i in parameters.everyone) % parameters.sieve == 0
        for i, reveal in reveals.items():
            for j, tree in reveal.pairs.items():
                leaves.update((i, j, leaf) for leaf in tree)
    assert count == len(labels) * len(parameters.openers) * parameters.batch == sum(masks.values())
    assert max(masks.values()) == 1
    assert max(leaves.values()) == 1
    # K0 and K2: one label for every prime, trial and opening, one seed for every pair and epoch. A set, as the audit of
    # a winner that K0 refused computes its openings again: two openings that shared a mask would leave it too small.
    small = sum(len(data) // SMALL_BYTES for data in openings(ring, "K0 open").values())
    theta = sum(len(data) // parameters.modulus_width for data in openings(ring, "K2 open").values())
    assert small % (TRIALS * len(parameters.openers)) == 0
    assert theta % len(parameters.openers) == 0
    assert len(used) == (small + theta) * (len(parameters.openers) - 1)


def unmasked(parameters, truth, reveals, party) -> list[int]:
    """λ_i·f_p(i)·f_q(i), which nobody may ever see."""
    draws = {i: seeds.draw(parameters, i, reveal.leaves) for i, reveal in reveals.items()}
    weight, result = parameters.field_weights[party - 1], []
    for c in range(parameters.batch):
        factors = [0, 0]
        for half in (0, 1):
            for i in parameters.everyone:
                tail = (a[2 * c + half] * party**k for k, a in enumerate(draws[i].product, start=1))
                factors[half] += truth.values[i][2 * c + half] + parameters.public_part(i) + sum(tail)
        result.append(weight * factors[0] * factors[1] % parameters.field)
    return result


def test_a_batch_is_never_begun_twice(seed) -> None:
    memory = Memory(Ring(seed=seed).stores["node1"], bytes(32))
    memory.begin_batch(0, 0, bytes(32))
    with pytest.raises(RuntimeError):
        memory.begin_batch(0, 0, bytes(31) + b"\1")
