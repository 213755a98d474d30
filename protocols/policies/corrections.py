"""Where the paper's print is wrong: what stands there, what is right, and a computation that shows the difference.

Each policy keeps its own list, CORRECTIONS, in its module corrections; `tacita model corrections` runs the evidence
and docs/corrections.md shows all of it.
"""

from collections.abc import Callable, Sequence
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


def corrections() -> tuple[Correction, ...]:
    """All policies' corrections, in the order of the paper's policies."""
    from tacita.protocols.policies.auction.corrections import CORRECTIONS as AUCTION
    from tacita.protocols.policies.interest_rate.corrections import CORRECTIONS as INTEREST_RATE
    from tacita.protocols.policies.prediction.corrections import CORRECTIONS as PREDICTION
    from tacita.protocols.policies.stabilisation.corrections import CORRECTIONS as STABILISATION

    return (*INTEREST_RATE, *PREDICTION, *STABILISATION, *AUCTION)


def page(entries: Sequence[Correction]) -> str:
    """The table of docs/corrections.md; runs every evidence."""
    lines = ["| id | where | printed | corrected | evidence |", "|---|---|---|---|---|"]
    for entry in entries:
        cells = (f"`{entry.id}`", entry.where, entry.printed, entry.corrected, entry.evidence())
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
