"""Nobody escapes the audit by crashing (R6, attack A74): the next epoch begins with it, with full roots."""

import pytest

from tacita.deploy.attack.liars import Lies, all_made, assert_all_blame, honest, zero_units
from tacita.deploy.attack.ring import Ring
from tacita.protocols.faults import BadKeyShare, CallerMistake
from tests.keygen.test_crashes import crash

AFTER_DEALING = ["S2", "S2/private", "S3", "S4", "S5", "S6", "S7", "S7b", "S9"]


@pytest.mark.parametrize("step", AFTER_DEALING)
def test_who_shares_zero_and_crashes_before_the_reveal_is_named_when_the_ceremony_goes_on(
    step, seed, monkeypatch
) -> None:
    ring = Ring(seed=seed)
    crash(ring, monkeypatch, Lies(liar=1, draws=zero_units, dies_before=step))
    outcomes = ring.run()
    assert_all_blame(ring, outcomes, 1, BadKeyShare)
    # The ceremony has ended: it is not resumed by anybody.
    for result in honest(ring, ring.run(), 1).values():
        assert isinstance(result, CallerMistake) and "ended" in str(result)


@pytest.mark.parametrize("answer", ["nothing", "another seed", "another batch"])
def test_who_does_not_reveal_its_seeds_after_a_crash_is_named(answer, seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    crash(ring, monkeypatch, Lies(liar=2, dies_before="S7b"))
    change = {
        "nothing": lambda data: b"",
        "another seed": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        "another batch": lambda data: data[:39] + bytes([data[39] ^ 1]) + data[40:],
    }[answer]
    Lies(liar=2, says={"audit": change}).install(ring, monkeypatch)
    assert_all_blame(ring, ring.run(), 2, BadKeyShare)


def test_control_an_honest_node_that_crashed_reveals_and_the_ceremony_goes_on(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    crash(ring, monkeypatch, Lies(liar=2, dies_before="S7b"))
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    assert "audit" in ring.rounds()


def test_the_batch_of_an_interrupted_winner_is_burnt_unless_all_hold_the_winner(seed, monkeypatch) -> None:
    """node2 dies when it has revealed, before it stored the winner: nobody keeps that N."""
    ring = Ring(seed=seed)
    crash(ring, monkeypatch, Lies(liar=2, dies_before="S8"))
    store = ring.stores["node2"]
    winner = next(key for key in store.facts if key[0] == "keygen/winner")
    burnt = store.facts.pop(winner)
    store.facts.pop(("keygen/audited", winner[1]))
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    modulus = outcomes["node1"].certificate.key.modulus
    assert int(modulus).to_bytes(1024, "big") not in burnt
