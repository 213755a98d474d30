"""Committees that the tests decide for: P4 of economics.md section 4, and random ones."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.policies.base import Part
from tacita.protocols.policies.interest_rate import plain
from tacita.protocols.policies.interest_rate.inputs import MemberInputs
from tacita.protocols.policies.interest_rate.instance import Committee
from tacita.protocols.policies.interest_rate.policy import InterestRatePolicy
from tacita.protocols.policies.registry import read_session
from tacita.protocols.terms import Terms

TREE: dict[str, Any] = {
    "policy": "interest_rate",
    "session": {"name": "p4"},
    "economy": {"slope": 0.11, "persistence": 0.62, "sensitivity": 0.19, "inflation_target": 0, "real_rate": 4},
    "bounds": {"output_gap": [-10, 10], "inflation": [-10, 10]},
}
LIMIT_BOUNDS = {"least": [0, 2], "most": [6, 20], "move": [0.25, 10]}
HEADER = "member,preference,output_gap,inflation"
ROWS = ("a,0.2,-6,-3.5", "b,0.4,-5.5,-3", "c,0.5,-6.5,-3.8", "d,0.7,-5.8,-3.2", "e,0.9,-6.2,-3.9")
P4 = "\n".join([HEADER, *ROWS]) + "\n"
P4_LIMITED = (
    "\n".join(
        [
            f"{HEADER},least,most,move",
            *(
                f"{row},{limits}"
                for row, limits in zip(ROWS, ("0,9,3", "1,8,1.5", "0.5,8,2", "0,7,4", "0,6,4"), strict=True)
            ),
        ]
    )
    + "\n"
)
P4_PATH = (-3.7880905508, -4.0, -4.0, -4.0)

EVERY = {
    "mean, statistics": {"reveal": "statistics"},
    "mean, path": {},
    "median, statistics": {"statistic": "median", "reveal": "statistics"},
    "median, path": {"statistic": "median"},
    "median of rates": {"statistic": "median_rate"},
    "consensus": {"method": "consensus"},
}
"""Every way to decide, as a [committee] section."""


@dataclass(frozen=True)
class Case:
    """A committee ready for an engine."""

    terms: Terms
    parts: Mapping[str, Part]
    instance: Committee
    inputs: Mapping[str, Sequence[int]]
    """The engine's input blocks."""

    @property
    def members(self) -> dict[str, MemberInputs]:
        return {name: part.inputs for name, part in self.parts.items()}

    async def program(self, engine: Engine) -> None:
        """The secure program."""
        await self.instance.program(self.instance.members)(engine, lambda _step, _steps: None)

    def clear(self, noise: int | None = None) -> dict[str, Any]:
        """The outcome on plain integers, with the truncation noise of a seed."""
        engine = ClearEngine(self.inputs, seed=noise)
        asyncio.run(self.program(engine))
        return self.instance.outcome(engine.outputs)

    def gap(self, outcome: Mapping[str, Any]) -> float:
        """Distance from the plain solution in percentage points."""
        return plain.gap(self.instance.terms, self.members, outcome)["rates"]


def tree(committee: Mapping[str, Any], **sections: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of P4 with another [committee] and changes to other sections."""
    limits = LIMIT_BOUNDS if committee.get("method") == "consensus" else {}
    result = {**TREE, "committee": dict(committee), "bounds": {**TREE["bounds"], **limits}}
    for name, section in sections.items():
        result[name] = {**result.get(name, {}), **section}
    return result


def case(committee: Mapping[str, Any], text: str | None = None, **sections: Mapping[str, Any]) -> Case:
    """P4, or other inputs, under a [committee] section."""
    text = text or (P4_LIMITED if committee.get("method") == "consensus" else P4)
    terms, parts = read_session(tree(committee, **sections), {"inputs": text})
    policy = InterestRatePolicy()
    instance = policy.instance(terms, {name: part.pattern for name, part in parts.items()})
    blocks: dict[str, dict[int, int]] = {}
    for name, part in parts.items():
        values = policy.private_values(instance, name, part.inputs)
        for place, value in zip(instance.places(name), values, strict=True):
            blocks.setdefault(place.label, {})[place.position] = value
    return Case(terms, parts, instance, {label: [b[i] for i in range(len(b))] for label, b in blocks.items()})


def random_inputs(seed: int, members: int, limited: bool) -> str:
    """Members anywhere in the bounds of P4."""
    r = np.random.default_rng(seed)
    lines = [HEADER + (",least,most,move" if limited else "")]
    for i in range(members):
        row = [f"m{i}", *(f"{x:.4f}" for x in (r.uniform(0, 1), r.uniform(-10, 10), r.uniform(-10, 10)))]
        if limited:
            row += [f"{x:.4f}" for x in (r.uniform(0, 2), r.uniform(6, 20), r.uniform(0.25, 3))]
        lines.append(",".join(row))
    return "\n".join(lines) + "\n"
