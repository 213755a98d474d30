"""The format of tsuchiura_data.csv: sealed bids in public-works auctions, read and sifted.

How the columns are read. One row is one bid; rows with the same `pid` are one auction, one round, wherever they
stand in the file. `bidder` is the firm (the cleaned name; `uneditedbidder` is what the city wrote). `reserveprice`,
`minprice` and `bid` are whole yen; an empty `minprice` means the auction had no minimum, an empty `bid` means the
firm's bid was void and no price was recorded. `winner` is 1 on the winning row. `bidresult` is 1 lost, 2 won, 3 won
by lottery, 4 void; `bidresult_details` is the city's remark. Every other column is derived or not used.

What is valid. A bid counts if minimum ≤ bid ≤ reserve. A firm offers one unit once per auction, so of several valid
bids of one firm only the lowest stays. A bid the city voided for another reason than its price (papers,
qualification examined after the opening) stays: a sealed auction cannot know that. slots.csv names such firms.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

COLUMNS = (
    *("pid", "date", "bidder", "uneditedbidder", "reserveprice", "minprice", "bid"),
    *("winner", "bidresult", "bidresult_details", "projecttitle", "projectdetails"),
)
VOID = "4"

NO_PRICE = "no bid recorded"
BELOW = "below the minimum price"
ABOVE = "above the reserve price"
REPEATED = "another bid of the same firm is as low or lower"
NO_VALID_BID = "no valid bid"
TIE = "tie for the lowest bid"
NO_WINNER = "no recorded winner"


class DataError(Exception):
    """The file is not in the expected format; the text says where and what to do."""


@dataclass(frozen=True)
class Bid:
    """One row of the data."""

    bidder: str
    original_name: str
    price: int | None
    won: bool
    void: bool
    remark: str


@dataclass(frozen=True)
class Auction:
    """All rows with one `pid`."""

    project: str
    date: str
    title: str
    reserve: int
    minimum: int | None
    bids: tuple[Bid, ...]

    @property
    def winner(self) -> Bid | None:
        return next((bid for bid in self.bids if bid.won), None)


@dataclass(frozen=True)
class LeftOut:
    """One line of left_out.csv; `what` is a bid, an auction, or the comparison with the recorded winner."""

    project: str
    what: str
    reason: str
    bidder: str = ""
    price: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Slot:
    """An auction with at least one valid bid: at most one offer per firm."""

    number: int
    auction: Auction
    offers: tuple[Bid, ...]


@dataclass(frozen=True)
class Case:
    """Everything the four files are written from."""

    slots: tuple[Slot, ...]
    left_out: tuple[LeftOut, ...]
    slugs: dict[str, str]


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) after checking the header and the width of every row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or []
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise DataError(f"{path}: column {', '.join(missing)} is missing; expected {', '.join(COLUMNS)}.")
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path}, line {reader.line_num}: expected {len(header)} fields; repair this row.")
                yield reader.line_num, {name: row[name].strip() for name in COLUMNS}
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name an existing CSV file.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a UTF-8 CSV file ({error}); export it again as CSV.") from error


def whole(row: dict[str, str], name: str, where: str, *, optional: bool = False) -> int | None:
    """Read a positive whole number of yen; an empty optional field is None."""
    text = row[name]
    if optional and not text:
        return None
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) == 0:
        raise DataError(f"{where}: {name} is {text!r}; write a positive whole number of yen.")
    return int(text)


def row_to_auction(row: dict[str, str], where: str) -> Auction:
    """One row as an auction with a single bid; `merge` joins the rows of one `pid`."""
    for name in ("pid", "bidder"):
        if not row[name]:
            raise DataError(f"{where}: {name} is empty; every bid needs one.")
    if row["winner"] not in ("0", "1"):
        raise DataError(f"{where}: winner is {row['winner']!r}; write 1 for the winning bid and 0 for the others.")
    reserve, minimum = whole(row, "reserveprice", where), whole(row, "minprice", where, optional=True)
    price = whole(row, "bid", where, optional=True)
    if reserve is None or (minimum is not None and minimum > reserve):
        raise DataError(f"{where}: minprice {minimum} is above reserveprice {reserve}; correct one of them.")
    won = row["winner"] == "1"
    if won and price is None:
        raise DataError(f"{where}: the winning row has no bid; write its price or set winner to 0.")
    bid = Bid(
        row["bidder"],
        row["uneditedbidder"],
        price,
        won,
        row["bidresult"] == VOID,
        " ".join(row["bidresult_details"].split()),
    )
    title = " - ".join(part for part in (row["projecttitle"], row["projectdetails"]) if part)
    return Auction(row["pid"], row["date"], title, reserve, minimum, (bid,))


def merge(first: Auction, second: Auction, where: str) -> Auction:
    """Join two parts of one auction, which must agree on its public facts (titles are taken from the first row)."""
    for name in ("date", "reserve", "minimum"):
        if getattr(first, name) != getattr(second, name):
            text = f"{name} {getattr(second, name)} differs from {getattr(first, name)}"
            raise DataError(f"{where}: {text} in an earlier row of pid {first.project}; one auction has one {name}.")
    if first.winner and second.winner:
        raise DataError(f"{where}: a second winning row for pid {first.project}; keep one.")
    return replace(first, bids=first.bids + second.bids)


def read_auctions(path: Path, limit: int | None = None) -> list[Auction]:
    """All auctions in order of first appearance, or the first `limit` of them."""
    auctions: dict[str, Auction] = {}
    for line, row in read_rows(path):
        where = f"{path}, line {line}"
        part = row_to_auction(row, where)
        known = auctions.get(part.project)
        auctions[part.project] = merge(known, part, where) if known else part
    if not auctions:
        raise DataError(f"{path} holds no bid; give a file with at least one row below the header.")
    return list(auctions.values())[:limit]


def price_fault(auction: Auction, bid: Bid) -> str | None:
    """Why the price of this bid makes it invalid, or None."""
    if bid.price is None:
        return NO_PRICE
    if auction.minimum is not None and bid.price < auction.minimum:
        return BELOW
    return ABOVE if bid.price > auction.reserve else None


def sift(auction: Auction) -> tuple[list[Bid], list[LeftOut]]:
    """Split the bids into one valid offer per firm (its lowest, the first of equals) and what is left out."""
    lowest: dict[str, Bid] = {}
    for bid in auction.bids:
        kept = lowest.get(bid.bidder)
        if price_fault(auction, bid) is None and (kept is None or (bid.price or 0) < (kept.price or 0)):
            lowest[bid.bidder] = bid
    offers, left_out = [], []
    for bid in auction.bids:
        if bid is lowest.get(bid.bidder):
            offers.append(bid)
            continue
        reason = price_fault(auction, bid) or REPEATED
        detail = bid.remark
        if reason == REPEATED and bid.original_name != lowest[bid.bidder].original_name:
            detail = f"written as {bid.original_name!r}, the lower one as {lowest[bid.bidder].original_name!r}"
        left_out.append(LeftOut(auction.project, "bid", reason, bid.bidder, bid.price, detail))
    return offers, left_out


def uncompared(auction: Auction, offers: Sequence[Bid]) -> Iterator[LeftOut]:
    """Why the recorded winner of this auction says nothing about the lowest valid bid."""
    lowest = min(bid.price or 0 for bid in offers)
    tied = [bid.bidder for bid in offers if bid.price == lowest]
    if len(tied) > 1:
        detail = f"{len(tied)} firms: {', '.join(tied)}; decided by lot"
        yield LeftOut(auction.project, "comparison", TIE, price=lowest, detail=detail)
    if auction.winner is None:
        yield LeftOut(auction.project, "comparison", NO_WINNER)


def make_slugs(names: Iterable[str]) -> dict[str, str]:
    """One bidder id per firm name, matching [a-z0-9][a-z0-9_.-]{0,63} and unique."""
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:56].strip("-") or "firm"
        slug, number = base, 1
        while slug in taken:
            number += 1
            slug = f"{base}-{number}"
        taken.add(slug)
        slugs[name] = slug
    return slugs


def build_case(auctions: Sequence[Auction]) -> Case:
    """Number the auctions that have a valid bid 1..T and list what is left out."""
    slots: list[Slot] = []
    left_out: list[LeftOut] = []
    for auction in auctions:
        offers, dropped = sift(auction)
        left_out += dropped
        if offers:
            slots.append(Slot(len(slots) + 1, auction, tuple(offers)))
            left_out += uncompared(auction, offers)
        else:
            left_out.append(LeftOut(auction.project, "auction", NO_VALID_BID))
    if not slots:
        raise DataError("No auction has a valid bid (minimum ≤ bid ≤ reserve); check the price columns.")
    return Case(tuple(slots), tuple(left_out), make_slugs(bid.bidder for auction in auctions for bid in auction.bids))
