"""Test-only: what nobody may ever put together. Factors and seeds from the stores of all nodes of a ring."""

from dataclasses import dataclass

from gmpy2 import mpz

from tacita.deploy.attack.ring import Ring
from tacita.protocols.keygen.memory import Winner


@dataclass(frozen=True)
class Factors:
    p: int
    q: int


def winners(ring: Ring, modulus: int) -> dict[int, Winner]:
    """Every node's part of the candidate that became N, by party number."""
    found = {}
    for number, name in enumerate(ring.names, start=1):
        store = ring.stores[name]
        for kind, _, value in [(k, key, v) for (k, key), v in {**store.forgotten, **store.facts}.items()]:
            if kind == "keygen/winner" and Winner.decode(value).modulus == modulus:
                found[number] = Winner.decode(value)
    return found


def open_factors(ring: Ring, modulus: int) -> Factors:
    """p and q."""
    parts = winners(ring, modulus)
    assert len(parts) == ring.parties
    offset = ring.parameters.offset
    return Factors(mpz(offset + sum(w.p for w in parts.values())), mpz(offset + sum(w.q for w in parts.values())))


def batch_seed(ring: Ring, number: int, batch: int) -> bytes:
    """σ_{i,b}, which the node has forgotten."""
    store = ring.stores[ring.names[number - 1]]
    facts = {**store.forgotten, **store.facts}
    session = next(v for (kind, _), v in facts.items() if kind == "keygen/session")
    return facts["keygen/batch", session + batch.to_bytes(4, "big")][4:]


def theta_seed(ring: Ring, number: int, batch: int) -> bytes:
    """The last τ_i of a batch's winner."""
    store = ring.stores[ring.names[number - 1]]
    facts = {**store.forgotten, **store.facts}
    found = {
        key: v for (kind, key), v in facts.items() if kind == "keygen/theta" and key[-4:] == batch.to_bytes(4, "big")
    }
    return found[max(found)]
