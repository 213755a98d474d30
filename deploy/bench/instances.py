"""The auctions that are timed: (bidders, slots) = (3, 1), (12, 8), (3, 24), the same in every run.

(12, 8) is the built-in coin issue, with caps that bind and Clarke payments. The others have drawn bids: (3, 1) has no
cap, so 20 iterations suffice; (3, 24) has caps. Clarke payments everywhere.
"""

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from typing import Any

import numpy as np

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.admm.sharing import RELAXATION
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.terms import AuctionTerms


@dataclass(frozen=True)
class Case:
    """One auction: its terms file and its inputs file."""

    bidders: int
    slots: int
    terms: str = field(repr=False)
    inputs: str = field(repr=False)

    @property
    def name(self) -> str:
        """As in tables and in bench.json."""
        return f"({self.bidders}, {self.slots})"

    @property
    def tree(self) -> dict[str, Any]:
        """The terms as read from the file."""
        return tomllib.loads(self.terms)


def cases(quick: bool) -> list[Case]:
    """All of them, or the smallest."""
    small = _drawn(3, 1, None)
    return [small] if quick else [small, _coin_issue(), _drawn(3, 24, 8.0)]


def _coin_issue() -> Case:
    folder = package_files("tacita") / "examples" / "coin-issue"
    return Case(12, 8, (folder / "terms.toml").read_text(), (folder / "inputs.csv").read_text())


def _drawn(bidders: int, slots: int, cap: float | None) -> Case:
    """Bids with two decimals: value 8 to 20, slope 0.5 to 3, at most 2 to 8 units."""
    entropy = SeededEntropy(f"bench {bidders} {slots}")

    def draw(low: int, high: int) -> float:
        return (low + random_below(entropy, high - low + 1)) / 100

    rows = [
        f"bidder{i + 1},{t + 1},{draw(800, 2000)},{draw(50, 300)},0,{draw(200, 800)}"
        for i in range(bidders)
        for t in range(slots)
    ]
    terms = [
        'policy = "auction"',
        "[auction]",
        f"slots = {slots}",
        "cost = { linear = 1.0, quadratic = 1.0 }",
        *([] if cap is None else [f"supply_max = {cap}"]),
        'payment_rule = "clarke"',
        "[bounds]",
        "value = [0.0, 20.0]",
        "slope = [0.5, 5.0]",
        "quantity = [0.0, 10.0]",
    ]
    return Case(bidders, slots, "\n".join(terms) + "\n", "\n".join(["bidder,slot,value,slope,min,max", *rows]) + "\n")


def normalised(auction: Auction, bids: dict[str, BidderInputs]) -> dict[str, Any]:
    """The same ADMM problem as plain numbers in the product's normalised units, for peers/stock_admm.py."""
    terms, market = auction.terms, auction.market
    rho, one = market.penalty, 2.0**FRACTION
    value, inverse, maximum = (np.zeros((market.bidders, market.slots)) for _ in range(3))
    for i, name in enumerate(auction.participants):
        for t, bid in bids[name].slots.items():
            b, a, _, most = bid.numbers
            value[i, t] = float(terms.price_units(b)) / one / rho
            inverse[i, t] = rho / (float(terms.slope_units(a)) / one + rho)
            maximum[i, t] = float(terms.quantity_units(most)) / one
    cap = np.array([float(c) for c in market.cap]) / one
    return {
        "value": value.tolist(),
        "share_inverse": inverse.tolist(),
        "maximum": maximum.tolist(),
        "penalty": rho,
        "relaxation": RELAXATION,
        "members": market.members.tolist(),
        "cost_linear": list(market.cost_linear),
        "cost_quadratic": list(market.cost_quadratic),
        "cap_mean": (cap / market.members).tolist(),
        "iterations": auction.iterations,
    }


def quantities(terms: AuctionTerms, normal: list[list[float]]) -> list[list[float]]:
    """Normalised quantities in the caller's units."""
    return [[x * 2.0**terms.quantity_exponent for x in row] for row in normal]
