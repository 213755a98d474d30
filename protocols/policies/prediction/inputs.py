"""Private price histories: reading `party,period,price`.

Periods are whole numbers, one price for every period from a party's first to its last. First and last period are
public.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.columns import decimal, header_problem, rows_of
from tacita.protocols.policies.prediction.terms import MAX_PARTIES, MAX_PRICES, MIN_PARTIES, PredictionTerms
from tacita.protocols.terms import check_name

HEADER = ("party", "period", "price")
MAX_PERIOD = 10**6
MAX_ROWS = MAX_PARTIES * MAX_PRICES


@dataclass(frozen=True)
class History:
    """One party's prices in the caller's units, oldest first."""

    first: int
    prices: tuple[Fraction, ...] = field(repr=False)

    @property
    def pattern(self) -> tuple[int, int]:
        """First and last period: public."""
        return self.first, self.first + len(self.prices) - 1


def read_histories(lines: Iterable[str], fewest: int = MIN_PARTIES) -> dict[str, History]:
    """Parse the inputs; every mistake names its line. Raises CallerMistake.

    `fewest` parties must be there: 3 for a whole session, 0 for one node's part of it.
    """
    rows = rows_of(lines, "inputs")
    header = tuple(name.strip() for name in next(rows, []))
    if sorted(header) != sorted(HEADER):
        raise CallerMistake(f"inputs line 1: {header_problem(header, HEADER)}; the header must be {','.join(HEADER)}")
    found: dict[str, dict[int, Fraction]] = {}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if line > MAX_ROWS + 1:
            raise CallerMistake(f"the inputs have more than {MAX_ROWS} lines; shorten the histories")
        if len(row) != len(HEADER):
            raise CallerMistake(f"inputs line {line}: {len(row)} values where the header has {len(HEADER)} columns")
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
        prices = found.setdefault(check_name(cells["party"], f"inputs line {line}: party"), {})
        period = _period(cells["period"], line)
        if period in prices:
            raise CallerMistake(f"inputs line {line}: a second price of {cells['party']} in period {period}; keep one")
        prices[period] = decimal(cells["price"], f"inputs line {line}: price")
    if len(found) < fewest:
        raise CallerMistake(too_few(len(found)))
    return {name: _history(name, prices) for name, prices in sorted(found.items())}


def too_few(parties: int) -> str:
    """Why a session of so few is refused."""
    return (
        f"{parties} parties take part; a prediction needs at least {MIN_PARTIES}, because each of two would learn the "
        "other's sums by subtracting its own"
    )


def _period(cell: str, line: int) -> int:
    if not cell.isascii() or not cell.isdigit() or int(cell[:9]) > MAX_PERIOD or len(cell) > 9:
        raise CallerMistake(f"inputs line {line}: period must be a whole number from 0 to {MAX_PERIOD}")
    return int(cell)


def _history(name: str, prices: Mapping[int, Fraction]) -> History:
    periods = sorted(prices)
    for earlier, later in zip(periods, periods[1:], strict=False):
        if later != earlier + 1:
            raise CallerMistake(
                f"{name} has no price for period {earlier + 1}; give one for every period of its history"
            )
    return History(periods[0], tuple(prices[t] for t in periods))


def check_history(terms: PredictionTerms, name: str, history: History) -> None:
    """Refuse a history that the party could not prove to be in range; the message names party and period."""
    low, high = terms.price
    for i, price in enumerate(history.prices):
        where = f"{name}, period {history.first + i}"
        if not low <= price <= high:
            raise CallerMistake(
                f"{where}: price lies outside the public bounds [{float(low):g}, {float(high):g}]; "
                "correct the inputs or the terms"
            )
        if i and abs(price - history.prices[i - 1]) > terms.change:
            raise CallerMistake(
                f"{where}: price moves by more than the public bound {float(terms.change):g}; "
                "correct the inputs or the terms"
            )


def check_lengths(terms: PredictionTerms, name: str, first: int, last: int) -> None:
    """Refuse a history that is too short or too long; its length is public."""
    count = last - first + 1
    if count < terms.lags + 2:
        raise CallerMistake(
            f"{name} has {count} prices; with lags = {terms.lags} every party needs at least {terms.lags + 2}"
        )
    if count > MAX_PRICES:
        raise CallerMistake(f"{name} has {count} prices; at most {MAX_PRICES} fit into one session")
