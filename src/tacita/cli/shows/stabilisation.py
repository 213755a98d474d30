"""A stabilisation's result: the growth that was agreed on, and what it means in coins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from tacita.cli.display import number
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.stabilisation.inputs import PartyInputs
from tacita.protocols.policies.stabilisation.instance import Stabilisation
from tacita.protocols.policies.stabilisation.plain import gap, solve_plain
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms
from tacita.protocols.terms import Terms

ROWS = (
    ("auction_size", "coins to auction", "coins to buy back"),
    ("block_reward", "block reward", ""),
    ("depreciation", "lost by depreciation", ""),
    ("outstanding", "coins outstanding", ""),
    ("outstanding_next", "coins outstanding, next period", ""),
    ("maximum", "maximum supply", ""),
    ("minted", "unissued coins minted", "unissued coins burnt"),
    ("collateral_ratio", "collateral ratio, next period", ""),
    ("reserve", "reserve, next period", ""),
    ("reserve_change", "paid into the reserve", "taken out of the reserve"),
    ("mean", "mean of ψ over the scenarios", ""),
    ("variance", "variance of ψ over the scenarios", ""),
)
"""(key, name, name of its opposite if that is below zero)."""


class StabilisationShow:
    """See Show."""

    example = "stabilisation"

    def describe(self, instance: Instance) -> str:
        """See Show."""
        assert isinstance(instance, Stabilisation)
        terms = instance.terms
        return (
            f"stabilisation of a {terms.model} model: {len(instance.counts)} parties, {instance.scenarios} scenarios, "
            f"{terms.horizon} periods of which {terms.shared} shared, {terms.iterations} iterations"
        )

    def gap(self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> Mapping[str, float]:
        """See Show."""
        return gap(solve_plain(StabilisationTerms.read(terms.tree), _parties(parts)), outcome)

    def tables(
        self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any], width: int
    ) -> Sequence[RenderableType]:
        """See Show."""
        plan = Table(title="Agreed growth per period, in %", title_justify="left", box=box.SIMPLE_HEAD)
        plan.add_column("control", no_wrap=True)
        for k in range(len(outcome["growth"])):
            plan.add_column(f"period {k + 1}", justify="right", no_wrap=True)
        for key, name in (("growth", "supply"), ("ratio_growth", "collateral ratio")):
            if key in outcome:
                plan.add_row(name, *(number(100 * u) for u in outcome[key]))
        decided = Table(
            title=f"Decided for the next period (price {100 * outcome['deviation']:+.2f} % from its target)",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            show_header=False,
            min_width=66,
        )
        for key, name, opposite in ROWS:
            if key in outcome:
                value = float(outcome[key])
                turned = opposite and value < 0
                shown = f"{value:.3g}" if key in ("mean", "variance") else number(abs(value) if turned else value)
                decided.add_row(opposite if turned else name, shown)
        return [plan, decided]

    def headline(self, outcome: Mapping[str, Any]) -> str:
        """See Show."""
        coins = float(outcome["auction_size"])
        return f"{'auction' if coins >= 0 else 'buy-back'} of {number(abs(coins))} coins"

    def save(self, path: Path, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> None:
        """See Show."""
        from tacita.cli.shows import stabilisation_picture

        stabilisation_picture.save(path, StabilisationTerms.read(terms.tree), _parties(parts), outcome)


def _parties(parts: Mapping[str, Part]) -> dict[str, PartyInputs]:
    return {name: part.inputs for name, part in parts.items()}
