"""The prediction as a policy: terms, input files, and instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.prediction.inputs import (
    MAX_PERIOD,
    History,
    check_history,
    check_lengths,
    read_histories,
    too_few,
)
from tacita.protocols.policies.prediction.instance import Prediction
from tacita.protocols.policies.prediction.one_shot import GramPrediction
from tacita.protocols.policies.prediction.terms import MAX_PARTIES, MIN_PARTIES, PredictionTerms
from tacita.protocols.policies.prediction.training_step import NetworkPrediction
from tacita.protocols.terms import Terms


@dataclass(frozen=True)
class PredictionPolicy:
    """See Policy. The pattern of a party is the first and the last period of its history."""

    owner: str = "party"
    files: tuple[str, ...] = ()

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Policy."""
        return PredictionTerms.read(tree).canonical()

    def read(self, tree: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Mapping[str, Any], dict[str, Part]]:
        """See Policy: the files add nothing to the terms."""
        terms = PredictionTerms.read(tree)
        histories = read_histories(files["inputs"].splitlines())
        for name, history in histories.items():
            check_lengths(terms, name, *history.pattern)
            check_history(terms, name, history)
        return terms.canonical(), _parts(histories)

    def read_part(self, terms: Terms, files: Mapping[str, str]) -> dict[str, Part]:
        """See Policy."""
        return _parts(read_histories(files["inputs"].splitlines(), fewest=0))

    def filled(self, tree: Mapping[str, Any], certified: Terms) -> Mapping[str, Any]:
        """See Policy: a run adds nothing."""
        return tree

    def instance(self, terms: Terms, patterns: Mapping[str, Sequence[int]]) -> Prediction:
        """See Policy."""
        prediction = PredictionTerms.read(terms.tree)
        if len(patterns) < MIN_PARTIES:
            raise CallerMistake(too_few(len(patterns)))
        if len(patterns) > MAX_PARTIES:
            raise CallerMistake(f"{len(patterns)} parties take part; at most {MAX_PARTIES} fit into one session")
        for name, pattern in patterns.items():
            self.check_pattern(terms, name, pattern)
        periods = tuple((name, (patterns[name][0], patterns[name][1])) for name in sorted(patterns))
        if prediction.forecast and len({last for _, (_, last) in periods}) > 1:
            raise CallerMistake(
                "the histories end in different periods, so there is no common next one; cut them or set "
                "[prediction] forecast = false"
            )
        return (GramPrediction if prediction.method == "gram" else NetworkPrediction)(prediction, periods)

    def check_pattern(self, terms: Terms, participant: str, pattern: Sequence[int]) -> None:
        """See Policy."""
        proper = len(pattern) == 2 and all(type(t) is int and 0 <= t <= MAX_PERIOD for t in pattern)
        if not proper or pattern[0] > pattern[1]:
            raise CallerMistake(f"{participant} announces periods that no history can have; correct its inputs")
        check_lengths(PredictionTerms.read(terms.tree), participant, pattern[0], pattern[1])

    def private_values(self, instance: Instance, participant: str, inputs: History) -> list[int]:
        """See Policy."""
        assert isinstance(instance, Prediction)
        check_history(instance.terms, participant, inputs)
        return instance.values(participant, inputs)


def _parts(histories: Mapping[str, History]) -> dict[str, Part]:
    return {name: Part(history.pattern, history) for name, history in histories.items()}
