"""The three supply models against the paper's formulas, period by period."""

import math

import numpy as np
import pytest

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.stabilisation.economy import Cohorts, Collateral, Economy

COIN = Economy(
    price=1.02,
    previous_price=1.0,
    target=1.0,
    outstanding=20.0,
    growth=(-0.3, 0.3),
    minimum=5.0,
    maximum=50.0,
    block_reward=0.5,
    block_reward_max=0.6,
    auction_max=4.0,
    buyback_max=3.0,
)


def walk(economy: Economy, seed: int, periods: int = 60) -> list[tuple[Economy, Economy]]:
    """(state, next state) with random controls inside the limits and random prices."""
    rng, pairs = np.random.default_rng(seed), []
    for _ in range(periods):
        lower, upper = economy.limits(1)
        decision = economy.decide((lower + rng.uniform(0, 1, lower.shape) * (upper - lower))[0].tolist())
        after = economy.advance(decision, economy.price * math.exp(rng.normal(0, 0.05)))
        assert -economy.buyback_max - 1e-9 <= decision.auction_size <= economy.auction_max + 1e-9
        assert 0 <= decision.block_reward <= economy.block_reward_max
        # Merged (4.4) and (4.7), and (4.5), (4.8) with mint and burn: S_max = S_un + S_out all along.
        issued = decision.block_reward + decision.auction_size - decision.depreciation
        assert after.outstanding == pytest.approx(economy.outstanding + issued)
        assert economy.maximum + decision.minted == pytest.approx(after.maximum)
        assert after.outstanding <= after.maximum + 1e-9
        pairs.append((economy, after))
        economy = after
    return pairs


def test_supply_reward_and_auction_stay_inside_their_limits_and_add_up() -> None:
    for before, after in walk(COIN, 1):
        assert after.outstanding >= COIN.minimum - 1e-9
        assert abs(math.log(after.outstanding / before.outstanding)) <= 0.3 + 1e-9


def test_supply_maximum_and_block_reward_follow_the_price_and_expand_when_it_rises() -> None:
    # (4.14) and (4.15) with P = currency per coin.
    assert COIN.supply_max == pytest.approx(50 * 1.02)
    assert COIN.reward == pytest.approx(0.5 * 1.02)
    fallen = COIN.advance(COIN.decide([0.0]), 0.51)
    assert fallen.supply_max == pytest.approx(51 * 0.5)
    assert fallen.reward == pytest.approx(0.51 * 0.5)


def test_a_maximum_never_falls_below_what_is_outstanding_and_a_reward_never_above_its_cap() -> None:
    fallen = COIN.advance(COIN.decide([0.0]), 0.1)
    assert fallen.supply_max == fallen.outstanding
    assert COIN.advance(COIN.decide([0.0]), 3.0).reward == 0.6


def test_a_price_below_target_can_be_answered_by_a_buy_back() -> None:
    decision = COIN.decide([math.log(19 / 20)])
    assert decision.auction_size == pytest.approx(19 - 20 - 0.51)
    assert COIN.limits(1)[0][0, 0] == pytest.approx(math.log((20 + 0.51 - 3) / 20))


def test_limits_without_any_choice_are_refused() -> None:
    with pytest.raises(CallerMistake, match="leave no growth"):
        Economy(1, 1, 1, 20.0, (-0.1, 0.1), minimum=25.0, auction_max=0.0, buyback_max=0.0).limits(1)


# ---- collateral (4.25)–(4.28) -------------------------------------------------------------------------------------


def test_the_reserve_backs_every_coin_and_the_ratio_keeps_its_limits() -> None:
    start = Economy(1.0, 1.0, 1.0, 100.0, (-0.05, 0.05), collateral=Collateral(1.1, 1.25, (-0.04, 0.04)))
    for before, after in walk(start, 2):
        assert before.collateral and after.collateral
        assert 1.0 <= after.collateral.ratio <= 1.25 + 1e-12
        assert abs(math.log(after.collateral.ratio / before.collateral.ratio)) <= 0.04 + 1e-9
    decision = start.decide([0.02, 0.03])
    assert decision.reserve == pytest.approx(1.1 * math.exp(0.03) * 100 * math.exp(0.02))
    # R = λ·S makes the growth of the reserve the sum of both controls.
    assert math.log(decision.reserve / 110) == pytest.approx(0.05)


# ---- depreciation (4.64)–(4.68) -----------------------------------------------------------------------------------


def by_the_formula(rate: float, minted: list[float]) -> float:
    """(4.64) with the sum from t = 1 and (4.67), at T = the last epoch."""
    last = len(minted)
    lost = [min((last - t) * rate * s, s) for t, s in enumerate(minted, start=1)]
    return sum(minted) - sum(lost)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.07, 0.5, 1.0])
def test_coins_minted_period_by_period_are_worth_what_the_formula_says(rate: float) -> None:
    rng = np.random.default_rng(3)
    minted = rng.uniform(0, 10, 40).tolist()
    economy = Economy(1, 1, 1, minted[0], (-5.0, 5.0), cohorts=Cohorts(rate, (minted[0],)))
    for t in range(1, 40):
        before = economy.outstanding
        after = before - economy.depreciation() + minted[t]
        decision = economy.decide([math.log(after / before)])
        assert decision.auction_size == pytest.approx(minted[t])
        economy = economy.advance(decision, 1.0)
        assert economy.outstanding == pytest.approx(by_the_formula(rate, minted[: t + 1]))
        assert economy.cohorts and economy.cohorts.worth() == pytest.approx(economy.outstanding)


def test_one_percent_per_epoch_as_in_the_paper() -> None:
    coins = Cohorts(0.01, (100.0,))
    assert [coins.worth(k) for k in (0, 1, 50, 100, 101)] == pytest.approx([100, 99, 50, 0, 0])


def test_a_buy_back_takes_from_every_epoch_alike() -> None:
    economy = Economy(1, 1, 1, 280.0, (-1.0, 1.0), cohorts=Cohorts(0.1, (100.0, 100.0, 100.0)))
    economy = Economy(1, 1, 1, economy.cohorts.worth(), (-1.0, 1.0), cohorts=economy.cohorts)  # type: ignore[union-attr]
    after = economy.advance(economy.decide([math.log(0.8)]), 1.0)
    assert after.cohorts and after.cohorts.worth() == pytest.approx(after.outstanding) == pytest.approx(0.8 * 270)
    assert after.cohorts.minted[0] == pytest.approx(after.cohorts.minted[2])
    for before, later in walk(economy, 4):
        assert later.cohorts and later.cohorts.worth() == pytest.approx(later.outstanding)
        assert before.outstanding > 0


def test_without_buy_backs_the_supply_falls_by_depreciation_alone() -> None:
    economy = Economy(1, 1, 1, 98.0, (-0.1, 0.1), buyback_max=0.0, cohorts=Cohorts(0.02, (100.0, 0.0)))
    assert economy.limits(2)[0][:, 0] == pytest.approx([math.log(96 / 98), math.log(96 / 98)])
