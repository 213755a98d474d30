"""examples/public-works: what is read, what is left out and why, and the comparison with the record."""

import csv
import importlib
import json
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "public-works"
EXTRACT = FOLDER / "extract.csv"
Row = dict[str, Any]


def load(name: str) -> ModuleType:
    """Import a script of the example as it runs: with its own folder first on the path."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))


reader, compare, make_extract = load("reader"), load("compare"), load("make_extract")
NEEDED = [*load("procurement").COLUMNS]


def bid(pid: int, bidder: str, price: int | str, **changes: Any) -> Row:
    row: Row = dict.fromkeys(NEEDED, "")
    row |= {"pid": pid, "date": "20100401", "bidder": bidder, "uneditedbidder": f"co. {bidder}", "reserveprice": 1000}
    return row | {"bid": price, "winner": 0, "bidresult": 1, "projecttitle": f"road no. {pid}"} | changes


def save(path: Path, rows: list[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["unused", *NEEDED], restval="x")
        writer.writeheader()
        writer.writerows(rows)
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(tmp_path: Path, rows: list[Row], *options: str) -> Path:
    """Run the reader on these rows; give the folder it wrote."""
    assert reader.main([str(save(tmp_path / "data.csv", rows)), "--out", str(tmp_path / "out"), *options]) == 0
    return tmp_path / "out"


def inputs_of(folder: Path) -> list[tuple[str, int, int]]:
    return [(row["bidder"], int(row["slot"]), int(row["price"])) for row in table(folder / "inputs.csv")]


def left_out_of(folder: Path) -> list[str]:
    return [f"{row['what']} {row['bidder']}: {row['reason']}" for row in table(folder / "left_out.csv")]


def random_rows(seed: int) -> list[Row]:
    """Interleaved auctions with missing, low, high, repeated and tied bids."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for pid in range(int(rng.integers(2, 12))):
        reserve = int(rng.integers(20, 40))
        minimum = int(rng.integers(1, reserve)) if rng.random() < 0.6 else ""
        for firm in rng.integers(0, 8, size=int(rng.integers(1, 9))):
            price = "" if rng.random() < 0.1 else int(rng.integers(max(1, int(minimum or 15) - 4), reserve + 3))
            rows.append(bid(pid, f"Firm {firm} & Söhne", price, reserveprice=reserve, minprice=minimum))
    rows.append(bid(99, "always valid", 10))
    return [rows[i] for i in rng.permutation(len(rows))]


@pytest.mark.parametrize("seed", range(25))
def test_the_lowest_valid_bid_of_each_firm_stays_and_every_other_row_is_listed(tmp_path: Path, seed: int) -> None:
    folder = read(tmp_path, rows := random_rows(seed))
    expected: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["bid"] != "" and int(row["minprice"] or 0) <= row["bid"] <= row["reserveprice"]:
            key = (str(row["pid"]), row["bidder"])
            expected[key] = min(expected.get(key, row["bid"]), row["bid"])
    slots, inputs = table(folder / "slots.csv"), inputs_of(folder)
    names = {f"firm-{i}-s-hne": f"Firm {i} & Söhne" for i in range(8)} | {"always-valid": "always valid"}
    found = {(slots[slot - 1]["project"], names[bidder]): price for bidder, slot, price in inputs}
    assert (found, len(inputs)) == (expected, len(expected)), f"seed {seed}"
    assert len(inputs) + sum(line.startswith("bid") for line in left_out_of(folder)) == len(rows), f"seed {seed}"
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", row["bidder"]) for row in table(folder / "inputs.csv"))


@pytest.mark.parametrize("seed", range(10))
def test_the_terms_bound_every_price_and_the_plain_payment_is_clarke(tmp_path: Path, seed: int) -> None:
    folder = read(tmp_path, random_rows(seed))
    terms, slots = tomllib.loads((folder / "terms.toml").read_text()), table(folder / "slots.csv")
    auction = terms["auction"]
    assert (terms["policy"], auction["direction"], terms["solver"]["method"]) == ("auction", "reverse", "table")
    assert (auction["payment_rule"], auction["release"], auction["supply_max"]) == ("clarke", "public", 1.0)
    assert terms["bounds"] == {"quantity": [0.0, 1.0], "steps": 1}
    assert [row["slot"] for row in slots] == [str(t) for t in range(1, auction["slots"] + 1)]
    assert auction["reserve"] == [float(row["reserve"]) for row in slots]
    assert auction["floor"] == [float(row["minimum"] or 0) for row in slots]
    assert auction["cost"] == {"linear": [0.0] * len(slots), "quadratic": 0.0}
    for works in compare.read_works(folder):
        # Clarke by definition: the firm is paid W − W_{-i} plus its own cost, W being the best of (reserve − bid).
        winner, surplus = works.tied[0], {firm: works.reserve - price for firm, price in works.bids.items()}
        without = max([gain for firm, gain in surplus.items() if firm != winner], default=0)
        assert works.clarke == max(surplus.values()) - without + works.bids[winner], f"seed {seed}"
    for _, slot, price in inputs_of(folder):
        assert auction["floor"][slot - 1] <= price <= auction["reserve"][slot - 1], f"seed {seed}"
    assert {row["quantity"] for row in table(folder / "inputs.csv")} == {"1"}


def test_the_same_data_give_the_same_bytes_and_auctions_takes_the_first(tmp_path: Path) -> None:
    first, second = ([f.read_bytes() for f in sorted(read(tmp_path, random_rows(3)).iterdir())] for _ in range(2))
    assert first == second
    rows = [bid(7, "alice", 900), bid(8, "bob", 800), bid(7, "carol", 850), bid(9, "carol", 700)]
    assert inputs_of(read(tmp_path, rows, "--auctions", "2")) == [("alice", 1, 900), ("carol", 1, 850), ("bob", 2, 800)]
    folder = read(tmp_path, [bid(1, "A. Co", 700), bid(1, "a co", 800), bid(1, "土浦", 900), bid(1, "x" * 90, 950)])
    assert [row[0] for row in inputs_of(folder)] == ["a-co", "a-co-2", "firm", "x" * 56], "two firms, two ids"


AGAIN = "bid alice: another bid of the same firm is as low or lower"
IRREGULAR: dict[str, tuple[list[Row], list[str]]] = {
    "below": ([bid(1, "alice", 599, minprice=600)], ["bid alice: below the minimum price"]),
    "at_bounds": ([bid(1, "alice", 600, minprice=600), bid(1, "bob", 1000, minprice=600)], []),
    "above": ([bid(1, "alice", 1001)], ["bid alice: above the reserve price"]),
    "missing": ([bid(1, "alice", "", bidresult=4)], ["bid alice: no bid recorded"]),
    "repeated": ([bid(1, "alice", 800), bid(1, "alice", 700), bid(1, "alice", 700)], [AGAIN, AGAIN]),
    "repeat_above": ([bid(1, "alice", 1001), bid(1, "alice", 700)], ["bid alice: above the reserve price"]),
    "tie": ([bid(1, "alice", 700), bid(1, "bob", 700)], ["comparison : tie for the lowest bid"]),
    "no_winner": ([bid(1, "alice", 700, winner=0)], ["comparison : no recorded winner"]),
    "no_valid_bid": ([bid(1, "alice", "")], ["bid alice: no bid recorded", "auction : no valid bid"]),
}


@pytest.mark.parametrize("name", IRREGULAR)
def test_an_irregularity_is_listed_with_its_reason(tmp_path: Path, name: str) -> None:
    rows, expected = IRREGULAR[name]
    # Unless the case is about the winner or an auction without a bid, dave wins with the one ordinary bid.
    dave = [] if name.startswith("no_") else [bid(1, "dave", 950, winner=1, minprice=rows[0]["minprice"])]
    folder = read(tmp_path, [*rows, *dave, bid(2, "erin", 900, winner=1)])
    assert left_out_of(folder) == expected
    assert len(table(folder / "slots.csv")) == (1 if name == "no_valid_bid" else 2)


BAD: dict[str, tuple[list[Row] | bytes | None, str]] = {
    "word_for_bid": ([bid(1, "alice", "7OO")], "line 2: bid is '7OO'"),
    "zero_bid": ([bid(1, "alice", 0)], "positive whole number"),
    "no_reserve": ([bid(1, "alice", 7, reserveprice="")], "reserveprice is ''"),
    "minimum_above_reserve": ([bid(1, "alice", 7, minprice=1001)], "minprice 1001 is above"),
    "winner_word": ([bid(1, "alice", 7, winner="yes")], "winner is 'yes'"),
    "two_winners": ([bid(1, "alice", 7, winner=1), bid(1, "bob", 8, winner=1)], "line 3: a second winning row"),
    "winner_without_bid": ([bid(1, "alice", "", winner=1)], "winning row has no bid"),
    "two_reserves": ([bid(1, "alice", 7), bid(1, "bob", 7, reserveprice=999)], "line 3: reserve 999 differs from 1000"),
    "two_minimums": ([bid(1, "alice", 7), bid(1, "bob", 7, minprice=5)], "minimum 5 differs from None"),
    "no_name": ([bid(1, "", 7)], "bidder is empty"),
    "no_rows": ([], "holds no bid"),
    "nothing_valid": ([bid(1, "alice", "")], "No auction has a valid bid"),
    **{f"no_{name}": (b",".join(x.encode() for x in NEEDED if x != name), f"column {name} is") for name in NEEDED},
    "absent": (None, "cannot be read"),
    "empty": (b"", "column pid, date"),
    "binary": (b"\xff\xfe\x00", "not a UTF-8"),
    "short_row": (",".join(NEEDED).encode() + b"\n1,2\n", "line 2: expected 12"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_data_are_refused_with_a_sentence(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, sentence = BAD[name]
    path = save(tmp_path / "data.csv", content) if isinstance(content, list) else tmp_path / "data.csv"
    if isinstance(content, bytes):
        path.write_bytes(content)
    assert reader.main([str(path), "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_extract_holds_every_kind_and_says_so(tmp_path: Path) -> None:
    assert reader.main([str(EXTRACT), "--out", str(tmp_path)]) == 0
    rows = table(EXTRACT)
    assert (len(rows), len({row["pid"] for row in rows}), list(rows[0])) == (233, 50, NEEDED)
    counts = Counter(line.split(": ")[1].split()[0] for line in left_out_of(tmp_path))
    assert counts == {"below": 17, "another": 7, "no": 5 + 4, "tie": 5, "above": 1}  # no bid 5, no winner 4
    works = compare.read_works(tmp_path)
    verdicts = Counter(compare.verdict(item, item.tied[0]) for item in works)
    assert verdicts == {compare.AGREE: 38, compare.VOIDED: 4, compare.TIED: 4, compare.UNRECORDED: 4}
    # Slot 1 by hand: bids 3.68, 3.69, 3.70, 3.70 and 3.73 million; the winner is paid the second.
    assert (works[0].tied, works[0].lowest, works[0].clarke) == (("muramatsu",), 3_680_000, 3_690_000)
    assert sum(item.clarke for item in works if item.winning_bid) == 866_490_000
    assert make_extract.main([str(EXTRACT), str(tmp_path / "again.csv")]) == 0
    assert (tmp_path / "again.csv").read_bytes() == EXTRACT.read_bytes()
    assert "Copyright (c) 2017 Sylvain Chassang" in (FOLDER / "LICENCE.txt").read_text()


MARKET = [
    *(bid(1, "alice", 700, winner=1), bid(1, "bob", 800), bid(1, "carol", 900)),
    *(bid(2, "alice", 600, winner=1), bid(3, "bob", 500), bid(3, "carol", 500, winner=1), bid(4, "bob", 950)),
    *(bid(5, "dave", 300, bidresult=4), bid(5, "alice", 400, winner=1)),
    *(bid(6, "dave", 300, minprice=310, winner=1), bid(6, "erin", 350, minprice=310)),
    *(bid(7, "dave", 300), bid(7, "carol", 310, winner=1), bid(7, "erin", 320, bidresult=4)),
]
# The Clarke payments: 800 (bob's bid) and 1000 (the reserve) for alice; the tied slot 3 goes to carol at 500.
RIGHT = {"alice": "1100000", "bob": "0001000", "carol": "0010000", "dave": "0000101", "erin": "0000010"}
PAID = {"alice": 1800.0, "bob": 1000.0, "carol": 500.0, "dave": 710.0, "erin": 1000.0}


def judge(folder: Path, allocation: dict[str, Any], payment: dict[str, Any]) -> int:
    rows = {firm: [float(x) for x in units] for firm, units in allocation.items()}
    (folder / "o.json").write_text(json.dumps({"policy": "auction", "allocation": rows, "payment": payment}))
    return int(compare.main([str(folder), "--outcome", str(folder / "o.json")]))


def test_each_difference_from_the_record_has_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = read(tmp_path, MARKET)
    verdicts = [compare.verdict(item, item.tied[0]) for item in compare.read_works(folder)]
    differ = [compare.VOIDED, compare.INVALID, compare.PASSED_OVER]
    assert verdicts == [compare.AGREE, compare.AGREE, compare.TIED, compare.UNRECORDED, *differ]
    assert judge(folder, RIGHT, PAID) == 0
    assert f"   5 5: {compare.VOIDED} (lowest valid dave 300, recorded alice 400)" in capsys.readouterr().out
    other = RIGHT | {"carol": "0000000", "bob": "0011000"}
    assert judge(folder, other, PAID | {"carol": 0.0, "bob": 1500.0}) == 0, "either tied firm may win the lot"
    assert compare.main([str(folder), "--plain"]) == 0
    assert compare.main([str(folder)]) == 2, "there is no result/outcome.json"
    assert "use --plain" in capsys.readouterr().err
    assert compare.main([str(tmp_path / "nowhere"), "--plain"]) == 2


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "dearer_winner": ({"alice": "0100000", "bob": "1001000"}, {"alice": 1000.0, "bob": 1800.0}, 1),
    "shared_unit": ({"alice": [0.5, 1, 0, 0, 0, 0, 0], "bob": [0.5, 0, 0, 1, 0, 0, 0]}, {}, 1),
    "nobody": ({"bob": "0000000"}, {}, 1),
    "paid_the_own_bid": ({}, {"alice": 1300.0}, 1),
    "paid_for_nothing": ({}, {"zoe": 1.0}, 1),
    "not_a_number": ({}, {"alice": float("nan")}, 1),
    "too_few_slots": ({"alice": "110"}, {}, 2),
    "no_payment": ({}, {"alice": None}, 2),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_outcome_that_breaks_the_rule_is_named(tmp_path: Path, name: str) -> None:
    allocation, payment, code = WRONG[name]
    assert judge(read(tmp_path, MARKET), RIGHT | allocation, PAID | payment) == code
