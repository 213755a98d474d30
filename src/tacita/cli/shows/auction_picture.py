"""The picture of an auction: demand against supply with the clearing price, as PNG and in the terminal.

Drawn by whoever holds all inputs (the operator of a local cluster), from the inputs and the public outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacita.cli.display import number
from tacita.node import files
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.terms import AuctionTerms

POINTS = 240
PANELS = 8


@dataclass(frozen=True)
class Curves:
    """Of one slot: total demand of the bidders and supply at every price (in a reverse auction: offers and need)."""

    slot: int
    prices: Any
    bidders: Any
    other: Any
    reverse: bool


def curves(terms: AuctionTerms, bidders: Mapping[str, BidderInputs]) -> list[Curves]:
    """One set of curves per slot, in the caller's units; budgets and cumulative caps are not drawn."""
    result = []
    for t in range(terms.slots):
        bids = [b.slots[t].numbers for b in bidders.values() if t in b.slots]
        sign = -1.0 if terms.direction == "reverse" else 1.0
        highest = float(terms.value_range(t)[1])
        starts = [float(n[0]) for n in bids] or [highest]
        top = highest if sign < 0 else min(highest, 1.15 * max(starts))
        prices = np.linspace(0.0, max(top, 1e-9), POINTS)
        total = np.zeros(POINTS)
        for numbers in bids:
            if terms.bids == "steps":
                for price, width in zip(numbers[0::2], numbers[1::2], strict=True):
                    total += float(width) * (sign * prices <= sign * float(price))
            else:
                value, slope, least, most = map(float, numbers)
                total += np.clip(sign * (value - prices) / slope, least, most)
        p, k = float(terms.cost_linear[t]), float(terms.cost_quadratic[t])
        cap = float(terms.supply_max[t]) if terms.supply_max else max(float(total.max()), 1e-9)
        margin = sign * (prices - p) if sign > 0 else float(terms.value_range(t)[1]) - prices - p
        supply = np.clip(margin / k, 0, cap) if k > 0 else np.where(margin >= 0, cap, 0.0)
        result.append(Curves(t, prices, total, supply, sign < 0))
    return result


def save(path: Path, all_curves: Sequence[Curves], outcome: Mapping[str, Any]) -> None:
    """Write the PNG: one panel per slot, at most eight."""
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = all_curves[:PANELS]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, 2.9 * rows), squeeze=False, layout="constrained")
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for i, (axis, c) in enumerate(zip(axes.flat, shown, strict=False)):
        first, second = ("offers", "need") if c.reverse else ("demand", "supply")
        axis.plot(c.bidders, c.prices, color="#1f5fa8", lw=1.8, label=first)
        axis.plot(c.other, c.prices, color="#c25b12", lw=1.8, label=second)
        if outcome.get("price") and outcome.get("supply"):
            price, quantity = outcome["price"][c.slot], outcome["supply"][c.slot]
            axis.axhline(price, color="#555", lw=0.8, ls=":")
            axis.plot([quantity], [price], "o", color="#111", ms=5, zorder=5)
            axis.annotate(f"{price:.4g}", (quantity, price), xytext=(6, 5), textcoords="offset points", fontsize=9)
        axis.set_title(f"slot {c.slot + 1}", fontsize=10)
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if i % columns == 0:
            axis.set_ylabel("price")
        if i // columns == rows - 1:
            axis.set_xlabel("quantity")
    axes.flat[0].legend(frameon=False, fontsize=9)
    more = f" (first {PANELS} of {len(all_curves)} slots)" if len(all_curves) > PANELS else ""
    figure.suptitle(f"What the bidders kept secret, and the price that came out{more}", fontsize=12)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    plt.close(figure)
    # It shows what the bidders kept secret.
    files.write(path, buffer.getvalue(), files.PRIVATE)


def terminal(all_curves: Sequence[Curves], outcome: Mapping[str, Any], width: int = 64, height: int = 15) -> str:
    """The slot with the largest supply as a text plot: d for bidders, s for the other side, X where they clear."""
    if not outcome.get("price") or not outcome.get("supply"):
        return ""
    c = max(all_curves, key=lambda one: float(outcome["supply"][one.slot]))
    price, quantity = float(outcome["price"][c.slot]), float(outcome["supply"][c.slot])
    right = max(float(c.bidders.max()), float(c.other.max()), quantity, 1e-12)
    top = max(float(c.prices.max()), price, 1e-12)
    grid = [[" "] * width for _ in range(height)]

    def put(x: float, y: float, mark: str) -> None:
        column, row = round(x / right * (width - 1)), height - 1 - round(y / top * (height - 1))
        if 0 <= column < width and 0 <= row < height:
            grid[row][column] = mark

    for x in range(0, width, 2):
        put(x / (width - 1) * right, price, "·")
    for values, mark in ((c.other, "s"), (c.bidders, "d")):
        for x, y in zip(values, c.prices, strict=True):
            put(float(x), float(y), mark)
    put(quantity, price, "X")
    names = ("offers", "need") if c.reverse else ("demand", "supply")
    sides = f"{names[0]} (d) against {names[1]} (s)"
    lines = [f"slot {c.slot + 1}: {sides}; price {number(price)}, quantity {number(quantity)}"]
    for row, cells in enumerate(grid):
        label = f"{top * (height - 1 - row) / (height - 1):9.2f}" if row % 7 == 0 else " " * 9
        lines.append(f"{label} |{''.join(cells).rstrip()}")
    axis = f"0{' ' * (width - len(f'{right:.2f}') - 1)}{right:.2f}"
    return "\n".join([*lines, " " * 10 + "+" + "-" * width, " " * 11 + axis])
