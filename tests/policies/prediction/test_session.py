"""Whole sessions in one event loop: what is opened, what is refused at commit, what a chain of certificates shows."""

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import Witness
from tacita.crypto.proofs.range import Relations, three_squares
from tacita.protocols.faults import InvalidProofFault, VerificationFailed
from tacita.protocols.mpc.demand import OUTPUT
from tacita.protocols.party import Result
from tacita.protocols.policies.prediction import training as training_module
from tacita.protocols.policies.prediction.gram import moments
from tacita.protocols.policies.prediction.plain import gap
from tacita.protocols.policies.prediction.training import first_step, next_step, verify_chain
from tacita.protocols.stages import commit
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.verify import Verified, verify
from tests.policies.prediction.desks import GRAM, NETWORK, Case, Desks, case, inputs_csv, session, setup_of

DOCS = Path(__file__).resolve().parents[3] / "docs" / "prediction.md"
TEXT = inputs_csv(11, 8)


@lru_cache(maxsize=1)
def gram() -> tuple[Case, Result, Desks]:
    a = case(GRAM, TEXT)
    return a, *session(a)


@lru_cache(maxsize=1)
def training() -> tuple[list[Case], list[Result], Desks]:
    """The first iteration of a network."""
    a = case(first_step(NETWORK, "n-1", False), TEXT)
    result, cluster = session(a)
    b = case(next_step(a.terms, result.outcome, result.outcome["certificate"], "n-2", True), TEXT)
    return [a, b], [result, session(b)[0]], cluster


def promised(method: str) -> set[str]:
    """The openings that the docs page lists for a method."""
    table = DOCS.read_text().split("## What is revealed")[1].split("\n## ")[0]
    return {
        label
        for label, methods in re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", table, re.MULTILINE)
        if method in methods.split(", ")
    }


def test_a_session_publishes_what_least_squares_gives() -> None:
    a, result, cluster = gram()
    assert max(gap(a.instance.terms, a.histories, result.outcome).values()) < 1e-6
    verified = verify(result.certificate, cluster.roster, GRAM, allow_insecure_key=True)
    assert verified.claims["training_proven"] is True and result.outcome["training_proven"] is True
    assert verified.outcome["forecast"] == result.outcome["forecast"]


def test_only_the_sums_that_the_docs_list_are_opened() -> None:
    _, result, _ = gram()
    steps, trained, _ = training()
    assert steps[1].instance.terms.forecast
    for method, r in (("gram", result), ("network", trained[1])):
        opened = Certificate.decode(r.certificate).opened
        assert set(opened) == promised(method)
        # Nothing else was opened in the engine: one masked opening per published sum.
        assert {(entry.kind, entry.count) for entry in r.ledger} == {(OUTPUT, len(v)) for v in opened.values()}
        assert len(r.ledger) == len(opened)
        assert r.private == {} or all(not any(v for k, v in p.items() if k != "policy") for p in r.private.values())
    assert set(Certificate.decode(trained[0].certificate).opened) == promised("network") - {"latest"}


def test_a_trained_step_is_central_and_says_that_its_sums_are_not_proven() -> None:
    cases, results, cluster = training()
    for a, result in zip(cases, results, strict=True):
        assert max(gap(a.instance.terms, a.histories, result.outcome).values()) < 1e-6
        assert result.outcome["training_proven"] is False
    found = verify_chain([r.certificate for r in results], cluster.roster, allow_insecure_key=True)
    assert [v.outcome["step"] for v in found] == [1, 2]
    assert all(v.claims["training_proven"] is False for v in found)
    assert "forecast" in results[1].outcome and "forecast" not in results[0].outcome


def test_a_chain_that_is_not_continued_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, results, cluster = training()
    certificates = [r.certificate for r in results]

    def refused(chain: list[bytes]) -> str:
        with pytest.raises(VerificationFailed) as error:
            verify_chain(chain, cluster.roster, allow_insecure_key=True)
        return str(error.value)

    assert "not that of the first step" in refused(certificates[1:])
    assert "does not continue step 1" in refused([certificates[0], certificates[0]])
    assert "is not a step of a training" in refused([gram()[1].certificate])
    # Step 1 published other weights than those that step 2 went on with.
    original = training_module.verify

    def other(data: bytes, *rest: Any, **named: Any) -> Verified:
        result = original(data, *rest, **named)
        weights = (np.array(result.outcome["weights"]) * 1.01).tolist()
        return replace(result, outcome={**result.outcome, "weights": weights})

    monkeypatch.setattr(training_module, "verify", other)
    assert "does not continue step 1" in refused(certificates)


# ---- commitments that lie -----------------------------------------------------------------------------------------


def forced(patch: pytest.MonkeyPatch) -> None:
    """A prover that proves the terms' own relations with whatever values it has."""
    monitored = Relations.witness

    def witness(self: Relations, values: Any, *rest: Any) -> Witness:
        squares, self._squares = self._squares, []
        result = monitored(self, values, *rest)
        w = list(result.values)
        for quadratic_, first in squares:
            value = quadratic_.value(w)
            if value >= 0:
                w[first : first + 3] = three_squares(4 * value + 1, rest[-1])
        return replace(result, values=tuple(w))

    patch.setattr(Relations, "witness", witness)
    patch.setattr(quadratic, "_check_witness", lambda *_: None)


def at_commit(a: Case, values: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What every node does with alice's object of these values; raises InvalidProofFault."""
    setup = setup_of(a)
    with monkeypatch.context() as patch:
        forced(patch)
        recipients = [node.sealing for node in setup.roster.nodes]
        bid, _ = commit.make_object(setup, "alice", values, recipients, SeededEntropy("liar"))
        public = bid.public_bytes(setup, "alice")
    commit.verify_public(setup, "alice", public)


def with_moments(prices: list[int]) -> list[int]:
    return [*prices, *moments(prices, 3)]


def test_the_forced_prover_passes_with_honest_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for a in (case(GRAM, TEXT), case(NETWORK, TEXT)):
        at_commit(a, a.values("alice"), monkeypatch)


@pytest.mark.parametrize("moment", range(10))
def test_a_moment_that_is_not_of_the_committed_prices_is_refused(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a = case(GRAM, TEXT)
    values = a.values("alice")
    assert len(values) == 8 + 10
    values[8 + moment] += 1
    with pytest.raises(InvalidProofFault, match="alice"):
        at_commit(a, values, monkeypatch)


def test_a_price_or_a_change_outside_the_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    a = case(GRAM, TEXT)
    most, (low, high) = a.instance.terms.change_units, a.instance.terms.price_units
    kept = [0, most, 2 * most - 2, high, high, high, high, high]
    at_commit(a, with_moments(kept), monkeypatch)
    too_fast = [0, most + 1, 2 * most - 2, high, high, high, high, high]
    too_high, too_low = [high] * 7 + [high + 1], [low] * 7 + [low - 1]
    for prices in (too_fast, too_high, too_low):
        with pytest.raises(InvalidProofFault, match="alice"):
            at_commit(a, with_moments(prices), monkeypatch)


@pytest.mark.parametrize("place", ["cross", "gram", "price"])
def test_sums_of_a_training_outside_their_bounds_are_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a = case(NETWORK, TEXT)
    fields = a.instance.fields("alice")
    i = [f.label for f in fields].index(place)
    for value, proper in ((fields[i].hi, True), (fields[i].hi + 1, False), (fields[i].lo - 1, False)):
        values = a.values("alice")
        values[i] = value
        if proper:
            at_commit(a, values, monkeypatch)
            continue
        with pytest.raises(InvalidProofFault, match="alice"):
            at_commit(a, values, monkeypatch)
