"""Private inputs of members: `member,preference,output_gap,inflation`, with consensus also `least,most,move`.

preference is λ, the weight on inflation against output; output_gap and inflation are the member's own readings in
percent. A member with limits accepts no rate below least or above most, and none that moves faster than move
percentage points per period away from the previous rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.columns import decimal, header_problem, rows_of
from tacita.protocols.policies.interest_rate.terms import FEWEST_MEMBERS, LIMITS, MAX_MEMBERS, CommitteeTerms
from tacita.protocols.terms import check_name

HEADER = ("member", "preference", "output_gap", "inflation")


@dataclass(frozen=True)
class MemberInputs:
    """What one member keeps private, in percent as written."""

    preference: Fraction = field(repr=False)
    output_gap: Fraction = field(repr=False)
    inflation: Fraction = field(repr=False)
    limits: tuple[Fraction, Fraction, Fraction] | None = field(repr=False, default=None)
    """(least, most, move)."""


def read_members(terms: CommitteeTerms, text: str, fewest: int = FEWEST_MEMBERS) -> dict[str, MemberInputs]:
    """Parse the inputs; every mistake names its line. Raises CallerMistake.

    `fewest` members must be there: 3 for a whole committee, 0 for one node's part of it.
    """
    expected = HEADER + (LIMITS if terms.limits is not None else ())
    rows = rows_of(text.splitlines(), "inputs")
    header = tuple(name.strip() for name in next(rows, []))
    if sorted(header) != sorted(expected):
        raise _wrong_header(header, expected)
    place, members = [header.index(name) for name in expected], dict[str, MemberInputs]()
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise CallerMistake(f"inputs line {line}: {len(row)} values where the header has {len(header)} columns")
        if len(members) >= MAX_MEMBERS:
            raise CallerMistake(f"the inputs hold more than {MAX_MEMBERS} members; a committee has at most that many")
        cells = [row[i].strip() for i in place]
        name = check_name(cells[0], f"inputs line {line}: member")
        if name in members:
            raise CallerMistake(f"inputs line {line}: a second row of {name}; keep one")
        numbers = [
            decimal(cell, f"inputs line {line}: {column}") for column, cell in zip(expected[1:], cells[1:], strict=True)
        ]
        limits = (numbers[3], numbers[4], numbers[5]) if terms.limits is not None else None
        members[name] = MemberInputs(numbers[0], numbers[1], numbers[2], limits)
    if len(members) < fewest:
        raise CallerMistake(f"the inputs hold {len(members)} members; {too_few()}")
    return dict(sorted(members.items()))


def too_few() -> str:
    """Why a committee needs three members."""
    return f"a committee needs at least {FEWEST_MEMBERS}: one of two could compute the other's numbers from the result"


def _wrong_header(header: tuple[str, ...], expected: tuple[str, ...]) -> CallerMistake:
    extra = [c for c in header if c in LIMITS and c not in expected]
    if extra and set(expected) <= set(header):
        return CallerMistake(
            f"inputs line 1: column '{extra[0]}' needs [committee] method = \"consensus\"; "
            "change the terms or remove it"
        )
    problem = header_problem(header, expected)
    return CallerMistake(f"inputs line 1: {problem}; the header must be {','.join(expected)}")


def check_member(terms: CommitteeTerms, name: str, inputs: MemberInputs) -> None:
    """Refuse inputs that the member could not prove to be in range; the message names member and column."""
    columns = [
        ("preference", inputs.preference, terms.preference),
        ("output_gap", inputs.output_gap, terms.output_gap),
        ("inflation", inputs.inflation, terms.inflation),
    ]
    if terms.limits is not None:
        if inputs.limits is None:
            raise CallerMistake(f"{name}: least, most and move are missing; complete the inputs")
        columns += list(zip(LIMITS, inputs.limits, terms.limits, strict=True))
    for column, value, (low, high) in columns:
        if not low <= value <= high:
            raise CallerMistake(
                f"{name}: {column} lies outside the public bounds [{float(low):g}, {float(high):g}]; "
                "correct the inputs or the terms"
            )


def deviations(terms: CommitteeTerms, inputs: MemberInputs) -> tuple[Fraction, Fraction]:
    """(y, π − π*), exactly."""
    return inputs.output_gap, inputs.inflation - terms.economy.inflation_target


Members = Mapping[str, MemberInputs]
