"""A prediction's result: weights, the next price, and what every party would predict alone with these weights."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from tacita.cli.display import number
from tacita.node import files
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.instance import Prediction
from tacita.protocols.policies.prediction.terms import PredictionTerms
from tacita.protocols.policies.prediction.training_step import NetworkPrediction
from tacita.protocols.terms import Terms

COLOURS = ("#1f5fa8", "#c25b12", "#3a7d44", "#7b4ea3", "#9a6a00", "#2a8c8c")


class PredictionShow:
    """See Show."""

    example = "prediction"

    def describe(self, instance: Instance) -> str:
        """See Show."""
        assert isinstance(instance, Prediction)
        step = f", step {instance.step + 1} of a training" if isinstance(instance, NetworkPrediction) else ""
        prices = sum(instance.length(name) for name in instance.participants)
        return (
            f"prediction by {instance.terms.method}: {len(instance.participants)} parties, {prices} prices, "
            f"{instance.terms.lags} lags{step}"
        )

    def gap(self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> Mapping[str, float]:
        """See Show."""
        from tacita.protocols.policies.prediction.plain import gap

        return gap(PredictionTerms.read(terms.tree), _histories(parts), outcome)

    def tables(
        self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any], width: int
    ) -> Sequence[RenderableType]:
        """See Show."""
        shown: list[RenderableType] = [_summary(outcome), _weights(outcome)]
        if outcome["method"] == "gram" and "forecast" in outcome:
            shown.append(_forecasts(_histories(parts), outcome))
        return shown

    def headline(self, outcome: Mapping[str, Any]) -> str:
        """See Show."""
        forecast = f"forecast {number(outcome['forecast'])} for period {outcome['period']}, "
        proven = "yes" if outcome["training_proven"] else "no"
        return f"{forecast if 'forecast' in outcome else ''}training_proven {proven}"

    def save(self, path: Path, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> None:
        """See Show."""
        save(path, PredictionTerms.read(terms.tree), _histories(parts), outcome)


def _histories(parts: Mapping[str, Part]) -> dict[str, History]:
    return {name: part.inputs for name, part in parts.items()}


def names_of(outcome: Mapping[str, Any]) -> tuple[list[str], list[float]]:
    """The weights without the constant, with their names."""
    if outcome["method"] == "gram":
        found = outcome["weights"]
        return (
            ["deviation", *(f"change {j + 1} back" for j in range(len(found["changes"])))],
            [found["deviation"], *found["changes"]],
        )
    flat = [(f"{i + 1},{j + 1}", x) for i, row in enumerate(outcome["weights"]) for j, x in enumerate(row)]
    return [name for name, _ in flat], [x for _, x in flat]


def _summary(outcome: Mapping[str, Any]) -> str:
    if outcome["method"] == "network":
        return f"step {outcome['step']} of a training: new weights of layer {outcome['layer']}"
    rms = outcome["root_mean_square"]
    return (
        f"next change = Σ weight · feature, fitted to {outcome['rows']} rows: root mean square {number(rms['change'])} "
        f"of the changes, {number(rms['residual'])} of what is left"
    )


def _weights(outcome: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    if outcome["method"] == "gram":
        table.add_column("feature", no_wrap=True)
        table.add_column("weight", justify="right")
        for name, x in zip(*names_of(outcome), strict=True):
            table.add_row(name, f"{x:.5f}")
        table.add_row("constant", f"{outcome['weights']['intercept']:.6f}")
        return table
    for j in range(len(outcome["weights"][0])):
        table.add_column(f"from {j + 1}", justify="right")
    for row in outcome["weights"]:
        table.add_row(*(f"{x:.4f}" for x in row))
    return table


def _forecasts(histories: Mapping[str, History], outcome: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("party", no_wrap=True)
    for name in ("prices", "last price", f"forecast {outcome['period']}"):
        table.add_column(name, justify="right")
    for party, history in histories.items():
        table.add_row(party, str(len(history.prices)), number(float(history.prices[-1])), "")
    table.add_section()
    table.add_row("public mean", "", number(outcome["latest"][-1]), number(outcome["forecast"]))
    return table


def save(
    path: Path, terms: PredictionTerms, histories: Mapping[str, History], outcome: Mapping[str, Any], shown: int = 72
) -> None:
    """Write the PNG: the last `shown` prices of every party with the forecast, and the weights."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=(2.2, 1))
    for i, (name, history) in enumerate(histories.items()):
        first, last = history.pattern
        periods = range(max(first, last - shown + 1), last + 1)
        prices = [float(history.prices[t - first]) for t in periods]
        left.plot(periods, prices, color=COLOURS[i % len(COLOURS)], lw=1.5, label=name)
    left.axhline(float(terms.target), color="#555", lw=0.9, ls=":")
    left.annotate(
        "target", (left.get_xlim()[0], float(terms.target)), xytext=(4, 3), textcoords="offset points", fontsize=9
    )
    if "forecast" in outcome:
        left.plot([outcome["period"]], [outcome["forecast"]], "*", color="#111", ms=13, zorder=5, label="forecast")
    left.set_xlabel("period")
    left.set_ylabel("price")
    left.legend(frameon=False, fontsize=9, ncols=2)
    left.set_title("What the parties kept secret, and the price they predict", fontsize=11)
    names, weights = names_of(outcome)
    right.barh(range(len(names)), weights, color="#1f5fa8", height=0.6)
    right.axvline(0, color="#111", lw=0.8)
    if len(names) <= 20:
        right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set_xlabel("weight")
    titles = {
        "gram": "Weights on the next change",
        "network": f"Weights after step {outcome.get('step')}",
    }
    right.set_title(titles[outcome["method"]], fontsize=11)
    for axis in (left, right):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    plt.close(figure)
    # It shows what the parties kept secret.
    files.write(path, buffer.getvalue(), files.PRIVATE)
