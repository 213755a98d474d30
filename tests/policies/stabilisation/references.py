"""P6a, P6b and P6c of economics.md section 3, as terms trees and CSV text: six parties with one scenario each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacita.protocols.policies.base import Part
from tacita.protocols.policies.registry import read_session
from tacita.protocols.terms import Terms

SCENARIOS, STEPS = 6, 5


@dataclass(frozen=True, eq=False)
class Files:
    """What a session is started with."""

    tree: Mapping[str, Any]
    lines: str

    def read(self) -> tuple[Terms, dict[str, Part]]:
        return read_session(self.tree, {"inputs": self.lines})

    def changed(self, section: str, **keys: Any) -> "Files":
        return Files({**self.tree, section: {**self.tree[section], **keys}}, self.lines)


def csv() -> str:
    rows = ["party,scenario,persistence,effect," + ",".join(f"shock_{k + 1}" for k in range(STEPS))]
    for i in range(SCENARIOS):
        shocks = [f"{0.3 * math.sin(1 + 5 * i + k):.17f}" for k in range(STEPS)]
        rows.append(f"{'abcdef'[i]},1,{0.90 + 0.02 * i:.2f},{-(0.5 + 0.1 * i):.1f}," + ",".join(shocks))
    return "\n".join(rows)


def p6(deviation: float, objective: str, cost: float, solver: Mapping[str, Any]) -> Files:
    tree = {
        "policy": "stabilisation",
        "stabilisation": {
            "horizon": STEPS,
            "shared": 2,
            "weight": 0.4,
            "objective": objective,
            "control_cost": cost,
            "public_outputs": ["mean", "variance"],
        },
        "price": {"deviation": deviation},
        "supply": {"outstanding": 1000, "growth": [-0.5, 0.5]},
        "bounds": {"persistence": [0.85, 1.05], "effect": [-1.1, -0.4], "shock": [-0.3, 0.3]},
        "solver": solver,
    }
    return Files(tree, csv())


# ρ of the control is in units of its limit 0.5: 0.075 is the 0.3 of the reference.
TRACKING = {"control_penalty": 0.075, "objective_penalty": 0.1}
P6A = p6(1.0, "mean", 0, {"iterations": 75, "control_penalty": 0.8, "objective_penalty": 0.1})
P6B = p6(1.0, "tracking", 0.1, {"iterations": 70, **TRACKING})
P6C = p6(0.3, "tracking", 0.1, {"iterations": 80, **TRACKING})

P6A_COST, P6A_MEAN, P6A_CONTROL = 0.4901576751, 0.8827318025, [0.5, 0.5]
P6B_COST, P6B_MEAN = 0.4346473323, 1.3136560694
P6B_PSI = [1.7671353661, 1.3612785499, 1.1010710579, 1.0566355347, 1.2785240816, 1.3172918264]
P6C_COST, P6C_MEAN, P6C_CONTROL = 0.184239068991, 0.180479167120, [0.3518550681, 0.0659902989]
P6C_PSI = [0.4654679426, 0.2073135552, -0.0031698189, -0.0583229332, 0.211974724, 0.259611533]
