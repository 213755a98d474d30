"""The whole secure computation of one auction: allocation, prices, payments and welfare as secret integers."""

from dataclasses import dataclass

import numpy as np

from tacita.protocols.admm import payments, sharing
from tacita.protocols.admm.problem import Bids, Market
from tacita.protocols.admm.repair import repair
from tacita.protocols.admm.sharing import Report
from tacita.protocols.admm.slack import Stack, State
from tacita.protocols.admm.table import Table, clear
from tacita.protocols.mpc.engine import Engine, Secret


@dataclass(frozen=True)
class Plan:
    """What to compute, all public."""

    method: str
    """"admm" or "table"."""
    payment_rule: str
    """"clarke", "paper" or "uniform"."""
    iterations: int
    order: tuple[int, ...]
    """Bidders ranked by the auction coin: ties go to the first, rounding is trimmed from the last."""


@dataclass(frozen=True)
class Cleared:
    """At scale f: x per entry, y and λ per slot, p per bidder, W."""

    allocation: Secret
    supply: Secret
    price: Secret
    payment: Secret
    welfare: Secret


def needs_table(market: Market, method: str, payment_rule: str) -> bool:
    """The table gives Clarke payments and lower-end prices of every slot-separable market."""
    return not market.coupled and (method == "table" or payment_rule != "paper" or market.steps > 0)


async def solve(engine: Engine, market: Market, bids: Bids, plan: Plan, report: Report) -> Cleared:
    """Clear the market; every branch depends on public facts only."""
    order = plan.order
    # 1. the table, if slots are separable
    table: Table | None = None
    if needs_table(market, plan.method, plan.payment_rule):
        table = await clear(engine, market, bids, order, counterfactuals=plan.payment_rule == "clarke")
    # 2. the allocation and the dual price
    state: State | None = None
    if table and plan.method == "table":
        x, price = table.allocation, table.price
    elif market.coupled:
        stack = Stack(engine, market, bids, [None])
        await stack.prepare()
        state, x = await stack.run(stack.start(), plan.iterations, report)
        if market.steps:
            x = engine.group_sum(x, np.repeat(np.arange(market.entries), market.steps), market.entries)
            x = engine.within(x, 0, market.largest)
        price = await stack.price(state)
    else:
        solution = await sharing.solve(engine, market, bids, plan.iterations, report)
        x, price = solution.allocation, table.price if table else solution.price
    # 3. exact feasibility, then values
    feasible = await repair(engine, market, bids, x, order)
    worth = await payments.values(engine, market, bids, feasible.allocation)
    total = await payments.welfare(engine, market, worth, feasible.supply)
    # 4. payments
    if plan.payment_rule == "uniform":
        payment = await payments.uniform(engine, market, price, feasible.allocation)
    elif plan.payment_rule == "paper":
        payment = await payments.paper(engine, market, bids, worth, feasible.supply)
    elif state is not None:
        payment = await payments.clarke_coupled(
            engine, market, bids, order, state, worth, total, plan.iterations, report
        )
    else:
        assert table
        payment = await payments.clarke_separable(engine, market, bids, table, worth)
    return Cleared(feasible.allocation, feasible.supply, price, payment, total)
