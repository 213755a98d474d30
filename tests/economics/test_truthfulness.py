"""What holds and what fails of the paper's theorems about payments (economics.md section 2.1)."""

from fractions import Fraction

import numpy as np
import pytest

from tacita.protocols.admm.plain import solve_plain
from tacita.protocols.policies.auction.inputs import BidderInputs, SlotBid
from tests.economics import references as ref
from tests.economics.generator import Files

Report = tuple[Fraction, ...]
"""(value, slope, min, max)."""


def utility(files: Files, bidder: str, reports: dict[int, Report], budget: Fraction | None = None) -> float:
    """True value minus payment when the bidder's rows and budget are replaced by `reports`."""
    auction, inputs = files.read()
    truth = inputs[bidder]
    slots = {t: SlotBid(reports.get(t, bid.numbers)) for t, bid in truth.slots.items()}
    reported = {**inputs, bidder: BidderInputs(slots, truth.budget if budget is None else budget)}
    outcome = solve_plain(auction.terms, reported, guard=False)
    x = outcome.allocation[bidder]
    value = sum(float(b.numbers[0]) * x[t] - float(b.numbers[1]) * x[t] ** 2 / 2 for t, b in truth.slots.items())
    return value - outcome.payment[bidder]


def misreports(bid: Report) -> list[Report]:
    """Bids shaded and raised, slopes halved and doubled, smaller maxima (a larger one would not be delivered)."""
    value, slope, least, most = bid
    shifts = [Fraction(n, 10) for n in (-30, -15, -8, -3, -1, 1, 5, 20)]
    reports = [(value + d, slope * f, least, most) for d in shifts for f in (Fraction(1, 2), 1, 2)]
    return reports + [(value, slope, least, most * Fraction(n, 20)) for n in (6, 12, 16, 19)]


def best_gain(files: Files) -> tuple[float, str]:
    """The largest gain of any bidder of a one-slot auction over telling the truth."""
    _, inputs = files.read()
    best = (-np.inf, "")
    for name, bidder in inputs.items():
        honest = utility(files, name, {})
        for report in misreports(bidder.slots[0].numbers):
            best = max(best, (utility(files, name, {0: report}) - honest, f"{name} reports {report}"))
    return best


@pytest.mark.parametrize("files", [ref.A1, ref.A1_LOSER], ids=["A1", "A1-loser"])
def test_no_misreport_gains_under_clarke(files: Files) -> None:
    gain, how = best_gain(files)
    assert gain < 1e-10, how


def test_no_misreport_gains_under_clarke_with_coupled_slots() -> None:
    """Random misreports of value, slope, maximum and budget on A2."""
    r, (_, inputs) = np.random.default_rng(5), ref.A2.read()
    honest = {name: utility(ref.A2, name, {}) for name in inputs}
    for n in range(30):
        name = "abcde"[n % 5]
        reports = {}
        for t, bid in inputs[name].slots.items():
            factors = [Fraction(int(f * 1000), 1000) for f in r.uniform([0.6, 0.6, 0.6], [1.5, 1.5, 1.0])]
            value, slope, least, most = bid.numbers
            reports[t] = (value * factors[0], slope * factors[1], least, max(most * factors[2], least))
        budget = inputs[name].budget
        assert budget is not None
        gain = utility(ref.A2, name, reports, budget * Fraction(int(r.integers(60, 101)), 100)) - honest[name]
        assert gain < 1e-8, f"{name} gains {gain} with {reports}"


def test_a_uniform_price_invites_shading() -> None:
    gain, how = best_gain(ref.changed(ref.A1, payment_rule="uniform"))
    assert gain == pytest.approx(1.088, abs=5e-4), how


def test_clarke_is_individually_rational_and_covers_the_cost() -> None:
    for files in (ref.A1, ref.A2, ref.A1_LOSER, ref.A4):
        auction, inputs = files.read()
        outcome = solve_plain(auction.terms, inputs, guard=False)
        y, terms = outcome.supply, auction.terms
        slots = zip(y, terms.cost_linear, terms.cost_quadratic, strict=True)
        cost = sum(float(p) * q + float(k) * q * q / 2 for q, p, k in slots)
        assert sum(outcome.payment.values()) > cost
        assert outcome.welfare + cost > sum(outcome.payment.values()), "bidders keep a surplus"
        if files is not ref.A4:
            assert min(utility(files, name, {}) for name in inputs) > -1e-10


def test_the_rule_of_the_paper_is_truthful_but_not_individually_rational() -> None:
    files = ref.changed(ref.A1, payment_rule="paper")
    gain, how = best_gain(files)
    assert gain < 1e-10, how
    utilities = [utility(files, name, {}) for name in "abc"]
    np.testing.assert_allclose(utilities, [11.1666666667, -15.8333333333, -26.3333333333], atol=1e-9)


def test_the_rule_of_the_paper_charges_the_cost_once_per_bidder() -> None:
    auction, inputs = ref.changed(ref.A1, payment_rule="paper").read()
    total = sum(solve_plain(auction.terms, inputs).payment.values())
    assert total == pytest.approx(82.4444444444, abs=1e-9) and total > 3 * 20.7777777778


def test_a_fixed_cost_would_not_be_covered_by_clarke() -> None:
    """With c(0) = 10 payments stay 28.6073 while the cost is 30.7778: costs are normalised to c(0) = 0."""
    auction, inputs = ref.A1.read()
    outcome = solve_plain(auction.terms, inputs)
    (y,) = outcome.supply
    assert y + y * y / 4 < sum(outcome.payment.values()) < 10 + y + y * y / 4
