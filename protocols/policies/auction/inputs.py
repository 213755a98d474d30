"""Private inputs of bidders: reading the two CSV formats, and turning decimals into the integers that are committed.

`bidder,slot,value,slope,min,max` holds quadratic bids v = value·x − slope·x²/2 with min ≤ x ≤ max; in a reverse
auction the cost value·x + slope·x²/2. `bidder,slot,price,quantity` holds one row per step, in merit order.
`bidder,quantity` holds budgets: Σ_t x ≤ quantity. Slots are numbered from 1. A missing (bidder, slot) row means no
bid there; this pattern is public.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.auction.terms import MAX_BIDDERS, MAX_STEPS, AuctionTerms
from tacita.protocols.policies.columns import decimal, header_problem, rows_of
from tacita.protocols.terms import check_name

QUADRATIC_HEADER = ("bidder", "slot", "value", "slope", "min", "max")
STEPS_HEADER = ("bidder", "slot", "price", "quantity")
BUDGET_HEADER = ("bidder", "quantity")
MAX_ROWS = MAX_BIDDERS * 256 * 4


@dataclass(frozen=True)
class SlotBid:
    """One bidder's bid in one slot: numbers in the caller's units."""

    numbers: tuple[Fraction, ...] = field(repr=False)
    """(value, slope, min, max), or (price, quantity) for every step."""


@dataclass
class BidderInputs:
    """Everything one bidder keeps private."""

    slots: dict[int, SlotBid] = field(repr=False, default_factory=dict)
    """By 0-based slot."""
    budget: Fraction | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Inputs:
    """A whole inputs file: kind of bids and each bidder's part."""

    kind: str
    bidders: Mapping[str, BidderInputs]

    @property
    def steps(self) -> int:
        """The largest number of steps of any bid (1 for quadratic bids)."""
        if self.kind != "steps":
            return 1
        return max((len(b.numbers) // 2 for p in self.bidders.values() for b in p.slots.values()), default=1)

    @property
    def budgets(self) -> bool:
        """True if anybody has a budget."""
        return any(p.budget is not None for p in self.bidders.values())


def read_inputs(lines: Iterable[str], slots: int, budgets: Iterable[str] | None = None, fewest: int = 2) -> Inputs:
    """Parse the inputs and, if given, the budgets; every mistake names its line. Raises CallerMistake.

    `fewest` bidders must be there: 2 for a whole auction, 0 for one node's part of it.
    """
    rows = rows_of(lines, "inputs")
    header = tuple(name.strip() for name in next(rows, []))
    for expected, kind in ((QUADRATIC_HEADER, "quadratic"), (STEPS_HEADER, "steps")):
        if set(header) == set(expected) and len(header) == len(expected):
            bidders = _read_bids(rows, header, expected, kind, slots)
            break
    else:
        raise _wrong_header(header)
    if budgets is not None:
        _read_budgets(rows_of(budgets, "budget"), bidders)
    if len(bidders) < fewest:
        raise CallerMistake(f"the inputs hold {len(bidders)} bidders; an auction needs at least 2")
    if len(bidders) > MAX_BIDDERS:
        raise CallerMistake(
            f"the inputs hold {len(bidders)} bidders; at most {MAX_BIDDERS} are supported in one session"
        )
    return Inputs(kind, dict(sorted(bidders.items())))


def _wrong_header(header: tuple[str, ...]) -> CallerMistake:
    expected = STEPS_HEADER if {"price", "quantity"} & set(header) else QUADRATIC_HEADER
    problem = header_problem(header, expected)
    return CallerMistake(
        f"inputs line 1: {problem}; the header must be {','.join(QUADRATIC_HEADER)} or {','.join(STEPS_HEADER)}"
    )


def _read_bids(
    rows: Iterable[Sequence[str]], header: tuple[str, ...], expected: tuple[str, ...], kind: str, slots: int
) -> dict[str, BidderInputs]:
    bidders: dict[str, BidderInputs] = {}
    place = [header.index(name) for name in expected]
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if line > MAX_ROWS:
            raise CallerMistake(f"the inputs have more than {MAX_ROWS} lines; split the auction")
        if len(row) != len(header):
            raise CallerMistake(f"inputs line {line}: {len(row)} values where the header has {len(header)} columns")
        cells = [row[i].strip() for i in place]
        bidder = bidders.setdefault(check_name(cells[0], f"inputs line {line}: bidder"), BidderInputs())
        slot = _slot(cells[1], slots, line)
        numbers = tuple(
            decimal(cell, f"inputs line {line}: {name}") for name, cell in zip(expected[2:], cells[2:], strict=True)
        )
        if kind == "quadratic":
            if slot in bidder.slots:
                raise CallerMistake(f"inputs line {line}: a second bid of {cells[0]} in slot {slot + 1}; keep one")
            bidder.slots[slot] = SlotBid(numbers)
        else:
            earlier = bidder.slots.get(slot, SlotBid(()))
            if len(earlier.numbers) >= 2 * MAX_STEPS:
                raise CallerMistake(
                    f"inputs line {line}: {cells[0]} has more than {MAX_STEPS} steps in slot {slot + 1}"
                )
            bidder.slots[slot] = SlotBid(earlier.numbers + numbers)
    return bidders


def _read_budgets(rows: Iterable[Sequence[str]], bidders: dict[str, BidderInputs]) -> None:
    lines = list(rows)
    if not lines or tuple(c.strip() for c in lines[0]) != BUDGET_HEADER:
        raise CallerMistake(f"the budget file's header must be {','.join(BUDGET_HEADER)}")
    for line, row in enumerate(lines[1:], start=2):
        if not row:
            continue
        if len(row) != 2:
            raise CallerMistake(f"budget line {line}: {len(row)} values where the header has 2 columns")
        name = row[0].strip()
        if name not in bidders:
            raise CallerMistake(f"budget line {line}: {name[:80]} has no bid in the inputs; remove the line")
        if bidders[name].budget is not None:
            raise CallerMistake(f"budget line {line}: a second budget of {name}; keep one")
        bidders[name].budget = decimal(row[1].strip(), f"budget line {line}: quantity")


def _slot(cell: str, slots: int, line: int) -> int:
    if not cell.isascii() or not cell.isdigit() or len(cell) > 9 or not 1 <= int(cell) <= slots:
        raise CallerMistake(f"inputs line {line}: slot must be a whole number from 1 to {slots}")
    return int(cell) - 1


def check_bidder(terms: AuctionTerms, name: str, inputs: BidderInputs) -> None:
    """Refuse inputs that the bidder could not prove to be in range; the message names bidder, slot and column."""
    for slot, bid in sorted(inputs.slots.items()):
        where = f"{name}, slot {slot + 1}"
        low, high = terms.value_range(slot)
        if terms.bids == "quadratic":
            assert terms.slope is not None
            value, slope, least, most = bid.numbers
            _inside(value, low, high, where, "value")
            _inside(slope, *terms.slope, where, "slope")
            _inside(most, *terms.quantity, where, "max")
            if least > most:
                raise CallerMistake(f"{where}: min is above max; correct the inputs")
            _inside(least, *terms.minimum, where, "min")
        else:
            prices, widths = bid.numbers[0::2], bid.numbers[1::2]
            for price in prices:
                _inside(price, low, high, where, "price")
            for width in widths:
                _inside(width, Fraction(0), terms.quantity[1], where, "quantity")
            _inside(sum(widths, Fraction(0)), *terms.quantity, where, "total quantity")
            rising = terms.direction == "reverse"
            if any((a > b) if rising else (a < b) for a, b in zip(prices, prices[1:], strict=False)):
                order = "rise" if rising else "fall"
                raise CallerMistake(f"{where}: step prices must {order} from row to row; sort the inputs")
            if len(prices) > terms.steps:
                raise CallerMistake(f"{where}: {len(prices)} steps where the terms allow {terms.steps}")
    if inputs.budget is not None:
        if inputs.budget < 0:
            raise CallerMistake(f"{name}: the budget is negative; correct the budget file")
        if terms.bids == "quadratic" and sum(bid.numbers[2] for bid in inputs.slots.values()) > inputs.budget:
            raise CallerMistake(f"{name}: the budget is below the sum of the minimums; correct the inputs")


def _inside(value: Fraction, low: Fraction, high: Fraction, where: str, column: str) -> None:
    if not low <= value <= high:
        raise CallerMistake(
            f"{where}: {column} lies outside the public bounds [{float(low):g}, {float(high):g}]; "
            "correct the inputs or the terms"
        )
