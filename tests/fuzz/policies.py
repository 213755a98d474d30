"""The part of the table that differs by policy: terms, input files, patterns, certificates, and chains of sessions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from tacita.crypto.shamir import coefficients_at
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.clear import ClearEngine
from tacita.protocols.mpc.demand import Demand
from tacita.protocols.mpc.engine import Secret
from tacita.protocols.party import Job, Solved
from tacita.protocols.policies import registry
from tacita.protocols.policies.chain import Link, check_chain
from tacita.protocols.policies.prediction.training import verify_chain
from tacita.protocols.policies.registry import complete_terms, read_session
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.terms import Terms, canonical_json, read_toml
from tacita.protocols.verify import verify
from tests.cluster_in_memory import insecure_key
from tests.fuzz.decoder import JSON_BOMBS, Decoder, on_tree, text_of, tree
from tests.policies.stabilisation.sessions import PartCluster

BITS, INPUTS = 512, 500
COMMITTEE: dict[str, Any] = {
    "policy": "interest_rate",
    "session": {"name": "rates"},
    "economy": {"slope": 0.11, "persistence": 0.62, "sensitivity": 0.19, "inflation_target": 0, "real_rate": 4},
    "objective": {"horizon": 4, "moves": 1},
    "committee": {"reveal": "statistics"},
    "bounds": {"output_gap": [-10, 10], "inflation": [-10, 10]},
}
CONSENSUS: dict[str, Any] = {
    **COMMITTEE,
    "committee": {"method": "consensus"},
    "bounds": {**COMMITTEE["bounds"], "least": [0, 2], "most": [6, 20], "move": [0.25, 10]},
}
MEMBERS = "member,preference,output_gap,inflation\na,0.2,-6,-3.5\nb,0.4,-5.5,-3\nc,0.5,-6.5,-3.8\n"
LIMITED = (
    "member,preference,output_gap,inflation,least,most,move\na,0.2,-6,-3.5,0,9,3\nb,0.4,-5,-3,1,8,2\nc,0,0,0,0,7,1\n"
)
GRAM: dict[str, Any] = {
    "policy": "prediction",
    "session": {"name": "forecast"},
    "prediction": {"lags": 1, "target": 3.0},
    "bounds": {"price": [2, 4], "change": 0.5},
}
NETWORK: dict[str, Any] = {
    **GRAM,
    "prediction": {"lags": 1, "method": "network", "forecast": False},
    "network": {"hidden": 2, "scale": {"deviation": 0.1, "change": 0.03}},
}
TRAINED: dict[str, Any] = {**NETWORK, "network": {**NETWORK["network"], "history": [[0.5, -0.25, 1e-7, 2.0]]}}
PRICES = "party,period,price\n" + "".join(
    f"{name},{t},{3 + 0.01 * (t * t % 7) + shift:.3f}\n"
    for name, shift in (("ann", 0.0), ("bob", 0.01), ("cat", -0.01))
    for t in range(1, 5)
)
COIN: dict[str, Any] = {
    "policy": "stabilisation",
    "session": {"name": "coin"},
    "stabilisation": {"horizon": 2, "shared": 1, "weight": 0.4, "control_cost": 0.1, "public_outputs": ["mean"]},
    "price": {"target": 1.0, "now": 1.02, "previous": 1.01},
    "supply": {"outstanding": 1000, "maximum": 1200, "block_reward": 1, "growth": [-0.5, 0.5]},
    "bounds": {"persistence": [0.85, 1.05], "effect": [-1.1, -0.4], "shock": [-0.3, 0.3]},
    "solver": {"iterations": 4},
}
COLLATERALISED: dict[str, Any] = {
    **COIN,
    "stabilisation": {**COIN["stabilisation"], "model": "collateralised"},
    "collateral": {"ratio": 1.3, "ratio_max": 1.5, "growth": [-0.05, 0.05]},
    "bounds": {**COIN["bounds"], "ratio_effect": [0.1, 0.5]},
}
DEPRECIATION: dict[str, Any] = {
    **COIN,
    "stabilisation": {**COIN["stabilisation"], "model": "depreciation", "objective": "mean", "control_cost": 0},
    "supply": {"growth": [-0.5, 0.5]},
    "depreciation": {"rate": 0.02, "minted": [500.0, 300.0, 200.0]},
    "price": {"deviation": 0.1},
}
SCENARIOS = "party,scenario,persistence,effect,shock_1,shock_2\nann,1,0.95,-0.6,0.1,-0.1\nbob,1,0.9,-0.5,0.05,0.2\n"
RATIOS = (
    "party,scenario,persistence,effect,ratio_effect,shock_1,shock_2\n"
    "ann,1,0.95,-0.6,0.2,0.1,0\nbob,2,0.9,-0.5,0.3,0,0\n"
)
AUCTION: dict[str, Any] = {
    "policy": "auction",
    "session": {"name": "sale"},
    "auction": {"slots": 1, "cost": {"linear": 1.0, "quadratic": 0.5}},
    "bounds": {"value": [0, 16], "slope": [0.5, 4], "quantity": [0, 8]},
}
BIDS = "bidder,slot,value,slope,min,max\nann,1,10,1,0,6\nbob,1,8,2,0,3\n"

SESSIONS: dict[str, list[tuple[dict[str, Any], str]]] = {
    "interest_rate": [(COMMITTEE, MEMBERS), (CONSENSUS, LIMITED)],
    "prediction": [(GRAM, PRICES), (NETWORK, PRICES), (TRAINED, PRICES)],
    "stabilisation": [(COIN, SCENARIOS), (COLLATERALISED, RATIOS), (DEPRECIATION, SCENARIOS)],
    "auction": [(AUCTION, BIDS)],
}
"""Policy → terms and inputs; certificates are made of the first, and of the first step of a training."""


# ---- certificates ---------------------------------------------------------------------------------------------------


Blocks = Mapping[str, Sequence[int]]


class _Opening(ClearEngine):
    """Collects b = a − lo + Σ r_i, which is what nodes open."""

    def __init__(self, demand: Demand, inputs: Blocks, masks: Blocks) -> None:
        super().__init__(inputs)
        self.least = {block.label: block.lo for block in demand.outputs}
        self.masks, self.opened = masks, dict[str, list[int]]()

    async def to_cipher(self, label: str, a: Secret) -> None:
        await super().to_cipher(label, a)
        self.opened[label] = [
            x - self.least[label] + r for x, r in zip(self.outputs[label], self.masks[label], strict=True)
        ]


class ClearCluster(PartCluster):
    """Sessions whose engine computes on plain integers, put together from all nodes' shares: quick, and no secret."""

    jobs: dict[bytes, list[Job]]

    async def solver(self, job: Job, report: Callable[[int, int], None]) -> Solved:
        found = vars(self).setdefault("jobs", {}).setdefault(job.session, [])
        found.append(job)
        while len(found) < self.parties:
            await asyncio.sleep(0)
        instance = registry.POLICIES[str(job.terms["policy"])].instance(Terms(job.terms), job.patterns)
        demand = instance.demand(job.parties, job.threshold, str(job.terms["session"]["security"]))
        prime = demand.prime
        weights = coefficients_at([other.index + 1 for other in found], 0, prime)

        def together(name: str) -> dict[str, list[int]]:
            values = {}
            for label in getattr(job, name):
                columns = zip(*(getattr(each, name)[label] for each in found), strict=True)
                values[label] = [int(sum(w * x for w, x in zip(weights, c, strict=True)) % prime) for c in columns]
            return values

        inputs = {k: [x - prime if x > prime // 2 else x for x in values] for k, values in together("inputs").items()}

        engine = _Opening(demand, inputs, together("masks"))
        await instance.program(job.order)(engine, lambda _step, _steps: None)
        return Solved(engine.opened, [])


@lru_cache(maxsize=4)
def certificate(policy: str, number: int = 0) -> bytes:
    """Of an honest session, with a toy key."""
    terms, inputs = SESSIONS[policy][number]
    completed, parts = read_session(terms, {"inputs": inputs})
    insecure_key(3, BITS)
    results = asyncio.run(ClearCluster(3, "fuzz").run(completed, parts, bits=BITS))
    return results["node1"].certificate


def _verified(data: bytes) -> object:
    return verify(data, allow_insecure_key=True)


def _training(data: bytes) -> object:
    return verify_chain([data], allow_insecure_key=True)


# ---- terms, inputs, patterns ----------------------------------------------------------------------------------------


def _completed(policy: str) -> list[Any]:
    return [read_session(terms, {"inputs": inputs})[0] for terms, inputs in SESSIONS[policy]]


def toml_of(tree: Mapping[str, Any]) -> bytes:
    """TOML of two levels, which is enough for terms."""

    def value(x: Any) -> str:
        if isinstance(x, dict):
            return "{" + ", ".join(f"{k} = {value(v)}" for k, v in x.items()) + "}"
        if isinstance(x, list):
            return "[" + ", ".join(map(value, x)) + "]"
        return f'"{x}"' if isinstance(x, str) else str(x).lower() if isinstance(x, bool) else repr(x)

    lines = [f"{k} = {value(v)}" for k, v in tree.items() if not isinstance(v, dict)]
    for name, section in tree.items():
        if isinstance(section, dict):
            lines += [f"[{name}]", *(f"{k} = {value(v)}" for k, v in section.items())]
    return "\n".join(lines).encode()


def _terms_seeds(policy: str) -> Sequence[bytes]:
    trees = [terms for terms, _ in SESSIONS[policy]]
    return [canonical_json(t) for t in [*trees, *(made.tree for made in _completed(policy))]]


def _toml(data: bytes) -> object:
    return complete_terms(read_toml(text_of(data), "terms.toml"))


def _inputs(terms: Mapping[str, Any], data: bytes) -> object:
    return read_session(terms, {"inputs": text_of(data)})


def _part(terms: Mapping[str, Any], data: bytes) -> object:
    """As a node reads its own part, under terms that are completed."""
    completed = complete_terms(terms)
    return registry.POLICIES[completed.policy].read_part(completed, {"inputs": text_of(data)})


def _pattern_seeds(policy: str) -> Sequence[bytes]:
    seeds = []
    for terms, inputs in SESSIONS[policy]:
        _, parts = read_session(terms, {"inputs": inputs})
        seeds.append(canonical_json({name: list(part.pattern) for name, part in parts.items()}))
    return seeds


def _patterns(policy: str, data: bytes) -> object:
    """Patterns of all participants, as hellos and certificates hold them: lists of integers by checked names."""
    patterns = tree(data)
    if not isinstance(patterns, dict) or not all(
        isinstance(p, list) and all(type(i) is int for i in p) for p in patterns.values()
    ):
        raise CallerMistake("no patterns")
    (completed, *_) = _completed_once(policy)
    return registry.POLICIES[policy].instance(completed, patterns)


@lru_cache(maxsize=4)
def _completed_once(policy: str) -> tuple[Any, ...]:
    return tuple(_completed(policy))


# ---- chains ---------------------------------------------------------------------------------------------------------

OUTCOMES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "prediction": [{"forecast": 1.02, "latest": [1.02, 1.01]}, {}],
    "stabilisation": [
        {"auction_size": 12.5, "block_reward": 1.0, "outstanding": 1000.0, "maximum": 1200.0},
        {"auction_size": -5.0, "block_reward": 0.0, "outstanding": 1e15},
    ],
    "auction": [{"supply": [3.0]}, {"price": [1.0]}, {}],
    "interest_rate": [{"rate": 4.0}],
}
"""Policy → public outcomes with what a chain looks at, and without what a policy may leave out."""


def _chain_seeds() -> Sequence[bytes]:
    def cited(terms: Mapping[str, Any], place: int, **sections: Mapping[str, Any]) -> dict[str, Any]:
        session = {"name": f"s{place}", "follows": f"{place:064x}" if place else ""}
        return {**terms, **{k: {**terms.get(k, {}), **v} for k, v in sections.items()}, "session": session}

    first = [GRAM, cited(COIN, 1, price={"now": 1.02, "previous": 1.01})]
    auction = cited(AUCTION, 2, auction={"supply_max": 12.5})
    again = cited(COIN, 3, price={"now": 1.02, "previous": 1.01}, supply={"outstanding": 1004.0})
    trees = [*first, auction, again]
    return [canonical_json([[t, 0] for t in trees[:n]]) for n in (1, 2, 3, 4)]


def _chained(data: bytes) -> object:
    """What stands behind valid signatures: whoever makes up a cluster signs any terms."""
    pairs = tree(data)
    if not isinstance(pairs, list) or len(pairs) > 8:
        raise CallerMistake("no chain")
    links = []
    for place, pair in enumerate(pairs, start=1):
        if not isinstance(pair, list) or len(pair) != 2 or type(pair[1]) is not int:
            raise CallerMistake("no link")
        terms = complete_terms(pair[0])
        outcomes = OUTCOMES[terms.policy]
        links.append(Link(terms, outcomes[pair[1] % len(outcomes)], f"{place:064x}"))
    return check_chain(links)


UNSOLD = [canonical_json([[COIN, 0], [{**AUCTION, "session": {"follows": f"{1:064x}"}, "auction": {
    **AUCTION["auction"], "supply_max": 12.5}}, 1], [{**COIN, "session": {"follows": f"{2:064x}"}}, 0]])]  # fmt: skip
"""An auction that published no supply, and a stabilisation after it."""


def of_policy(policy: str) -> list[Decoder]:
    """The entries of one policy."""
    entries = [
        Decoder(f"{policy}/terms", partial(_terms_seeds, policy), partial(on_tree, complete_terms), JSON_BOMBS),
        Decoder(f"{policy}/terms in TOML", lambda: [toml_of(t) for t, _ in SESSIONS[policy]], _toml),
        Decoder(f"{policy}/patterns", partial(_pattern_seeds, policy), partial(_patterns, policy), JSON_BOMBS),
        Decoder(f"{policy}/certificate", lambda: [certificate(policy)], Certificate.decode, JSON_BOMBS),
        Decoder(f"{policy}/certificate, verified", lambda: [certificate(policy)], _verified, arithmetic=True),
    ]
    for number, (terms, inputs) in enumerate(SESSIONS[policy], start=1):
        text = [inputs.encode()]
        reads: Sequence[tuple[str, Callable[[bytes], object]]] = (
            ("inputs", partial(_inputs, terms)), ("part of the inputs", partial(_part, terms)),
        )  # fmt: skip
        for name, read in reads:
            entries.append(Decoder(f"{policy}/{name} {number}", partial(list, text), read, _bad_rows(inputs)))
    return entries


def _bad_rows(inputs: str) -> list[bytes]:
    header, row = inputs.split("\n")[:2]
    first, _, *others = row.split(",")
    long_number, other_number = (",".join([first, n, *others]) for n in ("0" * 8 + "1" + "0" * 5000, "00000000199"))
    return [
        f"{header}\n{long_number}".encode(), f"{header}\n{other_number}".encode(),
        b'"' * 60_000, f"{header}\n{'a' * 60_000}".encode(),
        f"{header}\n{row}\n".encode() + b"\0", f"{header}\n{'a,' * 30_000}".encode(), header.encode() * 1000,
    ]  # fmt: skip


POLICIES = [
    replace(entry, inputs=INPUTS)
    for entry in (
        *(entry for policy in ("interest_rate", "prediction", "stabilisation") for entry in of_policy(policy)),
        Decoder("prediction/training, verified", lambda: [certificate("prediction", 1)], _training, arithmetic=True),
        Decoder("chain", _chain_seeds, _chained, [*UNSOLD, *JSON_BOMBS]),
    )
]
