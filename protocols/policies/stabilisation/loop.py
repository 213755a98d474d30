"""The closed loop in the clear: every period the controller plans over its horizon and carries out the first step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tacita.protocols.admm.problem import Vector
from tacita.protocols.policies.stabilisation.economy import Decision, Economy
from tacita.protocols.policies.stabilisation.inputs import Scenario
from tacita.protocols.policies.stabilisation.plain import Problem, optimum, problem_of
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms

Market = Callable[[int, Economy, Vector], float]
"""(period, state, control that is carried out) → the price of the next period."""


@dataclass(frozen=True)
class Controller:
    """The plain scenario controller for one set of scenarios; what a session computes, without the session."""

    terms: StabilisationTerms
    scenarios: Sequence[Scenario]

    @cached_property
    def _problem(self) -> tuple[Problem, Vector]:
        """The problem at x_0 = 0, and what x_0 = 1 adds to the free responses."""
        problem = problem_of(self.terms, self.scenarios)
        powers = np.arange(1, self.terms.horizon + 1)
        decay = np.array([float(s.persistence) ** powers for s in self.scenarios])
        return replace(problem, free=problem.free - self.terms.deviation * decay), decay

    def plan(self, economy: Economy) -> Vector:
        """The controls that all scenarios share, shape (M, controls), at this state."""
        problem, decay = self._problem
        lower, upper = economy.limits(self.terms.horizon)
        free = problem.free + economy.deviation * decay
        best = optimum(replace(problem, free=free, lower=lower.reshape(-1), upper=upper.reshape(-1)))
        shared = best.controls[0][: problem.shared]
        return np.asarray(shared.reshape(self.terms.shared, self.terms.controls))


@dataclass(frozen=True)
class Period:
    """One period of a closed loop: the state at its start and what was decided."""

    economy: Economy
    decision: Decision


def closed_loop(controller: Controller, market: Market, periods: int) -> list[Period]:
    """Run the controller against a market from the terms' state on."""
    economy, history = controller.terms.economy, []
    for t in range(periods):
        control = controller.plan(economy)[0]
        decision = economy.decide(control)
        history.append(Period(economy, decision))
        economy = economy.advance(decision, market(t, economy, control))
    return history


def linear_market(scenario: Scenario, shocks: Vector) -> Market:
    """A market that follows x' = a·x + b·u (+ b'·v) + w with the coefficients of a scenario and given shocks."""
    effects = np.array([float(b) for b in scenario.effects])

    def price(t: int, economy: Economy, control: Vector) -> float:
        after = float(scenario.persistence) * economy.deviation + float(effects @ control) + float(shocks[t])
        return economy.target * float(np.exp(after))

    return price
