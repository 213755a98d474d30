"""Equivocation and silence in every round of a ceremony (A07, A10, A40): convicted by signatures, or only missed."""

from dataclasses import replace

import pytest

from tacita.deploy.attack.liars import all_made, honest
from tacita.deploy.attack.ring import Ring
from tacita.protocols.envelope import convicted
from tacita.protocols.faults import Absent, Equivocation, ProtocolFault, SessionAborted

BROADCASTS = ["hello", "coins", "session", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S7b", "S9", "S8", "S8 coin",
              "S8 open", "K1", "K2 open", "K3", "K4 open", "K5", "K6"]  # fmt: skip


CI = {"hello", "S1", "S4", "S7", "S7b", "S9", "S8 open", "K2 open", "K4 open", "K6"}


@pytest.mark.parametrize("step", [pytest.param(s, marks=[] if s in CI else [pytest.mark.slow]) for s in BROADCASTS])
def test_two_messages_for_one_place_convict_the_sender_at_every_node(step, seed) -> None:
    def bend(envelope, receiver):
        if envelope.round == step and receiver == "node1":
            last = envelope.payload[-1] if envelope.payload else 0
            return replace(envelope, payload=envelope.payload[:-1] + bytes([last ^ 1]))
        return envelope

    ring = Ring(seed=seed, liar="node3", bend=bend)
    outcomes = honest(ring, ring.run(), 3)
    assert ring.told
    for result in outcomes.values():
        assert isinstance(result, Equivocation), repr(result)
        assert result.culprit == convicted(result.evidence, ring.roster) == "node3"


@pytest.mark.parametrize("step", ["greet", "hello", "S1", "S1/private", "S7b", "K2 open", "K6"])
def test_silence_names_who_is_absent_and_the_next_epoch_makes_a_key(step, seed) -> None:
    ring = Ring(seed=seed, liar="node3", deadline=1.5, bend=lambda e, receiver: None if e.round == step else e)
    outcomes = honest(ring, ring.run(), 3)
    assert any(isinstance(result, Absent) and result.peer == "node3" for result in outcomes.values())
    for result in outcomes.values():
        assert isinstance(result, (Absent, SessionAborted)), repr(result)
        assert not isinstance(result, ProtocolFault)
    ring.bend = None
    ring.deadline = 20.0
    again = ring.run()
    assert all_made(again), again


def test_a_node_with_other_parameters_is_named(seed, monkeypatch) -> None:
    from tacita.deploy.attack.ring import toy
    from tacita.protocols.faults import ParamMismatch

    ring = Ring(seed=seed)
    original = ring.ceremony
    ring.ceremony = lambda name, **c: original(
        name, **c, **({"parameters": toy(3, 256, 32)} if name == "node3" else {})
    )
    outcomes = honest(ring, ring.run(), 3)
    assert all(isinstance(r, (ParamMismatch, SessionAborted)) for r in outcomes.values()), outcomes
    assert any(isinstance(r, ParamMismatch) and r.culprit == "node3" for r in outcomes.values())
