"""The interest-rate committee as a policy: terms, input files, and instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.interest_rate.inputs import MemberInputs, check_member, read_members, too_few
from tacita.protocols.policies.interest_rate.instance import Committee
from tacita.protocols.policies.interest_rate.terms import FEWEST_MEMBERS, MAX_MEMBERS, CommitteeTerms
from tacita.protocols.terms import Terms

PRESENT = (1,)
"""The pattern of every member: all commit to the same fields."""


@dataclass(frozen=True)
class InterestRatePolicy:
    """See Policy."""

    owner: str = "member"
    files: tuple[str, ...] = ()

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Policy."""
        return CommitteeTerms.read(tree).canonical()

    def read(self, tree: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Mapping[str, Any], dict[str, Part]]:
        """See Policy: the files add nothing to the terms."""
        terms = CommitteeTerms.read(tree)
        members = read_members(terms, files["inputs"])
        for name, inputs in members.items():
            check_member(terms, name, inputs)
        return terms.canonical(), _parts(members)

    def read_part(self, terms: Terms, files: Mapping[str, str]) -> dict[str, Part]:
        """See Policy."""
        return _parts(read_members(CommitteeTerms.read(terms.tree), files["inputs"], fewest=0))

    def filled(self, tree: Mapping[str, Any], certified: Terms) -> Mapping[str, Any]:
        """See Policy."""
        return tree

    def instance(self, terms: Terms, patterns: Mapping[str, Sequence[int]]) -> Committee:
        """See Policy; raises CallerMistake."""
        if len(patterns) < FEWEST_MEMBERS:
            raise CallerMistake(f"{len(patterns)} members take part; {too_few()}")
        if len(patterns) > MAX_MEMBERS:
            raise CallerMistake(f"{len(patterns)} members take part; a committee has at most {MAX_MEMBERS}")
        for name, pattern in patterns.items():
            self.check_pattern(terms, name, pattern)
        return Committee(CommitteeTerms.read(terms.tree), tuple(sorted(patterns)))

    def check_pattern(self, terms: Terms, participant: str, pattern: Sequence[int]) -> None:
        """See Policy; raises CallerMistake."""
        if tuple(pattern) != PRESENT:
            raise CallerMistake(f"{participant} announces a pattern that no member has; correct its inputs")

    def private_values(self, instance: Instance, participant: str, inputs: MemberInputs) -> list[int]:
        """See Policy."""
        assert isinstance(instance, Committee)
        check_member(instance.terms, participant, inputs)
        return instance.plan.values(inputs)


def _parts(members: Mapping[str, MemberInputs]) -> dict[str, Part]:
    return {name: Part(PRESENT, inputs) for name, inputs in members.items()}
