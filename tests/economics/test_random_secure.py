"""Random auctions of every class on three secure engines: small ones in every run, (12, 8) by `make test-slow`.

Every constraint holds exactly in integers; the welfare is that of ClearEngine but for rounding, and within the gap of
the class of the plain optimum.
"""

import pytest

from tacita.deploy.attack.engines import secure
from tacita.protocols.admm.plain import gap, solve_plain
from tacita.protocols.mpc.engine import Engine
from tests.economics.generator import CLASSES, committed, random_files, run_clear
from tests.economics.test_random_auctions import ALWAYS, BETTER_THAN_OPTIMAL, check_feasible

ROUNDING = 1e-6
"""Of the welfare: two engines round differently in every iteration."""
SMALL, LARGE = ((2, 4), (1, 2)), ((12, 12), (8, 8))
"""(fewest, most) bidders and slots."""
SEEDS = {name: 1 if name == "Sc" else 3 for name in CLASSES}
"""Step bids with caps take 350 iterations: one of them in every run, three by `make test-slow`."""
SMALL_ONES = [
    pytest.param(name, seed, SMALL, marks=[] if seed < SEEDS[name] else pytest.mark.slow)
    for name in CLASSES
    for seed in range(3)
]
LARGE_ONES = [pytest.param(name, 0, LARGE, marks=pytest.mark.slow) for name in CLASSES]


@pytest.mark.parametrize(("name", "seed", "size"), SMALL_ONES + LARGE_ONES)
@pytest.mark.timeout(3600)
def test_a_random_auction_on_the_secure_engine(
    name: str, seed: int, size: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    auction, inputs = random_files(name, 600 + seed, *size, payment_rule="uniform").read()
    assert auction.market.class_name == name

    async def program(engine: Engine) -> None:
        await auction.program(auction.participants)(engine, lambda _k, _total: None)

    bids = committed(auction, inputs)
    outputs = secure(program, bids, 3, f"{name} {seed}").outputs
    check_feasible(auction, bids, outputs["allocation"], None)
    outcome, plain = auction.outcome(outputs), solve_plain(auction.terms, inputs)
    assert -BETTER_THAN_OPTIMAL < gap(plain, outcome)["welfare"] <= ALWAYS
    clear, _ = run_clear(auction, inputs, noise=seed)
    assert outcome["welfare"] == pytest.approx(clear["welfare"], abs=ROUNDING * plain.welfare)
