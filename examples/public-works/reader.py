"""Turn sealed-bid procurement data (the format of tsuchiura_data.csv) into a Tacita auction.

    python reader.py DATA.csv --out FOLDER [--auctions N]

writes four files to FOLDER:

    terms.toml     the public terms: one slot per auction, bounded by its reserve and minimum price
    inputs.csv     bidder,slot,price,quantity: each firm offers one unit at its bid; no bid, no row
    slots.csv      which auction a slot is, its bounds, and the recorded winner
    left_out.csv   one line for everything that was left out, with its reason

procurement.py says how the columns are read and which bids are valid. Standard library only.
Exit codes: 0 done, 2 the file or an argument is wrong (the sentence says what to change).
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from procurement import Case, DataError, Slot, build_case, read_auctions

TERMS = """\
# Public-works auctions: the city buys one unit of each works; prices in yen.
# Slot numbers, projects and recorded winners are in slots.csv.
policy = "auction"

[session]
security = "passive"
plan = "shared"

[auction]
direction = "reverse"
slots = {slots}
reserve = [{reserve}]
floor = [{floor}]
cost = {{ linear = [{linear}], quadratic = 0.0 }}
supply_max = 1.0
payment_rule = "clarke"
release = "public"

[bounds]
quantity = [0.0, 1.0]
steps = 1

[solver]
method = "table"
"""
INPUTS_HEADER = ("bidder", "slot", "price", "quantity")
SLOTS_HEADER = (
    "slot", "project", "date", "title", "reserve", "minimum", "recorded_winner", "recorded_bid", "void_but_in_range",
)  # fmt: skip
LEFT_OUT_HEADER = ("slot", "project", "what", "bidder", "bid", "reason", "detail")


def terms_text(slots: Sequence[Slot]) -> str:
    """The terms file; an auction without a minimum price has floor 0."""

    def numbers(values: Iterable[int]) -> str:
        return ", ".join(f"{value}.0" for value in values)

    return TERMS.format(
        slots=len(slots),
        reserve=numbers(slot.auction.reserve for slot in slots),
        floor=numbers(slot.auction.minimum or 0 for slot in slots),
        linear=numbers(0 for _ in slots),
    )


def inputs_rows(case: Case) -> list[tuple[object, ...]]:
    """One row per valid bid, by slot and then in the order of the data."""
    return [(case.slugs[bid.bidder], slot.number, bid.price, 1) for slot in case.slots for bid in slot.offers]


def slots_rows(case: Case) -> list[tuple[object, ...]]:
    """One row per slot; the last column names firms whose bid is in range but was voided by the city."""
    rows: list[tuple[object, ...]] = []
    for slot in case.slots:
        auction, winner = slot.auction, slot.auction.winner
        recorded = (case.slugs[winner.bidder], winner.price) if winner else ("", "")
        void = " ".join(case.slugs[bid.bidder] for bid in slot.offers if bid.void)
        bounds = (auction.reserve, auction.minimum if auction.minimum is not None else "")
        rows.append((slot.number, auction.project, auction.date, auction.title, *bounds, *recorded, void))
    return rows


def left_out_rows(case: Case) -> list[tuple[object, ...]]:
    """One row per bid, auction or comparison left out; `slot` is empty for an auction that got none."""
    number = {slot.auction.project: slot.number for slot in case.slots}
    return [
        (
            number.get(line.project, ""),
            line.project,
            line.what,
            case.slugs[line.bidder] if line.bidder else "",
            line.price if line.price is not None else "",
            line.reason,
            line.detail,
        )
        for line in case.left_out
    ]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_case(case: Case, folder: Path) -> None:
    """Write the four files; the same data gives the same bytes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "terms.toml").write_text(terms_text(case.slots), encoding="utf-8", newline="\n")
        write_csv(folder / "inputs.csv", INPUTS_HEADER, inputs_rows(case))
        write_csv(folder / "slots.csv", SLOTS_HEADER, slots_rows(case))
        write_csv(folder / "left_out.csv", LEFT_OUT_HEADER, left_out_rows(case))
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}); name a folder you may write to.") from error


def summary(case: Case, read: int) -> str:
    """What was written and what was left out, in counts."""
    rows = inputs_rows(case)
    lines = [
        f"{read} auctions read, {len(case.slots)} slots, {len(rows)} bids of {len({row[0] for row in rows})} firms"
    ]
    counts = Counter((line.what, line.reason) for line in case.left_out)
    lines += [f"  left out: {count:4d} {what}: {reason}" for (what, reason), count in sorted(counts.items())]
    return "\n".join(lines)


def positive(text: str) -> int:
    """An argument that counts something."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Sealed-bid procurement data to a Tacita auction.")
    parser.add_argument("data", type=Path, metavar="DATA.csv", help="bids in the format of tsuchiura_data.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the four files go")
    parser.add_argument("--auctions", type=positive, metavar="N", help="take only the first N auctions")
    options = parser.parse_args(arguments)
    try:
        auctions = read_auctions(options.data, options.auctions)
        case = build_case(auctions)
        write_case(case, options.out)
    except DataError as error:
        print(f"reader.py: {error}", file=sys.stderr)
        return 2
    print(summary(case, len(auctions)))
    print(f"written to {options.out}: terms.toml, inputs.csv, slots.csv, left_out.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
