"""Stabilisation as a policy: terms, input files, and instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.stabilisation.inputs import PartyInputs, check_count, check_party, read_inputs
from tacita.protocols.policies.stabilisation.instance import Stabilisation
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms
from tacita.protocols.terms import Terms


@dataclass(frozen=True)
class StabilisationPolicy:
    """See Policy. The pattern of a party is the numbers of its scenarios, from 0."""

    owner: str = "party"
    files: tuple[str, ...] = ()

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Policy."""
        return StabilisationTerms.read(tree).canonical()

    def read(self, tree: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Mapping[str, Any], dict[str, Part]]:
        """See Policy: the files add nothing to the terms."""
        terms = StabilisationTerms.read(tree)
        parties = read_inputs(files["inputs"].splitlines(), terms)
        check_count(sum(len(p.scenarios) for p in parties.values()))
        if len(parties) < 2:
            raise CallerMistake(f"the inputs hold {len(parties)} party; a stabilisation needs at least 2")
        for name, inputs in parties.items():
            check_party(terms, name, inputs)
        return terms.canonical(), _parts(parties)

    def read_part(self, terms: Terms, files: Mapping[str, str]) -> dict[str, Part]:
        """See Policy."""
        return _parts(read_inputs(files["inputs"].splitlines(), StabilisationTerms.read(terms.tree)))

    def filled(self, tree: Mapping[str, Any], certified: Terms) -> Mapping[str, Any]:
        """See Policy: a run adds nothing."""
        return dict(tree)

    def instance(self, terms: Terms, patterns: Mapping[str, Sequence[int]]) -> Stabilisation:
        """See Policy; raises CallerMistake for patterns that no party can have."""
        if len(patterns) < 2:
            raise CallerMistake(f"{len(patterns)} parties take part; a stabilisation needs at least 2")
        for name, pattern in patterns.items():
            self.check_pattern(terms, name, pattern)
        check_count(sum(len(pattern) for pattern in patterns.values()))
        counts = tuple((name, len(patterns[name])) for name in sorted(patterns))
        return Stabilisation(StabilisationTerms.read(terms.tree), counts)

    def check_pattern(self, terms: Terms, participant: str, pattern: Sequence[int]) -> None:
        """See Policy; raises CallerMistake."""
        most = StabilisationTerms.read(terms.tree).scenarios
        proper = all(type(i) is int and 0 <= i < most for i in pattern)
        if not pattern or not proper or sorted(set(pattern)) != list(pattern):
            raise CallerMistake(f"{participant} announces scenarios that the terms do not allow; correct its inputs")

    def private_values(self, instance: Instance, participant: str, inputs: PartyInputs) -> list[int]:
        """See Policy."""
        assert isinstance(instance, Stabilisation)
        check_party(instance.terms, participant, inputs)
        return instance.fields.values(inputs)


def _parts(parties: Mapping[str, PartyInputs]) -> dict[str, Part]:
    return {name: Part(tuple(inputs.scenarios), inputs) for name, inputs in parties.items()}
