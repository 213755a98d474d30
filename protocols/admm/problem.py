"""The market in normalised units: what is public (`Market`) and what is secret (`Bids`).

Bidder i takes x_it ∈ [lo, hi] in slot t and values it at b·x − a·x²/2 (quadratic), or fills J steps of falling
price s_j and width w_j. The seller supplies y_t = Σ_i x_it ≤ cap_t at cost p_t·y + k_t·y²/2, with Σ_{τ≤t} y_τ ≤ C_t.
Bidder i may have a budget Σ_t x_it ≤ d_i. Welfare is Σ values − cost. Quantities are counted in units of 2^q and
prices in units of 2^v, powers of two above the public bounds, so every number here is about 1 and conversions are
exact shifts. An entry is one (bidder, slot) pair for which a bid exists; the pattern of entries is public.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tacita.protocols.mpc.engine import Index, IntArray, Secret, fixed

Vector = NDArray[np.float64]
FRACTION = 32
"""Fractional bits f of every normalised quantity and price."""


@dataclass(frozen=True)
class Market:
    """Everything that is public about the optimisation; entries are ordered by bidder, then slot."""

    bidders: int
    slots: int
    owner: tuple[int, ...]
    """Bidder of each entry (0-based)."""
    slot: tuple[int, ...]
    """Slot of each entry (0-based)."""
    cost_linear: tuple[float, ...]
    """p_t, normalised."""
    cost_quadratic: tuple[float, ...]
    """k_t, normalised; 0 is allowed."""
    cap: tuple[int, ...]
    """Largest y_t as an integer at scale f, never above the sum of the entries' public maxima."""
    cap_binds: bool
    """False if no slot's cap can ever bind, from public bounds alone."""
    cumulative: tuple[int, ...] | None
    """C_t as integers at scale f."""
    steps: int
    """J for step bids, 0 for quadratic bids."""
    budgets: bool
    minimums: bool
    penalty: float
    """ρ in normalised units."""
    largest: int
    """Public maximum of a quantity, integer at scale f."""

    @cached_property
    def owners(self) -> Index:
        """Bidder of each entry as an array."""
        return np.array(self.owner, dtype=np.int64)

    @cached_property
    def slot_of(self) -> Index:
        """Slot of each entry as an array."""
        return np.array(self.slot, dtype=np.int64)

    @property
    def entries(self) -> int:
        """Number of (bidder, slot) pairs with a bid."""
        return len(self.owner)

    @cached_property
    def members(self) -> Index:
        """Number of entries in each slot, at least 1 so that it can divide."""
        return np.maximum(np.bincount(self.slot_of, minlength=self.slots), 1)

    @property
    def coupled(self) -> bool:
        """True if slots are tied together by budgets or cumulative caps."""
        return self.budgets or self.cumulative is not None

    @property
    def class_name(self) -> str:
        """Q or S; then 0 (no binding cap), c (slot caps), b (budgets), m (cumulative caps), bm."""
        kind = "S" if self.steps else "Q"
        coupling = ("b" if self.budgets else "") + ("m" if self.cumulative is not None else "")
        return kind + (coupling or ("c" if self.cap_binds else "0"))

    @cached_property
    def caps(self) -> IntArray:
        """cap_t as an integer vector at scale f."""
        return np.array(self.cap, dtype=object)

    def constant(self, value: object) -> IntArray:
        """Round public real numbers to scale f."""
        return fixed(value, FRACTION)


@dataclass(frozen=True)
class Bids:
    """The secret vectors, one element per entry (per entry and step for `price` and `width`), at scale f."""

    value: Secret | None = None
    """b."""
    slope: Secret | None = None
    """a."""
    maximum: Secret | None = None
    """hi; for step bids the sum of the widths."""
    minimum: Secret | None = None
    """lo, or None if it is zero for everybody."""
    budget: Secret | None = None
    """d, one per bidder."""
    share_inverse: Secret | None = None
    """ρ/(a + ρ), for ADMM."""
    slope_inverse: Secret | None = None
    """1/a, for the table and the paper's payments."""
    price: Secret | None = None
    """s_j, entry by entry, falling."""
    width: Secret | None = None
    """w_j."""


DEFAULT_ITERATIONS = {"Q0": 20, "Qc": 80, "Qb": 150, "Qm": 150, "Qbm": 150, "S0": 40, "Sc": 350}
"""Iterations for a welfare gap of 1e-4 in 99 % of random auctions of a class; see tests/economics."""

STEP_COUPLED_ITERATIONS = 300
STEP_COUPLED_GAP = 5e-3
"""Step bids with budgets or cumulative caps do not reach 1e-4: only a gap of at least 5e-3 is offered."""
