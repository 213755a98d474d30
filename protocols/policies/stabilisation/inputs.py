"""Private inputs of the parties: one row per scenario.

`party,scenario,persistence,effect,shock_1,…,shock_N`, for a collateralised coin with `ratio_effect` after `effect`:
a, b, (b',) w_0 … w_{N−1} of x_{k+1} = a·x_k + b·u_k + w_k. A party numbers its scenarios from 1; how many it has is
public.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.columns import decimal, header_problem, rows_of
from tacita.protocols.policies.stabilisation.terms import Interval, StabilisationTerms
from tacita.protocols.terms import check_name

MAX_ROWS = 10_000
MAX_TOTAL = 64
"""Scenarios of a session."""


@dataclass(frozen=True)
class Scenario:
    """One party's view of how the price moves, in the caller's units."""

    persistence: Fraction = field(repr=False)
    """a."""
    effects: tuple[Fraction, ...] = field(repr=False)
    """b (and b')."""
    shocks: tuple[Fraction, ...] = field(repr=False)
    """w_0 … w_{N−1}."""


@dataclass(frozen=True)
class PartyInputs:
    """What one party keeps private: its scenarios by number, from 0."""

    scenarios: Mapping[int, Scenario] = field(repr=False)


def columns(terms: StabilisationTerms) -> tuple[str, ...]:
    """The header of the inputs file."""
    effects = ("effect", "ratio_effect")[: terms.controls]
    shocks = tuple(f"shock_{k + 1}" for k in range(terms.horizon))
    return ("party", "scenario", "persistence", *effects, *shocks)


def read_inputs(lines: Iterable[str], terms: StabilisationTerms) -> dict[str, PartyInputs]:
    """Parse the inputs; every mistake names its line. Raises CallerMistake."""
    rows, expected = rows_of(lines, "inputs"), columns(terms)
    header = tuple(name.strip() for name in next(rows, []))
    if sorted(header) != sorted(expected):
        problem = header_problem(header, expected)
        raise CallerMistake(f"inputs line 1: {problem}; the header must be {','.join(expected)}")
    place = [header.index(name) for name in expected]
    parties: dict[str, dict[int, Scenario]] = {}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if line > MAX_ROWS:
            raise CallerMistake(f"the inputs have more than {MAX_ROWS} lines; leave out scenarios")
        if len(row) != len(header):
            raise CallerMistake(f"inputs line {line}: {len(row)} values where the header has {len(header)} columns")
        cells = [row[i].strip() for i in place]
        scenarios = parties.setdefault(check_name(cells[0], f"inputs line {line}: party"), {})
        number = _number(cells[1], terms.scenarios, line)
        if number in scenarios:
            raise CallerMistake(f"inputs line {line}: a second scenario {number + 1} of {cells[0]}; keep one")
        values = [decimal(c, f"inputs line {line}: {n}") for n, c in zip(expected[2:], cells[2:], strict=True)]
        first = 1 + terms.controls
        scenarios[number] = Scenario(values[0], tuple(values[1:first]), tuple(values[first:]))
    return {name: PartyInputs(dict(sorted(parties[name].items()))) for name in sorted(parties)}


def _number(cell: str, most: int, line: int) -> int:
    if not cell.isascii() or not cell.isdigit() or len(cell) > 9 or not 1 <= int(cell) <= most:
        raise CallerMistake(f"inputs line {line}: scenario must be a whole number from 1 to {most}")
    return int(cell) - 1


def check_party(terms: StabilisationTerms, name: str, inputs: PartyInputs) -> None:
    """Refuse what the party could not prove to be in range; the message names party, scenario and column."""
    for number, scenario in inputs.scenarios.items():
        where = f"{name}, scenario {number + 1}"
        _inside(scenario.persistence, terms.persistence, where, "persistence")
        for value, bounds, column in zip(scenario.effects, terms.effects, ("effect", "ratio_effect"), strict=False):
            _inside(value, bounds, where, column)
        for k, value in enumerate(scenario.shocks):
            _inside(value, terms.shock, where, f"shock_{k + 1}")


def _inside(value: Fraction, bounds: Interval, where: str, column: str) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise CallerMistake(
            f"{where}: {column} lies outside the public bounds [{float(low):g}, {float(high):g}]; "
            "correct the inputs or the terms"
        )


def check_count(scenarios: int) -> None:
    """Refuse a session without a spread, or one that is too large."""
    if scenarios < 2:
        raise CallerMistake(f"{scenarios} scenarios take part; a variance needs at least 2")
    if scenarios > MAX_TOTAL:
        raise CallerMistake(f"{scenarios} scenarios take part; at most {MAX_TOTAL} fit into one session")
