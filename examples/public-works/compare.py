"""Compare Tacita's winners with the recorded ones, auction by auction.

    python compare.py FOLDER [--outcome outcome.json]     after `tacita run auction ... --out FOLDER/result`
    python compare.py FOLDER --plain                      without the engine: straight from inputs.csv

FOLDER is what reader.py wrote. In an auction the lowest valid bid wins and is paid the second-lowest valid bid, or
the reserve price if it stands alone (the Clarke payment). --plain takes this rule as the result; otherwise the
result is read from outcome.json and checked against the rule.
Exit codes: 0 done, 1 the outcome breaks the rule, 2 a file is missing or wrong.
"""

import argparse
import csv
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

AGREE = "agree"
TIED = "left out: tie for the lowest bid, decided by lot"
UNRECORDED = "left out: no recorded winner"
VOIDED = "differ: the lowest bid was voided by the city for another reason than its price"
INVALID = "differ: the recorded winning bid is not among the valid bids"
PASSED_OVER = "differ: a lower valid bid was passed over and the data do not say why"
RULE_BROKEN = "differ: the outcome does not follow the rule (see below)"
VERDICTS = (AGREE, VOIDED, INVALID, PASSED_OVER, RULE_BROKEN, TIED, UNRECORDED)


class CompareError(Exception):
    """A file is missing or wrong; the text says which and what to do."""


@dataclass(frozen=True)
class Works:
    """One slot: its record and its valid bids, firm to price."""

    slot: int
    project: str
    title: str
    reserve: int
    winner: str
    winning_bid: int | None
    void: frozenset[str]
    bids: Mapping[str, int]

    @property
    def lowest(self) -> int:
        return min(self.bids.values())

    @property
    def tied(self) -> tuple[str, ...]:
        """The firms with the lowest bid, in the order of inputs.csv."""
        return tuple(firm for firm, price in self.bids.items() if price == self.lowest)

    @property
    def clarke(self) -> int:
        """W_{-i} minus the others' surplus: the second-lowest bid, or the reserve price."""
        prices = sorted(self.bids.values())
        return prices[1] if len(prices) > 1 else self.reserve


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or [])]
            if missing:
                raise CompareError(f"{path}: column {', '.join(missing)} is missing; run reader.py again.")
            return list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise CompareError(f"{path} cannot be read ({error}); run reader.py first.") from error


def read_works(folder: Path) -> list[Works]:
    """Join slots.csv and inputs.csv."""
    bids: dict[int, dict[str, int]] = defaultdict(dict)
    slots = folder / "slots.csv"
    columns = ("slot", "project", "title", "reserve", "recorded_winner", "recorded_bid", "void_but_in_range")
    try:
        for row in read_table(folder / "inputs.csv", ("bidder", "slot", "price")):
            bids[int(row["slot"])][row["bidder"]] = int(row["price"])
        works = [
            Works(
                slot=int(row["slot"]),
                project=row["project"],
                title=row["title"],
                reserve=int(row["reserve"]),
                winner=row["recorded_winner"],
                winning_bid=int(row["recorded_bid"]) if row["recorded_bid"] else None,
                void=frozenset(row["void_but_in_range"].split()),
                bids=bids[int(row["slot"])],
            )
            for row in read_table(slots, columns)
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise CompareError(f"{folder}: inputs.csv or slots.csv holds a bad number; run reader.py again.") from error
    if [item.slot for item in works] != list(range(1, len(works) + 1)) or not all(item.bids for item in works):
        raise CompareError(f"{slots}: slots must be 1, 2, ... and each have a bid in inputs.csv; run reader.py again.")
    return works


def verdict(works: Works, winner: str) -> str:
    """Does the record agree with this winner, and if not, why not."""
    if winner not in works.tied:
        return RULE_BROKEN
    if works.winning_bid is None:
        return UNRECORDED
    if works.bids.get(works.winner) != works.winning_bid:
        return INVALID
    if len(works.tied) > 1 and works.winner in works.tied:
        return TIED
    if works.winner == winner:
        return AGREE
    return VOIDED if works.void & set(works.tied) else PASSED_OVER


def plain_winners(works: Sequence[Works]) -> list[str]:
    """The rule; of tied firms the first (the engine draws lots with the auction coin)."""
    return [item.tied[0] for item in works]


def read_outcome(path: Path, slots: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Allocation and payment per firm from outcome.json."""
    try:
        outcome = json.loads(path.read_text(encoding="utf-8"))
        allocation = {str(firm): [float(x) for x in row] for firm, row in outcome["allocation"].items()}
        payment = {str(firm): float(paid) for firm, paid in outcome["payment"].items()}
    except (OSError, UnicodeDecodeError) as error:
        raise CompareError(
            f"{path} cannot be read ({error}); run `tacita run auction` first or use --plain."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CompareError(
            f'{path} has no public allocation and payment ({error!r}); use release = "public".'
        ) from error
    wrong = [firm for firm, row in allocation.items() if len(row) != slots]
    if wrong:
        raise CompareError(f"{path}: {wrong[0]} does not have {slots} slots; compare the outcome of this inputs.csv.")
    return allocation, payment


def check_outcome(
    works: Sequence[Works], allocation: Mapping[str, Sequence[float]], payment: Mapping[str, float], tolerance: float
) -> tuple[list[str], list[str]]:
    """The outcome's winner of every slot, and every place where it breaks the rule."""
    winners: list[str] = []
    faults: list[str] = []
    due: dict[str, int] = defaultdict(int)
    for item in works:
        served = {firm: row[item.slot - 1] for firm, row in allocation.items() if abs(row[item.slot - 1]) > tolerance}
        names = ", ".join(f"{firm} {x:.6g}" for firm, x in served.items()) or "nobody"
        winner = max(served, key=lambda firm: served[firm]) if served else ""
        winners.append(winner)
        due[winner] += item.clarke
        if len(served) != 1 or abs(served[winner] - 1) > tolerance:
            faults.append(f"slot {item.slot}: one firm must get one unit, the outcome gives {names}")
        elif winner not in item.tied:
            faults.append(f"slot {item.slot}: {winner} wins, but {' or '.join(item.tied)} bid {item.lowest}")
    scale = max(item.reserve for item in works)
    for firm in sorted(set(payment) | set(due) - {""}):
        paid = payment.get(firm, 0.0)
        if not math.isclose(paid, due[firm], rel_tol=0, abs_tol=tolerance * scale):
            faults.append(f"{firm}: paid {paid:.2f}, the Clarke payments of its slots add up to {due[firm]}")
    return winners, faults


def report(works: Sequence[Works], winners: Sequence[str], faults: Sequence[str], brief: bool) -> str:
    """The table, the list of differences, and the summary."""
    verdicts = [verdict(item, winner) for item, winner in zip(works, winners, strict=True)]
    lines: list[str] = []
    if not brief:
        lines.append("slot project: Tacita's winner, its bid -> Clarke payment | recorded winner, its bid")
        for item, winner in zip(works, winners, strict=True):
            record = f"{item.winner} {item.winning_bid}" if item.winning_bid is not None else "none"
            bid = item.bids.get(winner, "no bid")
            lines.append(f"{item.slot:4d} {item.project}: {winner or 'nobody'} {bid} -> {item.clarke} | {record}")
        lines.append("")
    lines.append("Differences and auctions left out of the comparison:")
    for item, winner, word in zip(works, winners, verdicts, strict=True):
        if word != AGREE:
            ours = f"{' or '.join(item.tied) if word == TIED else winner or 'nobody'} {item.lowest}"
            record = f"{item.winner} {item.winning_bid}" if item.winning_bid is not None else "none"
            lines.append(f"{item.slot:4d} {item.project}: {word} (lowest valid {ours}, recorded {record})")
    if all(word == AGREE for word in verdicts):
        lines.append("  none")
    lines += ["", f"{len(works)} auctions"]
    counts = Counter(verdicts)
    lines += [f"{counts[word]:5d} {word}" for word in VERDICTS if counts[word]]
    groups = {
        "agreeing": [item for item, word in zip(works, verdicts, strict=True) if word == AGREE],
        "recorded": [item for item in works if item.winning_bid is not None],
    }
    for name, group in groups.items():
        total, paid = sum(item.winning_bid or 0 for item in group), sum(item.clarke for item in group)
        change = f" ({paid / total - 1:+.2%})" if total else ""
        lines.append(f"{len(group)} {name}: winning bids {total} yen, Clarke payments {paid} yen{change}")
    alone = sum(len(item.bids) == 1 for item in works)
    lines.append(f"{alone} auctions have one valid bid and pay the reserve price")
    lines += [f"outcome breaks the rule: {fault}" for fault in faults]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compare an outcome with the recorded winners.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what reader.py wrote")
    parser.add_argument("--outcome", type=Path, help="default: FOLDER/result/outcome.json")
    parser.add_argument("--plain", action="store_true", help="compute the result from inputs.csv, without an outcome")
    parser.add_argument("--brief", action="store_true", help="differences and summary only")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="of a unit, and of the largest reserve price")
    options = parser.parse_args(arguments)
    faults: list[str] = []
    try:
        works = read_works(options.folder)
        winners = plain_winners(works)
        if not options.plain:
            path = options.outcome or options.folder / "result" / "outcome.json"
            winners, faults = check_outcome(works, *read_outcome(path, len(works)), options.tolerance)
    except CompareError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    print(report(works, winners, faults, options.brief))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
