"""The committee's decision as a secure program: statistics, medians by rank, and consensus ADMM.

    z = clip(mean_j s_j, lower, upper)            v_j = (H_j/σ + I)^{-1}·(2z − s_j − f_j/σ)
    s_j ← s_j + 2·(v_j − z)                       s_j = z + η_j: the dual of v_j = z is s_j − z

This is the consensus ADMM that main paper section 4.3 leaves to the central banker, fully relaxed, in the variable
s = z + η. Every member's program is strongly convex and smooth, so full relaxation contracts: |s − s*| falls by
`Spectrum.contraction` or faster in every iteration. With one copy (J = 1) it solves the program of a statistic.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tacita.protocols.admm.problem import FRACTION
from tacita.protocols.mpc.engine import Engine, Index, IntArray, Secret, fixed
from tacita.protocols.policies.interest_rate.terms import CommitteeTerms

Report = Callable[[int, int], None]
ONE = 1 << FRACTION


async def middle(engine: Engine, values: Secret, columns: int) -> Secret:
    """The median of every column of a member-by-column vector; of an even number of members the lower one.

    Rank by comparing all pairs, equal values by position; then the one with the middle rank. An average of the two
    in the middle could be moved by either of their owners, an order statistic cannot be moved past a neighbour.
    """
    members = values.size // columns
    grid = np.arange(values.size).reshape(members, columns)
    first, second = np.triu_indices(members, 1)
    left, right = grid[first].reshape(-1), grid[second].reshape(-1)
    behind = await engine.less(values[right], values[left])  # the later member stands in front of the earlier one
    rank = engine.group_sum(engine.concat([behind, 1 - behind]), np.concatenate([left, right]), values.size)
    rank = engine.within(rank, 0, members - 1)  # a rank counts the others
    chosen = await engine.is_zero(rank - (members - 1) // 2)
    column: Index = np.tile(np.arange(columns), members)
    picked = await engine.dot(chosen, values, column, columns)
    return engine.within(picked, values.lo, values.hi)  # exactly one is chosen per column


async def smallest(engine: Engine, values: Secret) -> Secret:
    """The least of all elements, by a knock-out."""
    while values.size > 1:
        half = values.size // 2
        winners = await engine.minimum(values[:half], values[half : 2 * half])
        values = engine.concat([winners, values[2 * half :]])
    return values


async def largest(engine: Engine, values: Secret) -> Secret:
    """The greatest of all elements."""
    return -await smallest(engine, -values)


@dataclass(frozen=True)
class Programs:
    """J quadratic programs in units of 2^e at scale f, member by member: reciprocals 1/(1 + λ·μ), and f/σ."""

    reciprocal: Secret
    linear: Secret
    lower: Secret
    """m elements: no rate below."""
    upper: Secret | None
    """m elements: none above; None if nothing but the zero lower bound counts."""


async def linear_terms(engine: Engine, terms: CommitteeTerms, state: Secret, members: int) -> Secret:
    """f/σ of every member from ((1−λ)y, (1−λ)π, λy, λπ) of every member at scale f."""
    gain = fixed(terms.controller.gain / terms.spectrum.step, FRACTION).reshape(terms.controller.moves, 4)
    offset = fixed(
        terms.controller.rate[1] * terms.previous / terms.spectrum.step / 2**terms.exponent, FRACTION
    )  # F_u·u_{−1}/σ
    product = await engine.trunc(engine.matvec(_blocks(gain, members), state, FRACTION), FRACTION)
    return product + np.tile(offset, members)


async def decide(engine: Engine, terms: CommitteeTerms, programs: Programs, report: Report) -> Secret:
    """The rate path u, m elements at scale f; inside the limits exactly. Nothing is opened."""
    m = terms.controller.moves
    members = programs.linear.size // m
    basis = fixed(np.array(terms.spectrum.basis), FRACTION).reshape(m, m)  # V
    inward, outward = _blocks(basis.T, members), _blocks(basis, members)
    coordinate: Index = np.tile(np.arange(m), members)
    # |s_k − s*| ≤ |s_0 − s*| and s_0 = 0, so |s_k| ≤ 2|s*|; one percent more than covers the rounding.
    most = math.ceil(2.02 * terms.distance * math.sqrt(members) * ONE) + (1 << 16)
    share = fixed(1 / members, FRACTION)[0]
    s = engine.zeros(members * m, FRACTION)
    for k in range(terms.iterations):
        z = await _consensus(engine, programs, s, coordinate, m, share)
        right = z[coordinate] * 2 - s - programs.linear
        turned = await engine.trunc(engine.matvec(inward, right, FRACTION), FRACTION)
        scaled = await engine.mul(turned, programs.reciprocal)
        v = await engine.trunc(engine.matvec(outward, scaled, FRACTION), 2 * FRACTION)
        s = engine.within(s + (v - z[coordinate]) * 2, -most, most)
        report(k + 1, terms.iterations)
    return await _consensus(engine, programs, s, coordinate, m, share)


async def _consensus(engine: Engine, programs: Programs, s: Secret, coordinate: Index, m: int, share: int) -> Secret:
    total = engine.group_sum(s, coordinate, m)
    mean = await engine.trunc(total.times(share, FRACTION), FRACTION) if s.size > m else s
    if programs.upper is None:
        return programs.lower + await engine.positive_part(mean - programs.lower)
    return await engine.clip(mean, programs.lower, programs.upper)


def _blocks(matrix: IntArray, members: int) -> IntArray:
    """The matrix on the diagonal, once per member."""
    rows, columns = matrix.shape
    blocks = np.zeros((members * rows, members * columns), dtype=object)
    for j in range(members):
        blocks[j * rows : (j + 1) * rows, j * columns : (j + 1) * columns] = matrix
    return blocks
