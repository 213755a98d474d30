"""ClearEngine: the same program on plain integers, for tests and for predicting what the secure engine does.

It computes exactly what the secure engine computes, up to the errors of truncations and coarse comparisons, which it
draws from the same intervals when a seed is given. Every value is checked against its public interval, so a wrong
bound anywhere in a policy fails here first.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.protocols.mpc.engine import Engine, EngineInfo, Index, IntArray, Secret


class ClearEngine(Engine):
    """Inputs are given as {label: integers}; outputs are collected in `outputs`."""

    def __init__(
        self, inputs: Mapping[str, Sequence[int]], parties: int = 3, corrupt_max: int = 1, seed: int | None = None
    ) -> None:
        self.info = EngineInfo("clear", "passive", parties, corrupt_max)
        self._inputs = inputs
        self._noise = None if seed is None else SeededEntropy(seed)
        self.outputs: dict[str, list[int]] = {}

    async def from_cipher(self, label: str, size: int, scale: int, lo: int, hi: int) -> Secret:
        values = np.array([int(x) for x in self._inputs[label]], dtype=object)
        if len(values) != size:
            raise ValueError(f"{size} inputs '{label}' were declared, {len(values)} are there")
        return Secret(self, self._within(values, lo, hi), size, scale, lo, hi)

    async def to_cipher(self, label: str, a: Secret) -> None:
        self.outputs[label] = [int(x) for x in self._within(a.payload, a.lo, a.hi)]

    def _within(self, a: IntArray, lo: int, hi: int) -> IntArray:
        if len(a) and (min(a) < lo or max(a) > hi):
            raise AssertionError(f"values in [{min(a)}, {max(a)}] leave the public interval [{lo}, {hi}]")
        return a

    def _public(self, values: IntArray) -> IntArray:
        return values

    def _add(self, a: IntArray, b: IntArray) -> IntArray:
        return a + b

    def _add_public(self, a: IntArray, values: IntArray) -> IntArray:
        return a + values

    def _mul_public(self, a: IntArray, values: IntArray) -> IntArray:
        return a * values

    def _take(self, a: IntArray, index: Index) -> IntArray:
        return a[index]

    def _concat(self, parts: list[IntArray]) -> IntArray:
        return np.concatenate(parts)

    def _group_sum(self, a: IntArray, group: Index, count: int) -> IntArray:
        result = np.zeros(count, dtype=object)
        np.add.at(result, group, a)
        return result

    def _prefix_sum(self, a: IntArray, starts: Index) -> IntArray:
        running = np.cumsum(a)
        return running - running[starts] + a[starts]

    def _matvec(self, matrix: IntArray, a: IntArray) -> IntArray:
        return np.asarray(matrix.dot(a))

    async def _mul(self, a: IntArray, b: IntArray, lo: int, hi: int) -> IntArray:
        return self._within(a * b, lo, hi)

    async def _dot(self, a: IntArray, b: IntArray, group: Index, count: int, lo: int, hi: int) -> IntArray:
        return self._within(self._group_sum(a * b, group, count), lo, hi)

    async def _trunc(self, a: IntArray, bits: int, width: int) -> IntArray:
        self._within(a, -(1 << (width - 1)), (1 << (width - 1)) - 1)
        if self._noise is None:
            return a >> bits
        ulp, noise = self.info.ulp, self._noise
        error = [random_below(noise, ulp + 1) - ulp // 2 for _ in range(len(a))]
        return (a >> bits) + np.array(error, dtype=object)

    async def _negative(self, a: IntArray, width: int) -> IntArray:
        self._within(a, -(1 << (width - 1)), (1 << (width - 1)) - 1)
        return np.asarray(a < 0).astype(int).astype(object)

    async def _negative_part(self, a: IntArray, width: int, coarse: int) -> IntArray:
        return a * await self._negative(a + self._coarse_errors(len(a), coarse), width)

    def _coarse_errors(self, count: int, coarse: int) -> IntArray:
        """The secure engine's error is a sum of C uniform terms in [−most, most); this one is uniform there, so large
        ones come more often. Without a seed it is always the largest."""
        most = self.coarse_error(coarse)
        if not coarse or self._noise is None:
            return np.full(count, -most, dtype=object)
        return np.array([random_below(self._noise, 2 * most) - most for _ in range(count)], dtype=object)

    async def _is_zero(self, a: IntArray, width: int) -> IntArray:
        self._within(a, -(1 << (width - 1)), (1 << (width - 1)) - 1)
        return np.asarray(a == 0).astype(int).astype(object)
