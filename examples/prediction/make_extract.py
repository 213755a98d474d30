"""Make inputs.csv and series/*.csv from the files that they are taken from.

    python make_extract.py rai_states.csv macrodata.csv sunspots.csv .

inputs.csv holds three readings of the same coin over 72 hours, as three desks would see them; series/ holds what
`tacita model prediction --report` predicts. Numbers are rounded to the digits below, nothing else is changed.
"""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Row = Mapping[str, str]
DESKS: Mapping[str, Callable[[Row], float]] = {
    "spot-desk": lambda row: float(row["marketPriceUsd"]),
    "ether-desk": lambda row: float(row["marketPriceEth"]) * float(row["ETH Price (OSM)"]),
    "pool-desk": lambda row: float(row["EthInUniswap"]) / float(row["RaiInUniswap"]) * float(row["ETH Price (OSM)"]),
}
FIRST, HOURS = 968, 72
"""The demo: 27 to 30 March 2021, without a gap in the readings."""
RAI = slice(400, 1880)
"""The report: 4 March to 4 May 2021; before that the coin had just started, after it hours are missing."""


def read(path: str) -> list[Row]:
    """All rows of a CSV file."""
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """One CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Four files from three."""
    rai, macro, spots = (read(path) for path in sys.argv[1:4])
    out = Path(sys.argv[4])
    hours = rai[FIRST : FIRST + HOURS]
    rows = [(desk, i + 1, f"{price(row):.6f}") for desk, price in DESKS.items() for i, row in enumerate(hours)]
    write(out / "inputs.csv", ("party", "period", "price"), rows)

    def series(name: str, values: Sequence[tuple[str, str]]) -> None:
        write(out / "series" / f"{name}.csv", ("period", "value"), values)

    quarter = [f"{float(row['year']):.0f}Q{float(row['quarter']):.0f}" for row in macro]
    series("inflation", [(q, row["infl"]) for q, row in zip(quarter, macro, strict=True)])
    series("cpi", [(q, row["cpi"]) for q, row in zip(quarter, macro, strict=True)])
    series("sunspots", [(f"{float(row['YEAR']):.0f}", row["SUNACTIVITY"]) for row in spots])
    series("rai", [(row["block_timestamp"][:16], f"{float(row['marketPriceUsd']):.6f}") for row in rai[RAI]])


if __name__ == "__main__":
    main()
