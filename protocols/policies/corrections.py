"""Where the paper's print is wrong: what stands there, what is right, and a computation that shows the difference.

Each policy keeps its own list, CORRECTIONS, in its module corrections.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Correction:
    """One place in the main paper."""

    id: str
    """policy.topic, for `tacita model corrections --id`."""
    where: str
    """Section and equation."""
    printed: str
    corrected: str
    evidence: Callable[[], str]
    """Computes both and returns one line with the numbers."""
