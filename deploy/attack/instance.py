"""The auction that is attacked: A1, three bidders, one slot, cleared by the table; each bidder has a host."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tacita.protocols.policies.registry import complete_with_inputs
from tacita.protocols.terms import Terms

BIDDERS = ("ann", "bob", "cat")
HOSTS = dict(zip(BIDDERS, ("node1", "node2", "node3"), strict=True))
LINES = """bidder,slot,value,slope,min,max
ann,1,10,1,0,6
bob,1,8,2,0,3
cat,1,6,4,0,2"""
SCENE_LINES = """bidder,slot,value,slope,min,max
ann,1,10.01734,1.00573,0,6.11939
bob,1,8.03217,2.01151,0,3.05371
cat,1,6.02311,4,0,2.07193"""
"""Numbers that do not occur by chance in what is sent."""
OTHER_LINES = """bidder,slot,value,slope,min,max
ann,1,7.71937,3.03391,0,1.04973
bob,1,15.51193,0.51977,0,7.93311
cat,1,6.02311,4,0,2.07193"""
"""The other world: the honest bidders want something else."""


def tree(release: str, name: str = "a1", **auction_keys: Any) -> dict[str, Any]:
    """Terms of A1, cleared by the table: an exact and fast program."""
    rules = {"slots": 1, "cost": {"linear": [1.0], "quadratic": 0.5}, "payment_rule": "uniform", "release": release}
    return {
        "policy": "auction",
        "session": {"name": name},
        "auction": {**rules, **auction_keys},
        "bounds": {"value": [0, 16], "slope": [0.5, 4], "quantity": [0, 8]},
        "solver": {"method": "table", "gap": 0.1},
    }


TERMS = {"public": tree("public"), "private": tree("private", public_outputs=["price"])}


def auction(tree: Mapping[str, Any], lines: str, budgets: str | None = None) -> tuple[Terms, dict[str, Any]]:
    """Completed terms and bidders' inputs from a terms tree and CSV text."""
    return complete_with_inputs(tree, lines.strip().splitlines(), budgets.strip().splitlines() if budgets else None)


@lru_cache(maxsize=16)
def _auction(release: str, name: str, lines: str, attempts: int) -> tuple[Terms, Mapping[str, Any]]:
    return auction({**TERMS[release], "session": {"name": name, "max_attempts": attempts}}, lines)


def a1(
    release: str = "public", name: str = "a1", lines: str = LINES, attempts: int = 1
) -> tuple[Terms, dict[str, Any]]:
    """Completed terms and the bidders' inputs."""
    terms, inputs = _auction(release, name, lines, attempts)
    return terms, dict(inputs)
