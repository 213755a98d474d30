"""Dealers whose shares are not shares of what they encrypted; everything else about them is honest."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tacita.deploy.attack.patching import Patches
from tacita.protocols.stages import commit, masks

Shares = list[int]
Wrong = Callable[[int, Shares, int], Shares]
"""(number of the shared value, right shares, prime) → what is dealt instead."""


@contextmanager
def dealing(stage: Any, make: str, name: str, position: int, wrong: Wrong) -> Iterator[None]:
    """Let `name` (argument number `position` of `stage.make`) deal wrong shares of its values."""
    original_make, original_share, active, number = getattr(stage, make), stage.share, [False], [0]

    def making(*arguments: Any) -> Any:
        active[0], number[0] = arguments[position] == name, 0
        try:
            return original_make(*arguments)
        finally:
            active[0] = False

    def sharing(value: int, prime: int, threshold: int, parties: int, entropy: Any) -> Shares:
        right = original_share(value, prime, threshold, parties, entropy)
        number[0] += 1
        return wrong(number[0] - 1, right, prime) if active[0] else right

    with Patches() as patch:
        patch.setattr(stage, make, making)
        patch.setattr(stage, "share", sharing)
        yield


def bidder(wrong: Wrong) -> Any:
    """Bidder cat deals wrong shares of its fields."""
    return dealing(commit, "make_object", "cat", 1, wrong)


def node(wrong: Wrong) -> Any:
    """Node 3 deals wrong shares of its masks."""
    return dealing(masks, "make_masks", "node3", 2, wrong)


def shifted(which: int, by: int) -> Wrong:
    """A proper sharing of another value."""
    return lambda number, shares, prime: [(s + by) % prime for s in shares] if number == which else shares


def for_one_node(which: int, index: int) -> Wrong:
    """A sharing that is no polynomial of degree t."""
    return lambda number, shares, prime: [
        (s + 1) % prime if (number, i) == (which, index) else s for i, s in enumerate(shares)
    ]


async def no_check(*_: Any) -> None:
    """What the session did before this check existed."""
