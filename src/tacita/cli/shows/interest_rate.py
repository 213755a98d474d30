"""A committee's decision: the rates, what was opened, and what every member would have decided alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.interest_rate.inputs import MemberInputs
from tacita.protocols.policies.interest_rate.instance import Committee
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms
from tacita.protocols.terms import Terms

RULES = {
    "mean": "means of preferences and readings",
    "median": "medians of preferences and readings",
    "median_rate": "median of the members' own rates",
}


class InterestRateShow:
    """See Show."""

    example = "interest-rate"

    def describe(self, instance: Instance) -> str:
        """See Show."""
        assert isinstance(instance, Committee)
        terms = instance.terms
        rule = "consensus of members with limits" if terms.method == "consensus" else RULES[terms.statistic]
        iterates = terms.reveal == "path" and terms.statistic != "median_rate"
        iterations = f", {terms.iterations} iterations" if iterates else ""
        return f"committee of {len(instance.members)}, {terms.controller.moves} rates, {rule}{iterations}"

    def gap(self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> Mapping[str, float]:
        """See Show."""
        from tacita.protocols.policies.interest_rate import plain

        return plain.gap(CommitteeTerms.read(terms.tree), members_of(parts), outcome)

    def tables(
        self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any], width: int
    ) -> Sequence[RenderableType]:
        """See Show."""
        committee = CommitteeTerms.read(terms.tree)
        table = Table(title="Rates in percent", title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("period", no_wrap=True)
        table.add_column("rate", justify="right", no_wrap=True)
        table.add_row("before", f"{float(committee.previous_rate):.4f}")
        for k, rate in enumerate(outcome["rates"]):
            later = "" if k + 1 < len(outcome["rates"]) or committee.controller.horizon == k + 1 else " and on"
            table.add_row(f"{k + 1}{later}", f"{rate:.4f}")
        lines: list[RenderableType] = [table]
        if "statistics" in outcome:
            opened = ", ".join(f"{name} {value:.4f}" for name, value in outcome["statistics"].items())
            lines.append(f"opened: {opened}")
        if not outcome["recoverable"]:
            lines.append("the committee's readings lie where no policy recovers: at a rate of zero they get worse")
        return lines

    def headline(self, outcome: Mapping[str, Any]) -> str:
        """See Show."""
        return f"rate {outcome['rates'][0]:.4f} %"

    def save(self, path: Path, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> None:
        """See Show."""
        from tacita.cli.shows.interest_rate_picture import save_decision

        save_decision(path, CommitteeTerms.read(terms.tree), members_of(parts), outcome["rates"])


def members_of(parts: Mapping[str, Part]) -> dict[str, MemberInputs]:
    """The members' inputs."""
    return {name: part.inputs for name, part in parts.items()}
