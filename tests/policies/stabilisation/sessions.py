"""Sessions of the policy: its program on plain integers, and whole sessions on three nodes in one event loop."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import SigningKey
from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.party import Hosted, Party
from tacita.protocols.policies.base import Part
from tacita.protocols.policies.registry import POLICIES
from tacita.protocols.policies.stabilisation.inputs import PartyInputs
from tacita.protocols.policies.stabilisation.instance import Stabilisation
from tacita.protocols.policies.stabilisation.plain import PlainOutcome, solve_plain
from tacita.protocols.policies.stabilisation.terms import StabilisationTerms
from tests.cluster_in_memory import Cluster
from tests.policies.stabilisation.references import Files


class PartCluster(Cluster):
    """Takes the parts that a policy's `read` returns."""

    def hosted(self, party: Party, inputs: Mapping[str, Part]) -> list[Hosted]:
        mine = [n for n, host in self.host(inputs).items() if host == party.name]
        keys = {n: SigningKey(SeededEntropy(f"{self.seed}/party/{n}").token(32)) for n in mine}
        return [Hosted(n, keys[n], inputs[n].pattern, inputs[n].inputs) for n in mine]


def on_cluster(files: Files, seed: str = "stabilisation") -> dict[str, Any]:
    """Keys, proofs, shares, engine, certificate; all nodes must publish the same outcome."""
    terms, parts = files.read()
    results = asyncio.run(PartCluster(3, seed=seed, deadline=120).run(terms, parts))
    outcomes = [dict(r.outcome) for r in results.values()]
    assert len(outcomes) == 3 and all(o == outcomes[0] for o in outcomes)
    return outcomes[0]


def instance(files: Files) -> tuple[Stabilisation, dict[str, PartyInputs]]:
    terms, parts = files.read()
    made = POLICIES["stabilisation"].instance(terms, {n: p.pattern for n, p in parts.items()})
    assert isinstance(made, Stabilisation)
    return made, {n: p.inputs for n, p in parts.items()}


def blocks(made: Stabilisation, inputs: Mapping[str, PartyInputs]) -> dict[str, list[int]]:
    """The engine's input blocks."""
    filled: dict[str, list[int]] = {}
    for name in made.participants:
        for place, value in zip(made.places(name), made.fields.values(inputs[name]), strict=True):
            block = filled.setdefault(place.label, [])
            assert len(block) == place.position
            block.append(value)
    return filled


def run_clear(files: Files, noise: int | None = None) -> dict[str, Any]:
    """The outcome on plain integers, with the engine's rounding errors drawn from `noise`."""
    made, inputs = instance(files)
    engine = ClearEngine(blocks(made, inputs), seed=noise)
    asyncio.run(_await(made, engine))
    return made.outcome(engine.outputs)


async def _await(made: Stabilisation, engine: ClearEngine) -> None:
    await made.program(made.participants)(engine, lambda step, steps: None)


def plain(files: Files) -> PlainOutcome:
    terms, parts = files.read()
    return solve_plain(StabilisationTerms.read(terms.tree), {n: p.inputs for n, p in parts.items()})
