"""What a member commits to: true products, true reciprocals, ranges; a lie is refused with the member's name."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction as F
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import RangeViolation
from tacita.crypto.signature import SigningKey
from tacita.protocols.faults import InvalidProofFault
from tacita.protocols.party import Hosted, Party
from tacita.protocols.policies.interest_rate.fields import ONE, FieldPlan
from tacita.protocols.policies.interest_rate.inputs import MemberInputs
from tests.cluster_in_memory import Cluster
from tests.policies.interest_rate.committees import EVERY, Case, case


class CommitteeCluster(Cluster):
    """Members on in-memory nodes, round-robin."""

    def hosted(self, party: Party, inputs: Mapping[str, Any]) -> list[Hosted]:
        return [
            Hosted(n, SigningKey(SeededEntropy(f"member/{n}").token(32)), (1,), inputs[n])
            for n, host in self.host(inputs).items()
            if host == party.name
        ]


def values_of(example: Case, member: str) -> tuple[list[str], list[int]]:
    plan = example.instance.plan
    return [f.label for f in plan.fields], plan.values(example.members[member])


def residues(example: Case, values: Sequence[int]) -> list[int]:
    """Every relation at the completed witness; all zero for an honest one."""
    relations = example.instance.relations("a")
    statement = relations.statement([])
    witness = relations.witness(dict(enumerate(values)), [], [], SeededEntropy("squares"))
    return [int(q.value(witness.values)) for q in statement.quadratics]


@pytest.mark.parametrize("what", EVERY)
def test_an_honest_member_satisfies_every_relation(what: str) -> None:
    example = case(EVERY[what])
    for member in example.members:
        _, values = values_of(example, member)
        assert not any(residues(example, values))
        for field, value in zip(example.instance.plan.fields, values, strict=True):
            assert field.lo <= value <= field.hi


@pytest.mark.parametrize("label", ["weighted_gap", "weighted_inflation"])
@pytest.mark.parametrize("what", ["mean, path", "consensus"])
def test_a_product_that_is_off_by_one_unit_breaks_an_equality(what: str, label: str) -> None:
    example = case(EVERY[what])
    labels, values = values_of(example, "b")
    values[labels.index(label)] += 1
    assert any(residues(example, values))


@pytest.mark.parametrize("step", [2, -2, ONE // 10])
def test_a_reciprocal_that_is_off_by_two_units_cannot_be_proven(step: int) -> None:
    example = case(EVERY["consensus"])
    labels, values = values_of(example, "b")
    for position in (i for i, label in enumerate(labels) if label == "reciprocal"):
        lie = [v + step * (i == position) for i, v in enumerate(values)]
        with pytest.raises(RangeViolation):
            residues(example, lie)


@pytest.mark.parametrize("what", EVERY)
def test_every_range_is_proven(what: str) -> None:
    """One past either end; a product or reciprocal is bound by its relation instead."""
    example = case(EVERY[what])
    labels, values = values_of(example, "c")
    for i, field in enumerate(example.instance.plan.fields):
        for wrong in (field.lo - 1, field.hi + 1):
            lie = list(values)
            lie[i] = wrong
            if labels[i] in ("weighted_gap", "weighted_inflation"):
                assert any(residues(example, lie))
            else:
                with pytest.raises(RangeViolation):
                    residues(example, lie)


def test_the_reciprocals_are_those_of_the_committed_preference() -> None:
    example = case(EVERY["consensus"])
    labels, values = values_of(example, "d")
    preference = F(values[labels.index("preference")], ONE)
    found = [F(v, ONE) for label, v in zip(labels, values, strict=True) if label == "reciprocal"]
    for inverse, slope in zip(found, example.instance.terms.spectrum.slopes, strict=True):
        assert abs(inverse - 1 / (1 + preference * F(slope))) < F(1, 2**31)


def tampered(change: Callable[[list[str], list[int]], None]) -> Callable[[FieldPlan, MemberInputs], list[int]]:
    honest = FieldPlan.values

    def values(self: FieldPlan, inputs: MemberInputs) -> list[int]:
        found = honest(self, inputs)
        if inputs.preference == F("0.4"):  # member b
            change([f.label for f in self.fields], found)
        return found

    return values


def false_product(labels: list[str], values: list[int]) -> None:
    values[labels.index("weighted_gap")] += 1 << 62  # 4 of 10 × 10


def session(committee: Mapping[str, Any]) -> dict[str, Any]:
    example = case(committee)
    results = asyncio.run(CommitteeCluster(3).run(example.terms, example.members))
    (outcome,) = {str(dict(r.outcome)) for r in results.values()}
    assert example.gap(results["node1"].outcome) < 1e-6
    return dict(results["node1"].outcome) | {"same": outcome}


def test_an_honest_session_decides_and_is_bound() -> None:
    outcome = session({"reveal": "statistics"})
    assert outcome["statistics"]["preference_times_output_gap"] == pytest.approx(-3.258, abs=1e-8)
    assert outcome["inputs_bound"]


def test_members_with_limits_reach_a_consensus_in_a_session() -> None:
    assert session(EVERY["consensus"])["rates"] == pytest.approx([2.5, 1, 1, 1], abs=1e-6)


def test_a_false_product_is_refused_at_commit_with_the_members_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FieldPlan, "values", tampered(false_product))
    monkeypatch.setattr("tacita.crypto.proofs.quadratic._check_witness", lambda *_: None)  # a liar does not check
    with pytest.raises(ExceptionGroup) as caught:
        session({"reveal": "statistics"})
    faults = [e for e in caught.value.exceptions if isinstance(e, InvalidProofFault)]
    assert faults and all(fault.culprit == "b" for fault in faults)


def test_without_the_equality_the_false_product_would_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defence is what refuses it: with the products' relations switched off the same lie moves the rate."""
    monkeypatch.setattr("tacita.protocols.policies.interest_rate.fields.Relations.equal_zero", lambda self, q: None)
    monkeypatch.setattr(FieldPlan, "values", tampered(false_product))
    with pytest.raises(AssertionError):
        session({"reveal": "statistics"})
