"""Random auctions of the classes of economics.md section 1.4, written in the public formats.

Everything goes through terms and CSV text, as a user's files do: numbers have six significant digits, so committing
them at 2^−32 of the bounds moves the optimum by far less than any tolerance in the tests.

    Q quadratic bids, S three steps; 0 no binding cap, c slot caps, b + budgets, m + cumulative caps, bm both
    public bounds Q, V over four decades; slopes over up to 30 times; one fifth with linear supply cost
    one third reverse, one third with missing rows, one tenth of the quadratic ones with minimums above 0
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.policies.auction.inputs import BidderInputs, check_bidder, read_inputs
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.terms import AuctionTerms

CLASSES = ("Q0", "Qc", "Qb", "Qm", "Qbm", "S0", "Sc")
STEPS = 3
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Files:
    """One auction as a user would write it."""

    tree: Mapping[str, Any]
    lines: str
    budgets: str | None = None

    def read(self) -> tuple[Auction, dict[str, BidderInputs]]:
        """The instance and the bidders' inputs."""
        terms = AuctionTerms.read(self.tree)
        budgets = None if self.budgets is None else self.budgets.strip().splitlines()
        inputs = read_inputs(self.lines.strip().splitlines(), terms.slots, budgets)
        terms = terms.with_bids(inputs.kind, inputs.steps, inputs.budgets)
        for name, bidder in inputs.bidders.items():
            check_bidder(terms, name, bidder)
        pattern = tuple((name, tuple(sorted(b.slots))) for name, b in inputs.bidders.items())
        return Auction(terms, pattern), dict(inputs.bidders)


def committed(auction: Auction, inputs: Mapping[str, BidderInputs]) -> dict[str, list[int]]:
    """The engine's input blocks; every integer must lie in the range that its proof would show."""
    blocks: dict[str, dict[int, int]] = {}
    for name in auction.participants:
        fields = auction.fields.fields(auction.slots_of(name))
        values = auction.fields.values(inputs[name])
        for value, field, place in zip(values, fields, auction.places(name), strict=True):
            assert field.lo <= value <= field.hi, f"{name}: {field} does not allow {value}"
            blocks.setdefault(place.label, {})[place.position] = value
    return {label: [block[i] for i in range(len(block))] for label, block in blocks.items()}


def run_clear(
    auction: Auction,
    inputs: Mapping[str, BidderInputs],
    noise: int | None = None,
    order: Sequence[str] | None = None,
    parties: int = 3,
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The policy's program on plain integers, with truncation noise for a seed: (outcome, output integers)."""
    engine = ClearEngine(committed(auction, inputs), parties, (parties - 1) // 2, noise)
    asyncio.run(auction.program(order or auction.participants)(engine, lambda _k, _total: None))
    return auction.outcome(engine.outputs), engine.outputs


def random_files(
    name: str, seed: int, bidders: tuple[int, int] = (2, 30), slots: tuple[int, int] = (1, 12), **auction: Any
) -> Files:
    """A random auction of class `name`; further arguments go to the [auction] section."""
    r = np.random.default_rng([CLASSES.index(name), seed])
    n, t = int(r.integers(bidders[0], bidders[1] + 1)), int(r.integers(slots[0], slots[1] + 1))
    draw = _Draw(r, n, t, name)
    section: dict[str, Any] = {"slots": t, **draw.supply(), **auction}
    bounds: dict[str, Any] = {"quantity": [0, draw.quantity]}
    if draw.reverse:
        section |= {"direction": "reverse", "reserve": draw.reserve.tolist()}
    else:
        bounds["value"] = [0, draw.value]
    if name[0] == "Q":
        bounds["slope"] = draw.slopes
        if draw.minimum > 0:
            bounds["minimum"] = [0, draw.minimum]
    tree = {"policy": "auction", "auction": section, "bounds": bounds}
    return Files(tree, draw.lines(), draw.budgets() if "b" in name else None)


def digits(x: Any) -> Any:
    """Six significant digits."""
    return np.vectorize(lambda v: float(f"{v:.6g}"))(x)


class _Draw:
    def __init__(self, r: np.random.Generator, n: int, t: int, name: str) -> None:
        self.r, self.n, self.t, self.name = r, n, t, name
        self.quantity, self.value = (float(f"{10 ** r.uniform(-1, 3):.3g}") for _ in range(2))
        self.reverse, missing = r.random() < 1 / 3, r.random() < 1 / 3
        self.present = r.random((n, t)) > (0.2 if missing else 0)
        self.present[np.arange(n), r.integers(0, t, n)] = True
        self.reserve = digits(self.value * r.uniform(0.7, 1, t)) if self.reverse else np.full(t, self.value)
        if name[0] == "S":
            share = np.sort(r.uniform(0.1, 1, (n, t, STEPS)), axis=2)[:, :, ::-1]
            self.price = share * self.reserve[None, :, None]
            self.width = digits(self.quantity * r.uniform(0.05, 0.999, (n, t, STEPS)) / STEPS)
            self.most = self.width.sum(axis=2)
        else:
            self.price = (self.reserve * r.uniform(0.2, 1, (n, t)))[:, :, None]
            self.most = digits(self.quantity * r.uniform(0.05, 1, (n, t)))
            self._slopes()
        self.price = digits(self.reserve[None, :, None] - self.price if self.reverse else self.price)
        self.total = np.where(self.present, self.most, 0).sum(axis=0)
        self.minimum = 0.0
        self.caps = digits(r.uniform(0.15, 0.8, t) * self.total)
        self.cumulative = digits(np.cumsum(r.uniform(0.15, 0.7, t) * self.total))
        self.least = np.zeros((n, t))
        if name[0] == "Q" and r.random() < 0.1:
            self._minimums()

    def _slopes(self) -> None:
        """Slopes by which a value falls to zero within about the public quantity, over up to 30 times."""
        r, ratio = self.r, 10 ** self.r.uniform(0, np.log10(30))
        middle = self.value / self.quantity * 10 ** self.r.uniform(-0.7, 0.5)
        low, high = float(digits(middle / ratio**0.5)), float(digits(middle * ratio**0.5))
        self.slopes = [low, max(low, high)]
        inner = np.sort(r.random(2)) if r.random() < 0.5 else np.array([0.0, 1.0])
        slope = low * (high / low) ** r.uniform(inner[0], inner[1], (self.n, self.t))
        self.slope = np.clip(digits(slope), *self.slopes)

    def _minimums(self) -> None:
        """Public bound on minimums that caps always allow, and minimums of a third of the bids."""
        members = self.present.sum(axis=0)
        most = np.where(members > 0, self.caps / np.maximum(members, 1), np.inf)
        most = np.append(most, self.cumulative / np.maximum(np.cumsum(members), 1))
        self.minimum = float(digits(0.5 * min(most.min(), self.most.min(), self.quantity)))
        drawn = self.r.random((self.n, self.t)) < 1 / 3
        self.least = np.where(drawn, digits(self.minimum * self.r.uniform(0.2, 1, (self.n, self.t))), 0)

    def supply(self) -> dict[str, Any]:
        """Cost, and the caps of the class."""
        r, total = self.r, np.maximum(self.total, self.quantity)
        steep = self.value / total * 10 ** r.uniform(-1.5, 0.7, self.t)
        linear = digits(self.value * r.uniform(0.02, 0.3, self.t)).tolist()
        quadratic = digits(np.where(r.random() < 0.2, 0, steep)).tolist()
        section: dict[str, Any] = {"cost": {"linear": linear, "quadratic": quadratic}}
        if not self.name.endswith("0"):
            section["supply_max"] = self.caps.tolist()
        if "m" in self.name:
            section["cumulative_max"] = self.cumulative.tolist()
        return section

    def lines(self) -> str:
        """inputs.csv."""
        quadratic = self.name[0] == "Q"
        rows = ["bidder,slot,value,slope,min,max" if quadratic else "bidder,slot,price,quantity"]
        for i, t in np.argwhere(self.present):
            start = f"b{i + 1:02},{t + 1}"
            if quadratic:
                numbers = (self.price[i, t, 0], self.slope[i, t], self.least[i, t], self.most[i, t])
                rows.append(",".join([start, *(f"{x:.6g}" for x in numbers)]))
            else:
                steps = zip(self.price[i, t], self.width[i, t], strict=True)
                rows += [f"{start},{price:.6g},{width:.6g}" for price, width in steps]
        return "\n".join(rows)

    def budgets(self) -> str:
        """budget.csv: between a quarter and nine tenths of what a bidder could take; one in eight has none."""
        could = np.where(self.present, self.most, 0).sum(axis=1)
        needs = np.where(self.present, self.least, 0).sum(axis=1)
        budget = digits(np.maximum(self.r.uniform(0.25, 0.9, self.n) * could, 1.01 * needs))
        has = self.r.random(self.n) < 7 / 8
        has[0] = True
        return "\n".join(["bidder,quantity", *(f"b{i + 1:02},{budget[i]:.6g}" for i in np.flatnonzero(has))])
