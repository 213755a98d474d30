"""The plain oracle: reference instances, optimality conditions, another solver, and the theorems about payments."""

import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest

from tacita.protocols.admm import optimum, plain
from tacita.protocols.admm.optimum import PlainMarket, real
from tacita.protocols.admm.plain import PlainOutcome, gap, solve_logarithmic, solve_plain
from tests.economics import references as ref
from tests.economics.exact import ZERO, Piece, Slot
from tests.economics.generator import CLASSES, Files, random_files

ROOT = Path(__file__).resolve().parents[2]


def solve(files: Files, guard: bool = True) -> PlainOutcome:
    auction, inputs = files.read()
    return solve_plain(auction.terms, inputs, guard)


def close(mine: object, expected: object, tolerance: float = 1e-9) -> None:
    """Equal structure, numbers within the tolerance."""
    if isinstance(expected, dict):
        assert isinstance(mine, dict) and mine.keys() == expected.keys()
        for name in expected:
            close(mine[name], expected[name], tolerance)
    else:
        np.testing.assert_allclose(np.array(mine, float), np.array(expected, float), rtol=0, atol=tolerance)


# ---- reference instances --------------------------------------------------------------------------------------


def test_a1_has_the_exact_rational_optimum_and_clarke_payments() -> None:
    outcome = solve(ref.A1)
    close(outcome.allocation, ref.A1_ALLOCATION, 1e-12)
    close(outcome.supply, [ref.A1_SUPPLY], 1e-12)
    close(outcome.price, [ref.A1_PRICE], 1e-12)
    close(outcome.payment, ref.A1_CLARKE, 1e-11)
    assert outcome.welfare == pytest.approx(float(ref.A1_WELFARE), abs=1e-12)


def test_a2_to_its_twelve_printed_digits() -> None:
    outcome = solve(ref.A2)
    close(outcome.allocation, ref.A2_ALLOCATION, 1e-10)
    close(outcome.price, ref.A2_PRICE, 1e-10)
    close(outcome.supply, ref.A2_SUPPLY, 1e-10)
    close(outcome.payment, ref.A2_CLARKE, 1e-9)
    assert outcome.welfare == pytest.approx(ref.A2_WELFARE, abs=1e-10)
    auction, _ = ref.A2.read()
    y, p, k = np.array(outcome.supply), real(optimum.exact(auction.terms.cost_linear)), 0.2
    assert float(p @ y + k * y @ y / 2) == pytest.approx(ref.A2_COST, abs=1e-10)


def test_a3_with_logarithmic_valuations() -> None:
    auction, inputs = ref.A2.read()
    outcome = solve_logarithmic(auction.terms, inputs, ref.A3_WEIGHT, ref.A3_SHIFT)
    close(outcome.allocation, ref.A3_ALLOCATION, 1e-8)
    assert outcome.welfare == pytest.approx(ref.A3_WELFARE, abs=1e-8)


def test_a4_publishes_the_lower_end_of_the_flat_price_interval() -> None:
    outcome = solve(ref.A4)
    close(outcome.allocation, ref.A4_ALLOCATION, 1e-10)
    close(outcome.price, ref.A4_PRICE, 1e-12)
    close(outcome.supply, ref.A4_SUPPLY, 1e-10)
    assert outcome.welfare == pytest.approx(ref.A4_WELFARE, abs=1e-10)


def test_a1_with_a_loser() -> None:
    close(solve(ref.A1_LOSER).payment, ref.A1_LOSER_CLARKE)
    paper = solve(ref.changed(ref.A1_LOSER, payment_rule="paper"))
    assert paper.allocation["c"][0] == pytest.approx(0, abs=1e-10)
    assert paper.payment["c"] == pytest.approx(26.5714285714, abs=1e-9), "the paper charges a bidder that gets nothing"


def test_a1_with_a_minimum_breaks_individual_rationality_unless_guarded() -> None:
    exact, guarded = solve(ref.A1_MINIMUM, guard=False), solve(ref.A1_MINIMUM)
    close(exact.payment, ref.A1_MINIMUM_CLARKE)
    worth = 6 * 1.5 - 4 * 1.5**2 / 2
    assert worth - exact.payment["c"] == pytest.approx(-2.6785714286, abs=1e-9)
    assert guarded.payment["c"] == pytest.approx(worth, abs=1e-9)


def test_the_payments_of_the_paper_on_a1_and_with_budgets_on_a2() -> None:
    close(solve(ref.changed(ref.A1, payment_rule="paper")).payment, ref.A1_PAPER)
    # Budgets are only offered here, so the terms are not completed by `with_bids`, which refuses them.
    files = ref.changed(ref.A2, payment_rule="paper")
    _, inputs = ref.A2.read()
    terms = plain.AuctionTerms.read(files.tree)
    outcome = solve_plain(terms, inputs)
    market = plain._market(terms, sorted(inputs), inputs)
    alone = np.array([_cvxpy_standalone(market, i) for i in range(5)])
    worth = _worth(market, outcome, sorted(inputs))
    for i, name in enumerate(sorted(inputs)):
        others = np.arange(5) != i
        expected = (alone - worth)[others].sum() + ref.A2_COST
        assert outcome.payment[name] == pytest.approx(expected, abs=1e-7)
        assert -84.65 < worth[i] - outcome.payment[name] < -54.65, "all five lose by taking part"


def test_a_uniform_price_charges_everybody_the_price() -> None:
    outcome = solve(ref.changed(ref.A1, payment_rule="uniform"))
    close(outcome.payment, {name: x[0] * ref.A1_PRICE for name, x in ref.A1_ALLOCATION.items()})


def test_a_reverse_auction_is_the_mirrored_forward_one() -> None:
    """Asks reserve − b: sellers are paid Σ reserve·x minus the forward payment, the price is mirrored."""
    tree = {**ref.A1.tree, "auction": {**ref.A1.tree["auction"], "direction": "reverse", "reserve": [12.0]}}
    tree["bounds"] = {"slope": [0.5, 5], "quantity": [0, 10]}
    mirrored = solve(Files(tree, "bidder,slot,value,slope,min,max\na,1,2,1,0,6\nb,1,4,2,0,3\nc,1,6,4,0,2"))
    close(mirrored.allocation, ref.A1_ALLOCATION)
    close(mirrored.price, [12 - ref.A1_PRICE])
    close(mirrored.payment, {n: 12 * ref.A1_ALLOCATION[n][0] - p for n, p in ref.A1_CLARKE.items()})


def test_the_readme_shows_the_result_of_the_demo() -> None:
    """Its table of quantities, prices and payments, and its welfare, as the plain solver finds them."""
    folder = ROOT / "examples" / "coin-issue"
    outcome = solve(Files(tomllib.loads((folder / "terms.toml").read_text()), (folder / "inputs.csv").read_text()))
    page = (ROOT / "README.md").read_text()
    rows = {
        cells[0]: [float(c.replace(",", "")) for c in cells[1:]]
        for cells in map(str.split, page.splitlines())
        if cells and cells[0] in {*outcome.allocation, "supply", "price"} and len(cells) in (6, 7)
    }
    assert len(rows) == 6
    for name, numbers in rows.items():
        slots = {"supply": outcome.supply, "price": outcome.price}.get(name) or outcome.allocation[name]
        expected = [*slots[:4], slots[7]]
        if name != "price":
            expected.append(sum(outcome.payment.values()) if name == "supply" else outcome.payment[name])
        close(numbers, expected, 6e-4)
    assert f"welfare {outcome.welfare:,.2f}" in page


def test_gap_reports_what_an_outcome_publishes_and_nothing_else() -> None:
    outcome = solve(ref.A1)
    shown = {"welfare": float(ref.A1_WELFARE) * 0.99, "price": [float(ref.A1_PRICE) + 0.5], "policy": "auction"}
    differences = gap(outcome, shown)
    assert differences.keys() == {"welfare", "price"}
    assert differences["welfare"] == pytest.approx(0.01) and differences["price"] == pytest.approx(0.5)
    full = gap(outcome, {"allocation": outcome.allocation, "payment": outcome.payment, "supply": outcome.supply})
    assert full == {"allocation": 0, "payment": 0, "supply": 0}


# ---- optimality conditions and another solver -----------------------------------------------------------------


def _worth(market: PlainMarket, outcome: PlainOutcome, names: list[str]) -> np.ndarray:
    x = np.array([outcome.allocation[names[i]][t] for i, t in zip(market.owner, market.slot, strict=True)])
    return np.bincount(market.owner, weights=market.worth(x), minlength=len(names))


def _cvxpy_standalone(market: PlainMarket, bidder: int) -> float:
    mine = np.flatnonzero(market.owner == bidder)
    x = cp.Variable(len(mine))
    a, b = real(market.curvature)[mine], real(market.linear)[mine]
    limits = [x >= real(market.lower)[mine], x <= real(market.upper)[mine], cp.sum(x) <= float(market.budget[bidder])]
    problem = cp.Problem(cp.Maximize(b @ x - cp.sum(cp.multiply(a / 2, cp.square(x)))), limits)
    return float(problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11))


def _cvxpy(market: PlainMarket) -> float:
    """Maximal welfare by CLARABEL, in units of the largest quantity and price."""
    slots, bidders, n = len(market.cap), len(market.budget), len(market.owner)
    q, v = float(max(market.upper)), float(max(abs(market.linear)))
    x, y = cp.Variable(n), cp.Variable(slots)
    by_slot, by_owner = np.zeros((slots, n)), np.zeros((bidders, n))
    by_slot[market.slot, range(n)] = by_owner[market.owner, range(n)] = 1
    limits = [by_slot @ x == y, x >= real(market.lower) / q, x <= real(market.upper) / q, y >= 0]
    for rows, bound in ((y, market.cap), (cp.cumsum(y), market.cumulative), (by_owner @ x, market.budget)):
        finite = np.flatnonzero(real(bound) < np.inf)
        if len(finite):
            limits.append(rows[finite] <= real(bound)[finite] / q)
    objective = real(market.linear) / v @ x - cp.sum(cp.multiply(real(market.curvature) * q / v / 2, cp.square(x)))
    objective -= real(market.cost_linear) / v @ y
    objective -= cp.sum(cp.multiply(real(market.cost_quadratic) * q / v / 2, cp.square(y)))
    problem = cp.Problem(cp.Maximize(objective), limits)
    return q * v * float(problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12))


@pytest.mark.parametrize("name", CLASSES)
def test_welfare_agrees_with_clarabel_and_the_allocation_is_feasible(name: str) -> None:
    for seed in range(1000, 1012):
        auction, inputs = random_files(name, seed, payment_rule="uniform").read()
        outcome = solve_plain(auction.terms, inputs)
        market = plain._market(auction.terms, sorted(inputs), inputs)
        assert outcome.welfare == pytest.approx(_cvxpy(market), rel=1e-9), f"{name}, seed {seed}"
        x, q = np.array([outcome.allocation[n] for n in sorted(inputs)]), float(auction.terms.quantity[1])
        excess = [np.abs(x.sum(axis=0) - outcome.supply), np.array(outcome.supply) - real(market.cap)]
        excess += [np.cumsum(outcome.supply) - real(market.cumulative), x.sum(axis=1) - real(market.budget)]
        assert max(float(e.max()) for e in excess) < 1e-10 * q, f"{name}, seed {seed}"


@pytest.mark.parametrize("name", CLASSES)
def test_the_price_closes_the_duality_gap(name: str) -> None:
    """KKT: W = Σ_i max_{X_i} (v_i(x) − λ·x) + max_Y (λ·y − c(y)), each maximum over boxes, budgets and caps alone.

    The right-hand side is an upper bound of W for every λ; equality holds for optimal x, y and clearing λ only.
    """
    for seed in range(2000, 2010):
        auction, inputs = random_files(name, seed, payment_rule="uniform").read()
        market = plain._market(auction.terms, sorted(inputs), inputs)
        outcome = solve_plain(auction.terms, inputs)
        price = np.array(outcome.price)
        if auction.terms.direction == "reverse":
            price = real(optimum.exact(auction.terms.reserve or ())) - price
        scaled = optimum.exact([Fraction(float(p)) for p in price])
        buyers = plain._standalone(replace(market, linear=market.linear - scaled[market.slot]), len(inputs))
        y, q, v = cp.Variable(len(price)), float(max(market.upper)), float(max(abs(market.linear)))
        limits = [y >= 0, y <= np.minimum(real(market.cap), 1e4 * q) / q]
        if max(market.cumulative) < np.inf:
            limits.append(cp.cumsum(y) <= real(market.cumulative) / q)
        profit = (price - real(market.cost_linear)) / v @ y
        profit -= cp.sum(cp.multiply(real(market.cost_quadratic) * q / v / 2, cp.square(y)))
        problem = cp.Problem(cp.Maximize(profit), limits)
        seller = q * v * problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        assert buyers.sum() + seller == pytest.approx(outcome.welfare, rel=1e-8), f"{name}, seed {seed}"


def test_prices_are_the_lowest_clearing_ones_in_exact_rationals() -> None:
    for seed in range(40):
        auction, inputs = random_files(("Q0", "Qc", "S0", "Sc")[seed % 4], seed).read()
        market = plain._market(auction.terms, sorted(inputs), inputs)
        for t in range(auction.terms.slots):
            here = np.flatnonzero(market.slot == t)
            numbers = (market.linear, market.curvature, market.lower, market.upper)
            pieces = tuple(Piece(int(market.owner[j]), *(Fraction(v[j]) for v in numbers)) for j in here)
            cap = sum((j.hi for j in pieces), ZERO) + 1 if market.cap[t] == np.inf else market.cap[t]
            slot = Slot(pieces, market.cost_linear[t], market.cost_quadratic[t], cap, tuple(range(len(inputs))))
            assert optimum.lowest_price(market, t) == slot.price(), f"seed {seed}, slot {t + 1}"
