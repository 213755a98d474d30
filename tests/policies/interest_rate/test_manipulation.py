"""False reports: the case of economics.md section 4, which rules reward it, and which do not."""

from fractions import Fraction as F

import numpy as np
import pytest

from tacita.protocols.policies.interest_rate import corrections as reference
from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.control import Controller, Views
from tacita.protocols.policies.interest_rate.corrections import CONTROLLER, MEMBERS, costs
from tests.policies.interest_rate.committees import HEADER, case

HONEST_PATH = (0.5445243643, 0.8733548397, 0.9967568434, 0.9372578)
REPORTS = [
    (str(p), str(y), str(x)) for p in (0, 0.5, 0.7, 1) for y in (-5, -2.2, -1.9, 0, 4) for x in np.linspace(-3, 9, 13)
]


def test_the_mean_rewards_the_fifth_members_false_report() -> None:
    assert reference.decision("mean", reference.views(MEMBERS)) == pytest.approx(HONEST_PATH, abs=1e-8)
    honest, false = costs("mean")
    assert honest == pytest.approx(-3.06261, abs=1e-5)
    assert false == pytest.approx(-3.19876, abs=1e-5)
    own = CONTROLLER.program(reference.views(MEMBERS)[4], F(0))
    best = plain.minimum(*plain.floats(own), np.full(4, -4.0))
    assert plain.cost(own, best) == pytest.approx(-3.21569, abs=1e-5)


def test_a_median_of_preferences_is_not_moved_but_does_not_resist_either() -> None:
    preferences = [F(row[0]) for row in MEMBERS]
    assert plain.middle(preferences) == plain.middle([*preferences[:4], F(1)]) == F("0.5")
    assert float(sum(preferences) / 5) == 0.54 and float(sum([*preferences[:4], F(1)]) / 5) == 0.56
    honest, false = costs("median preference")
    assert false < honest - 0.13


def test_medians_of_everything_limit_the_gain_to_what_a_neighbour_reports() -> None:
    honest, _ = costs("median")
    gains = [honest - costs("median", report)[1] for report in REPORTS]
    assert max(gains) == pytest.approx(0.10127, abs=1e-4)
    mean, _ = costs("mean")
    assert max(mean - costs("mean", report)[1] for report in REPORTS) > 0.13


def test_the_median_of_the_members_own_rates_resists() -> None:
    honest, false = costs("median_rate")
    assert false > honest + 0.003
    assert max(honest - costs("median_rate", report)[1] for report in REPORTS) < 1e-4


def test_with_one_rate_nobody_gains_by_any_report_under_the_median_of_rates() -> None:
    """Single-peaked wishes and an order statistic: exact, for random committees, also of even size."""
    r = np.random.default_rng(11)
    one = Controller(CONTROLLER.economy, 12, 1, CONTROLLER.discount, CONTROLLER.rate_weight, CONTROLLER.move_weight)

    def rate(view: Views) -> float:
        return float(plain.minimum(*plain.floats(one.program(view, F(0))), np.full(1, -4.0))[0])

    for size in (3, 4, 5):
        committee = [
            Views.of(*(F(round(v * 100), 100) for v in r.uniform([0, -6, -6], [1, 6, 6]))) for _ in range(size)
        ]
        truth = [rate(view) for view in committee]
        for member, view in enumerate(committee):
            own = one.program(view, F(0))
            honest = plain.cost(own, np.array([plain.middle(truth)]))
            for report in np.linspace(-4, 20, 49):
                false = [*truth[:member], float(report), *truth[member + 1 :]]
                assert plain.cost(own, np.array([plain.middle(false)])) >= honest - 1e-9


@pytest.mark.parametrize(("statistic", "gains"), [("mean", True), ("median_rate", False)])
def test_sessions_decide_as_the_rules_of_the_table_say(statistic: str, gains: bool) -> None:
    """The same case through the secure program, with the released rates put into the fifth member's true cost."""

    def rates(fifth: tuple[str, str, str]) -> plain.Reals:
        lines = [f"m{i},{','.join(row)}" for i, row in enumerate((*MEMBERS[:4], fifth), start=1)]
        outcome = case({"statistic": statistic}, "\n".join([HEADER, *lines]) + "\n").clear(noise=3)
        return np.array(outcome["rates"]) - 4

    own = CONTROLLER.program(reference.views(MEMBERS)[4], F(0))
    honest, false = plain.cost(own, rates(MEMBERS[4])), plain.cost(own, rates(reference.FALSE_REPORT))
    assert (honest, false) == pytest.approx(costs(statistic), abs=1e-5)
    assert (false < honest) == gains
