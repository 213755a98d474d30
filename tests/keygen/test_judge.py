"""A judge believes nothing but signatures: honest words, mixtures of batches and half a record convict nobody."""

from dataclasses import replace

import pytest

from tacita.deploy.attack.liars import Lies
from tacita.deploy.attack.ring import Ring
from tacita.protocols.faults import BadModulus, Evidence
from tacita.protocols.keygen import judge
from tests.keygen.test_liars import flip


@pytest.fixture
def spoken(seed):
    """All signed messages of an honest ceremony, by round."""
    ring = Ring(seed=seed)
    heard = []
    original = ring.send

    async def send(sender, receiver, data):
        heard.append(data)
        await original(sender, receiver, data)

    ring.send = send
    ring.run()
    return ring, list(dict.fromkeys(heard))


def round_of(data: bytes) -> str:
    from tacita.protocols.channel import Envelope

    return Envelope.decode(data[64:]).round


def label_of(data: bytes) -> bytes:
    return data[64:96]


def test_honest_words_convict_nobody(spoken) -> None:
    ring, heard = spoken
    batches = {label_of(d) for d in heard if round_of(d) == "S1"}
    assert batches
    for label in batches:
        signed = tuple(d for d in heard if label_of(d) == label and "/echo" not in round_of(d))
        assert judge.verdict(ring.parameters, ring.roster, Evidence("keygen", signed)) is None


def test_words_of_several_batches_put_together_convict_nobody(seed) -> None:
    ring = Ring(seed=seed)
    heard = []
    original = ring.send

    async def send(sender, receiver, data):
        heard.append(data)
        await original(sender, receiver, data)

    ring.send = send
    for attempt in range(8):
        ring.run(name=f"ceremony {attempt}")
        labels = list(dict.fromkeys(label_of(d) for d in heard if round_of(d) == "S1"))
        if len(labels) > 1:
            break
    mixed = [d for d in dict.fromkeys(heard) if label_of(d) == labels[0] and round_of(d) in ("S1", "S2", "S3")]
    mixed += [d for d in dict.fromkeys(heard) if label_of(d) == labels[1] and round_of(d) == "S4"]
    assert judge.verdict(ring.parameters, ring.roster, Evidence("keygen", tuple(mixed))) is None


def test_evidence_with_a_forged_or_missing_part_convicts_nobody(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    Lies(liar=3, opens={"S4": flip}).install(ring, monkeypatch)
    fault = ring.run()["node1"]
    assert isinstance(fault, BadModulus)
    evidence = fault.evidence
    parameters, roster = ring.parameters, ring.roster
    assert judge.verdict(parameters, roster, evidence).culprit == "node3"
    for signed in (
        evidence.signed[1:],
        tuple(d for d in evidence.signed if round_of(d) != "S9"),
        (*evidence.signed[:-1], evidence.signed[-1][:-1] + b"\0"),
        (*evidence.signed, evidence.signed[0]),
        (),
    ):
        assert judge.verdict(parameters, roster, replace(evidence, signed=signed)) is None
    assert judge.verdict(parameters, roster, replace(evidence, check="other")) is None
    assert judge.verdict(parameters, roster, None) is None
