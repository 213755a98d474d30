"""Reading input files: rows of CSV text and exact decimal numbers; a message names file and line, never a value."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from tacita.protocols.faults import CallerMistake


def rows_of(lines: Iterable[str], file: str) -> Iterator[list[str]]:
    """The rows of a CSV file; raises CallerMistake for what no row can be."""
    rows = csv.reader(lines)
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise CallerMistake(f"{file} line {rows.line_num}: {error}; correct the file") from None


def header_problem(header: Sequence[str], expected: Sequence[str]) -> str:
    """What is wrong with a header that is not made of exactly these columns.

    An unknown name is repeated only beside all expected ones: without them the line may be a private row.
    """
    missing, extra = [c for c in expected if c not in header], [c for c in header if c not in expected]
    if missing:
        return f"column '{missing[0]}' is missing"
    return f"column '{extra[0][:40]}' is not known" if extra else "a column is there twice"


def decimal(cell: str, what: str) -> Fraction:
    """A decimal number as written. The message never repeats the cell: it may be private."""
    try:
        if len(cell) > 40 or "/" in cell or "_" in cell or len(cell.lower().partition("e")[2]) > 4:
            raise ValueError  # Fraction("1e999999999") would compute that power of ten
        number = Fraction(cell)
    except (ValueError, ZeroDivisionError):
        raise CallerMistake(f"{what} is not a finite decimal number; correct the file") from None
    if abs(number) > 10**15 or number.denominator > 10**18:
        raise CallerMistake(f"{what} is too large or has too many digits; correct the file")
    return number
