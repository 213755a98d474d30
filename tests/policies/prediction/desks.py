"""Parties with made-up price histories, and ways to run a prediction on them without processes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import SigningKey
from tacita.deploy.attack.engines import Program
from tacita.deploy.simulate.members import insecure_key
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.party import Hosted, Party, Result
from tacita.protocols.policies.base import Part
from tacita.protocols.policies.prediction.inputs import History
from tacita.protocols.policies.prediction.instance import Prediction
from tacita.protocols.policies.registry import POLICIES, read_session
from tacita.protocols.stages.setup import Enrolled, Setup
from tacita.protocols.terms import Terms
from tests.cluster_in_memory import INSECURE_BITS, Cluster

NAMES = ("alice", "bob", "carol")
GRAM: dict[str, Any] = {
    "policy": "prediction",
    "session": {"name": "g"},
    "prediction": {"lags": 3, "target": 3.0},
    "bounds": {"price": [2, 4], "change": 0.5},
}
NETWORK: dict[str, Any] = {
    **GRAM,
    "session": {"name": "n-1"},
    "prediction": {"lags": 2, "target": 3.0, "method": "network"},
    "network": {"hidden": 3, "scale": {"deviation": 0.1, "change": 0.03}, "limit": 32},
}


def inputs_csv(seed: int, prices: int = 16, parties: Sequence[str] = NAMES) -> str:
    """Histories that are pulled back to 3, written with six decimals."""
    rng, rows = np.random.default_rng(seed), ["party,period,price"]
    for name in parties:
        p = 3 + 0.1 * rng.standard_normal()
        for t in range(prices):
            rows.append(f"{name},{t + 1},{p:.6f}")
            p += -0.3 * (p - 3) + 0.02 * rng.standard_normal()
    return "\n".join(rows) + "\n"


@dataclass(frozen=True)
class Case:
    """A session before it runs."""

    terms: Terms
    parts: Mapping[str, Part]
    instance: Prediction

    @property
    def histories(self) -> dict[str, History]:
        return {name: part.inputs for name, part in self.parts.items()}

    def values(self, name: str) -> list[int]:
        return POLICIES["prediction"].private_values(self.instance, name, self.parts[name].inputs)

    @property
    def engine_inputs(self) -> dict[str, list[int]]:
        """Every party's committed integers in the engine's order."""
        placed: dict[str, dict[int, int]] = {}
        for name in self.parts:
            for place, value in zip(self.instance.places(name), self.values(name), strict=True):
                placed.setdefault(place.label, {})[place.position] = value
        return {label: [row[i] for i in range(len(row))] for label, row in placed.items()}

    @property
    def program(self) -> Program:
        inner = self.instance.program(self.instance.participants)

        async def run(engine: Engine) -> None:
            await inner(engine, lambda _step, _steps: None)

        return run


def case(tree: Mapping[str, Any], text: str) -> Case:
    """Completed terms, parts and instance."""
    terms, parts = read_session(tree, {"inputs": text})
    instance = POLICIES["prediction"].instance(terms, {name: part.pattern for name, part in parts.items()})
    assert isinstance(instance, Prediction)
    return Case(terms, parts, instance)


def changed(tree: Mapping[str, Any], section: str, **keys: Any) -> dict[str, Any]:
    """The terms with other keys in one section."""
    return {**tree, section: {**tree[section], **keys}}


# ---- whole sessions -----------------------------------------------------------------------------------------------


class Desks(Cluster):
    """A cluster in one event loop whose participants are given as parts of the input file."""

    def hosted(self, party: Party, inputs: Mapping[str, Part]) -> list[Hosted]:
        return [
            Hosted(n, _identity(n), inputs[n].pattern, inputs[n].inputs)
            for n, host in self.host(inputs).items()
            if host == party.name
        ]


def _identity(name: str) -> SigningKey:
    return SigningKey(SeededEntropy(f"desk/{name}").token(32))


def session(a: Case, seed: str = "desks") -> tuple[Result, Desks]:
    """One session of three nodes; all nodes end with the same outcome."""
    cluster = Desks(3, seed)
    results = asyncio.run(cluster.run(a.terms, a.parts))
    first = results["node1"]
    assert all(r.outcome == first.outcome for r in results.values())
    return first, cluster


def setup_of(a: Case) -> Setup:
    """What is public before anybody commits."""
    cluster = Desks(3, "desks")
    enrolled = [
        Enrolled.sign(_identity(n), n, a.parts[n].pattern, host, a.terms) for n, host in cluster.host(a.parts).items()
    ]
    return Setup.make(a.terms, cluster.roster, insecure_key(3, INSECURE_BITS)[0], enrolled)
