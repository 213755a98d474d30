"""Payments of random auctions against the plain oracle: exact for separable bids, close for coupled ones."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tacita.protocols.admm import optimum, plain
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.instance import Auction
from tests.economics.generator import Files, committed, random_files, run_clear

SEPARABLE, COUPLED = ("Q0", "Qc", "S0", "Sc"), ("Qb", "Qm", "Qbm")
AUCTIONS = [8, pytest.param(100, marks=pytest.mark.slow)]
EXACT, CLOSE = 1e-7, 1e-3
"""Of the welfare W."""


def values(auction: Auction, bids: Mapping[str, Sequence[int]], allocation: Sequence[int]) -> np.ndarray:
    """v_i at the published integers, in units of 2^−32 of the money unit, by float arithmetic on exact integers."""
    market, one = auction.market, 2.0**32
    x = np.array(allocation, dtype=float) / one
    if market.steps:
        shape = (market.entries, market.steps)
        price, width = (np.array(bids[n], dtype=float).reshape(shape) / one for n in ("price", "width"))
        price = reserve(auction)[:, None] - price if auction.terms.direction == "reverse" else price
        filled = np.clip(x[:, None] - (np.cumsum(width, axis=1) - width), 0, width)
        worth = (price * filled).sum(axis=1)
    else:
        value, slope = (np.array(bids[n], dtype=float) / one for n in ("value", "slope"))
        value = reserve(auction) - value if auction.terms.direction == "reverse" else value
        worth = value * x - slope * x * x / 2
    return np.bincount(market.owners, weights=worth, minlength=market.bidders) * one


def reserve(auction: Auction) -> np.ndarray:
    units = np.array([float(auction.terms.price_units(r)) for r in auction.terms.reserve or ()]) / 2.0**32
    return units[auction.market.slot_of]


def money(auction: Auction) -> float:
    """One unit of 2^−32 of money in the caller's units."""
    return 2.0 ** (auction.terms.price_exponent + auction.terms.quantity_exponent - 32)


def clarke(auction: Auction, inputs: Mapping[str, BidderInputs]) -> tuple[np.ndarray, float]:
    """Exact Clarke payments in forward form, and W."""
    market = plain._market(auction.terms, sorted(inputs), inputs)
    best = optimum.optimum(market, np.ones(len(market.owner), dtype=bool))
    own = np.bincount(market.owner, weights=market.worth(best.x), minlength=len(inputs))
    return plain._clarke(market, best, own), best.welfare


def check(files: Files, seed: int, tolerance: float) -> tuple[float, float]:
    """Payments are min(max(p, 0), v_i(x_i)) within tolerance·W; returns the error and how much the guard cut off."""
    auction, inputs = files.read()
    _, integers = run_clear(auction, inputs, noise=seed)
    paid = np.array(integers["payment"], dtype=float)
    worth = values(auction, committed(auction, inputs), integers["allocation"])
    rounding = 64.0 * auction.market.slots
    assert paid.min() >= 0, f"seed {seed}: somebody is paid"
    assert np.all(paid <= worth + rounding), f"seed {seed}: somebody pays more than its value"
    exact, welfare = clarke(auction, inputs)
    guarded = np.minimum(np.maximum(exact, 0), worth * money(auction))
    error = float(np.abs(paid * money(auction) - guarded).max()) / welfare
    assert error <= tolerance, f"seed {seed}: a payment is off by {error} of the welfare"
    return error, float(np.abs(guarded - exact).max()) / welfare


@pytest.mark.parametrize("name", SEPARABLE)
@pytest.mark.parametrize("method", ["table", "admm"])
@pytest.mark.parametrize("auctions", AUCTIONS)
@pytest.mark.timeout(1200)
def test_clarke_payments_of_separable_bids_are_exact(name: str, method: str, auctions: int) -> None:
    """With method = "admm" a payment is also cut to the value of the published, slightly different allocation."""
    results = []
    for seed in range(300, 300 + auctions):
        files = random_files(name, seed, bidders=(2, 12), slots=(1, 6))
        results.append(check(Files({**files.tree, "solver": {"method": method}}, files.lines), seed, EXACT))
    print(f"{name}, {method}: largest error {max(results)[0]}, largest cut {max(c for _, c in results)}")


@pytest.mark.parametrize("name", COUPLED)
@pytest.mark.parametrize("auctions", [3, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.timeout(1200)
def test_clarke_payments_of_coupled_bids_are_close(name: str, auctions: int) -> None:
    results = [check(random_files(name, seed, (2, 6), (2, 4)), seed, CLOSE) for seed in range(400, 400 + auctions)]
    print(f"{name}: largest error {max(results)[0]}, largest cut {max(c for _, c in results)}")


def test_a_minimum_costs_its_bidder_at_most_its_value() -> None:
    """Auctions with minimums above zero are where Clarke's formula itself asks for more than the value."""
    found = 0
    for seed in range(500, 580):
        files = random_files("Qc", seed, (2, 8), (1, 4))
        if "minimum" in files.tree["bounds"]:
            found += 1
            check(Files({**files.tree, "solver": {"method": "table"}}, files.lines), seed, EXACT)
    assert found >= 4
