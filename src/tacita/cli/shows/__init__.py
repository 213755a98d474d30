"""How each policy's results are shown: what is announced, the table, the picture, and the gap to the plain solution.

Shown to the operator of a local cluster, who holds all inputs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import RenderableType

from tacita.cli.shows.auction import AuctionShow
from tacita.cli.shows.interest_rate import InterestRateShow
from tacita.cli.shows.prediction import PredictionShow
from tacita.cli.shows.stabilisation import StabilisationShow
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.terms import Terms


class Show(Protocol):
    """What `tacita run` and `tacita demo` ask of a policy."""

    @property
    def example(self) -> str:
        """Folder under examples/ with terms.toml, inputs.csv and further input files: the built-in demo."""
        ...

    def describe(self, instance: Instance) -> str:
        """One line on the size of the problem, printed before anything starts."""
        ...

    def gap(self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> Mapping[str, float]:
        """Distance of the published outcome from the plain solution, by quantity; empty if nothing is public."""
        ...

    def tables(
        self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any], width: int
    ) -> Sequence[RenderableType]:
        """The result for a terminal of `width` columns."""
        ...

    def headline(self, outcome: Mapping[str, Any]) -> str:
        """The main figure of the result, in front of the line on security; may be empty."""
        ...

    def save(self, path: Path, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> None:
        """Write the picture as PNG, readable by the operator alone if it shows private inputs."""
        ...


SHOWS: Mapping[str, Show] = {
    "auction": AuctionShow(),
    "interest_rate": InterestRateShow(),
    "prediction": PredictionShow(),
    "stabilisation": StabilisationShow(),
}
FURTHER_DEMOS: Mapping[str, tuple[str, str]] = {
    "collateralised": ("stabilisation", "collateralised"),
    "depreciation": ("stabilisation", "depreciation"),
}
"""Demos beside one per policy: name → policy and folder under examples/."""
