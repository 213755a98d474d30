"""Choose the auctions of extract.csv from the whole data file, by a rule without chance.

    python make_extract.py tsuchiura_data.csv extract.csv

Kept are, in the order of the data, the first few auctions of each kind of irregularity (WANTED) and the first
ORDINARY_PER_YEAR auctions of each year with none. Kept auctions are complete: all their rows, needed columns only.
Applied to extract.csv itself the rule gives extract.csv again, which the tests use.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from procurement import (
    ABOVE,
    BELOW,
    COLUMNS,
    NO_PRICE,
    NO_WINNER,
    REPEATED,
    TIE,
    Auction,
    DataError,
    read_auctions,
    read_rows,
    sift,
    uncompared,
)

VOIDED = "lowest valid bid voided by the city"
ALONE = "one valid bid"
WANTED = {BELOW: 5, TIE: 5, REPEATED: 6, NO_PRICE: 4, NO_WINNER: 4, ABOVE: 1, VOIDED: 4, ALONE: 4}
ORDINARY_PER_YEAR = 2


def kinds(auction: Auction) -> set[str]:
    """The irregularities of one auction; empty for an ordinary one."""
    offers, left_out = sift(auction)
    found = {line.reason for line in left_out}
    if offers:
        found |= {line.reason for line in uncompared(auction, offers)}
        if min(offers, key=lambda bid: bid.price or 0).void:
            found.add(VOIDED)
        if len(offers) == 1:
            found.add(ALONE)
    return found


def choose(auctions: Sequence[Auction]) -> set[str]:
    """The projects that the rule keeps."""
    seen: Counter[str] = Counter()
    kept: set[str] = set()
    for auction in auctions:
        found = kinds(auction) or {auction.date[:4]}
        if any(seen[kind] < WANTED.get(kind, ORDINARY_PER_YEAR) for kind in found):
            kept.add(auction.project)
        seen.update(found)
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Choose the auctions of extract.csv.")
    parser.add_argument("data", type=Path)
    parser.add_argument("extract", type=Path)
    options = parser.parse_args(arguments)
    try:
        kept = choose(read_auctions(options.data))
        rows = [row for _, row in read_rows(options.data) if row["pid"] in kept]
    except DataError as error:
        print(f"make_extract.py: {error}", file=sys.stderr)
        return 2
    with options.extract.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(kept)} auctions, {len(rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
