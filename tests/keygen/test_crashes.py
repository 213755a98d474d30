"""kill -9 of one node before and after every step: the same ceremony goes on in a new epoch, as R6 says."""

import pytest

from tacita.deploy.attack.liars import Killed, Lies, all_made
from tacita.deploy.attack.ring import Ring
from tacita.protocols.faults import Absent, CallerMistake, SessionAborted
from tacita.protocols.keygen.ceremony import Made
from tacita.protocols.keygen.gathering import MAX_ABORTS
from tacita.protocols.keygen.recovery import MAX_RESUMES

STEPS = [
    "S1", "S1/private", "S2", "S2/private", "S3", "S4", "S5", "S6", "S7", "S7b", "S9",
    "S8", "S8 coin", "S8 commit", "S8 open", "K0", "K1", "K2", "K2 open", "K3", "K4", "K4 open", "K5", "K6",
]  # fmt: skip


def crash(ring: Ring, monkeypatch: pytest.MonkeyPatch, lies: Lies) -> dict:
    """The first epoch, which ends with one node gone and the others waiting for it in vain."""
    lies.install(ring, monkeypatch)
    outcomes = ring.run()
    assert isinstance(outcomes[ring.names[lies.liar - 1]], Killed), outcomes
    for name, result in outcomes.items():
        if name != ring.names[lies.liar - 1]:
            finished = isinstance(result, Made) and lies.dies_after == "K6"
            assert finished or isinstance(result, (Absent, SessionAborted)), (name, repr(result))
    monkeypatch.undo()
    return outcomes


def batch_seeds(ring: Ring) -> list[bytes]:
    """Every σ that any node ever wrote down."""
    found = []
    for store in ring.stores.values():
        for facts in (store.facts, store.forgotten):
            found += [value[4:] for (kind, _), value in facts.items() if kind == "keygen/batch" and len(value) > 4]
    return found


# After one step is almost before the next; CI looks where it matters most, the slow run everywhere.
AFTER = {"S1", "S4", "S7b", "S9", "K2 open", "K4 open", "K6"}
MOMENTS = [("dies_before", step) for step in STEPS] + [("dies_after", step) for step in STEPS]


@pytest.mark.parametrize(
    ("when", "step"),
    [pytest.param(w, s, marks=[pytest.mark.slow] if w == "dies_after" and s not in AFTER else []) for w, s in MOMENTS],
)
def test_a_ceremony_goes_on_after_a_crash_at_any_step(step, when, seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    crash(ring, monkeypatch, Lies(liar=2, **{when: step}))
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    assert len({made.certificate.encode() for made in outcomes.values()}) == 1
    seeds = batch_seeds(ring)
    assert len(seeds) == len(set(seeds)), "a batch was begun twice with the same randomness"


def test_a_winner_that_was_resumed_too_often_is_opened_and_another_one_found(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    moduli = set()
    for _ in range(MAX_RESUMES + 1):
        crash(ring, monkeypatch, Lies(liar=2, dies_before="K2"))
        moduli |= {made_of(store).modulus for store in ring.stores.values()}
    assert len(moduli) == 1, "the winner is resumed as long as that is allowed"
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    assert outcomes["node1"].certificate.key.modulus not in moduli
    assert outcomes["node1"].certificate.origin.epoch == MAX_RESUMES + 1


def made_of(store):
    from tacita.protocols.keygen.memory import Winner

    return next(Winner.decode(v) for (kind, _), v in store.facts.items() if kind == "keygen/winner")


def test_every_epoch_draws_a_fresh_theta_seed(seed, monkeypatch) -> None:
    """R8: three openings of theta under one mask would factor N (attacks/test_theta_mask.py).

    A winner that turns out not to be a modulus had a seed of its own, too.
    """
    ring = Ring(seed=seed)
    for _ in range(2):
        crash(ring, monkeypatch, Lies(liar=2, dies_before="K4"))
    assert all_made(ring.run())
    for store in ring.stores.values():
        facts = {**store.forgotten, **store.facts}
        for what in ("keygen/theta", "keygen/opened"):
            found = {key: value for (kind, key), value in facts.items() if kind == what}
            places = found if what == "keygen/theta" else found.values()
            assert len(set(found.values())) == len(found), f"one {what} twice"
            assert {int.from_bytes(place[-8:-4], "big") for place in places} == {0, 1, 2}, "one for every epoch"


def test_after_eight_aborts_a_human_decides(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    for _ in range(MAX_ABORTS + 1):
        crash(ring, monkeypatch, Lies(liar=2, dies_before="S4"))
    outcomes = ring.run()
    assert all(isinstance(result, CallerMistake) for result in outcomes.values()), outcomes
    assert "interrupted" in str(outcomes["node1"])


def test_the_number_of_aborts_stands_in_the_key_file(seed, monkeypatch) -> None:
    ring = Ring(seed=seed)
    crash(ring, monkeypatch, Lies(liar=2, dies_before="S4"))
    outcomes = ring.run()
    assert outcomes["node1"].certificate.origin.epoch == 1


def test_a_key_that_was_resumed_replaces_the_one_that_nobody_signed(seed) -> None:
    """Node3 lets node1 alone come as far as a key, and later node2 alone as far as its certificate: node1 must then
    hold its share of that key, not of the first one."""
    withheld = [("K4 open/echo", "node2"), ("K6/echo", "node1"), ("", "")]
    ring = Ring(seed=seed, deadline=3.0, liar="node3")
    ring.bend = lambda e, receiver: None if (e.round, receiver) == withheld[0] else e
    while len(withheld) > 1:
        assert not all_made(ring.run())
        withheld.pop(0)
    outcomes = ring.run()
    assert all_made(outcomes), outcomes
    assert len({made.certificate.encode() for made in outcomes.values()}) == 1
