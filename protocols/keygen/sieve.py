"""The constructive sieve: p and q coprime to every prime of M and −1 modulo F, without anybody knowing them.

a = ∏_{j≤t+1} x_j over Z_M: Shamir sharings of the units x_j, local products, a degree reduction between any two (none
for t = 1). The last local product has degree 2t and is never opened: weighted by λ_i and masked by a sharing of zero it
*is* the additive share b_i of a modulo M. Then p_i = CRT(b_i mod M, fixed residue mod F) + L·r_i.
"""

from collections.abc import Sequence

from tacita.crypto.integers import Integer
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.seeds import Draws
from tacita.protocols.keygen.vectors import add_columns, horner

Columns = Sequence[Sequence[Integer]]


def deal(parameters: Parameters, draws: Draws) -> list[list[Integer]]:
    """S1: the shares of x_i for parties 1..m, modulo M."""
    return [horner([draws.units, *draws.sharing], j, parameters.sieve) for j in parameters.everyone]


def multiply(parameters: Parameters, left: Sequence[Integer], right: Sequence[Integer]) -> list[Integer]:
    """The local product, of degree 2t."""
    return [a * b % parameters.sieve for a, b in zip(left, right, strict=True)]


def reshare(
    parameters: Parameters, party: int, product: Sequence[Integer], draws: Draws, step: int
) -> list[list[Integer]]:
    """S1' (t ≥ 2): λ_i times the local product, shared with degree t; the sum over i is the product, reduced."""
    weight = parameters.sieve_weights[party - 1]
    secret = [weight * value % parameters.sieve for value in product]
    return [horner([secret, *draws.resharing[step]], j, parameters.sieve) for j in parameters.everyone]


def collect(parameters: Parameters, reshared: Columns) -> list[Integer]:
    """The sum of what all parties reshared: a share of degree t."""
    return [value % parameters.sieve for value in add_columns(reshared)]


def candidates(
    parameters: Parameters, party: int, product: Sequence[Integer], zeros: Sequence[Integer], lifts: Sequence[Integer]
) -> list[Integer]:
    """p_i and q_i, alternating: the masked additive share of a, carried to the lattice, plus L·r_i."""
    weight, sieve, lattice = parameters.sieve_weights[party - 1], parameters.sieve, parameters.lattice
    lift, residue = parameters.lift, parameters.residue(party)
    return [
        ((weight * value + zero) % sieve * lift + residue) % lattice + lattice * r
        for value, zero, r in zip(product, zeros, lifts, strict=True)
    ]
