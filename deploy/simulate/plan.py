"""What happens in the world of a seed: weather, cuts, a node that misbehaves, and the auction itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacita.crypto.entropy import Entropy, SeededEntropy, random_below
from tacita.protocols.policies.registry import complete_with_inputs
from tacita.protocols.terms import Terms

TOY_BITS = 512
"""INSECURE: long enough for the packed outputs of one slot, short enough for a hundred worlds in minutes."""
BIDDERS = ("ann", "bob", "cat")
MISBEHAVING_PERCENT, LONG_CUT_PERCENT = 5, 2
"""Of the worlds, evenly spread over the seeds; a session in such a world usually ends without a result."""
LONGEST_CUT = 10.0
"""Seconds, of all cuts of a world together: shorter ones must heal without anybody noticing more than a pause."""
KINDS = ("silent", "equivocating", "garbage", "wrong product", "pausing")
"""How a node misbehaves, see deviant.py."""
BROADCASTS = (
    "greet", "hello", "envelope keys", "commit", "open", "freeze", "coins", "confirm keys", "shares", "masks",
    "bind commit", "bind coin", "bind all", "bind all partials", "openings",
)  # fmt: skip
"""Rounds that are echoed, in order."""
EVERY_ROUND = (
    *BROADCASTS[:7], "keys", *BROADCASTS[7:10], "mask shares", *BROADCASTS[10:], "ticket", "signed", "partials",
)  # fmt: skip


class Chance:
    """Numbers from seeded entropy."""

    def __init__(self, *seed: object) -> None:
        self._entropy: Entropy = SeededEntropy("/".join(map(str, ("tacita/simulate", *seed))))

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        return random_below(self._entropy, bound)

    def between(self, lo: float, hi: float) -> float:
        """A number in [lo, hi], in steps of a millionth."""
        return lo + (hi - lo) * self.below(1_000_001) / 1_000_000

    def happens(self, probability: float) -> bool:
        """True with this probability, in steps of a millionth."""
        return self.below(1_000_000) < probability * 1_000_000


@dataclass(frozen=True)
class Weather:
    """How packets travel, on all links of a world."""

    delay: float
    """Seconds that every packet takes at least."""
    jitter: float
    """Up to so many seconds more, which is what reorders packets."""
    loss: float
    duplication: float

    @property
    def session(self) -> float:
        """About how many seconds a session takes: its steps, and a pause of a quarter of a second per lost packet."""
        return 450 * (self.delay + self.jitter / 2) + 550 * self.loss


@dataclass(frozen=True)
class Cut:
    """From `start` on, for `seconds`, nothing passes between these two nodes; with one node, between it and all.

    With `round`, the clock of `start` begins when a node first says something in that round.
    """

    start: float
    seconds: float
    nodes: frozenset[str]
    round: str = ""

    def holds(self, now: float, sender: str, receiver: str) -> bool:
        """True if this link is cut now; `now` counts from the beginning of the cut's clock."""
        return self.start <= now < self.start + self.seconds and self.nodes <= {sender, receiver}


@dataclass(frozen=True)
class Misbehaviour:
    """One node deviates in the way `kind` says, first in the round of number `round`, towards `victim`."""

    node: str
    kind: str
    round: int
    victim: str


@dataclass(frozen=True)
class Plan:
    """Everything that distinguishes one world from another."""

    seed: int
    names: tuple[str, ...]
    bits: int
    weather: Weather
    cuts: tuple[Cut, ...]
    misbehaviour: Misbehaviour | None
    starts: tuple[float, ...]
    """When each node's operator starts the session, in seconds."""

    @property
    def within_deadlines(self) -> bool:
        """True if nothing that happens to the network may end a session."""
        return sum(cut.seconds for cut in self.cuts) <= LONGEST_CUT

    @property
    def honest(self) -> tuple[str, ...]:
        """The nodes that follow the protocol."""
        return tuple(n for n in self.names if self.misbehaviour is None or n != self.misbehaviour.node)

    @staticmethod
    def draw(seed: int, nodes: int = 3, bits: int = TOY_BITS, misbehaving: int = MISBEHAVING_PERCENT) -> "Plan":
        """The world of this seed; in `misbehaving` percent of the worlds one node does not follow the protocol."""
        chance = Chance(seed, "plan")
        names = tuple(f"node{i + 1}" for i in range(nodes))
        delay = chance.between(0.002, 0.1)
        weather = Weather(
            delay, delay * chance.between(0.2, 1), chance.between(0.002, 0.05), chance.between(0.002, 0.05)
        )
        starts = tuple(chance.between(0, 5) for _ in names)
        long = chosen(seed, LONG_CUT_PERCENT)
        cuts, count = [], 1 if long else 1 + chance.below(2)
        for _ in range(count):
            # Half of the cuts aim at a round: most of a session's time goes into the engine.
            round_name = EVERY_ROUND[chance.below(len(EVERY_ROUND))] if chance.happens(0.5) else ""
            start = chance.between(0, 2 * delay) if round_name else max(starts) + chance.between(0, weather.session)
            seconds = chance.between(30, 200) if long else chance.between(0.5, LONGEST_CUT) / count
            cuts.append(Cut(start, seconds, frozenset(_some(chance, names)), round_name))
        misbehaviour = None
        if chosen(seed, misbehaving):
            node = names[chance.below(nodes)]
            others = [name for name in names if name != node]
            kind = KINDS[seed * misbehaving // 100 % len(KINDS)]
            misbehaviour = Misbehaviour(node, kind, chance.below(len(EVERY_ROUND)), others[chance.below(nodes - 1)])
        return Plan(seed, names, bits, weather, tuple(cuts), misbehaviour, starts)

    def auction(self) -> tuple[Terms, dict[str, Any]]:
        """Completed terms and everybody's bids."""
        chance = Chance(self.seed, "auction")
        lines = ["bidder,slot,value,slope,min,max"]
        for name in BIDDERS:
            value, slope, most = chance.between(1, 16), chance.between(0.5, 4), chance.between(0.5, 8)
            lines.append(f"{name},1,{value:.2f},{slope:.2f},0,{most:.2f}")
        rules: Mapping[str, Any] = {
            "slots": 1,
            "cost": {"linear": [round(chance.between(0, 4), 2)], "quadratic": round(chance.between(0.1, 2), 2)},
            "payment_rule": ("uniform", "clarke")[chance.below(2)],
        }
        tree = {
            "policy": "auction",
            "session": {"name": f"world-{self.seed}", "max_attempts": 1 + chance.below(2)},
            "auction": rules,
            "bounds": {"value": [0, 16], "slope": [0.5, 4], "quantity": [0, 8]},
            "solver": {"method": "table"},
        }
        terms, inputs = complete_with_inputs(tree, lines, None)
        return terms, dict(inputs)


def chosen(seed: int, percent: int) -> bool:
    """True for `percent` of any hundred seeds in a row, as far apart as possible."""
    return seed * percent // 100 != (seed - 1) * percent // 100


def _some(chance: Chance, names: tuple[str, ...]) -> list[str]:
    """One node or two."""
    first = chance.below(len(names))
    second = (first + 1 + chance.below(len(names) - 1)) % len(names)
    return [names[first], names[second]][: 1 + chance.below(2)]
