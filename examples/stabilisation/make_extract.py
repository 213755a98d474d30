"""Take the columns of the hourly series that are needed, and the controller's gains.

python make_extract.py rai_states.csv rai_controller_params.csv
"""

import csv
import shutil
import sys
from pathlib import Path

COLUMNS = (
    "block_timestamp",
    "block_number",
    "marketPriceUsd",
    "RedemptionPrice",
    "RedemptionRateHourlyRate",
    "RaiDrawnFromSAFEs",
    "RaiInUniswap",
)


def main(states: str, gains: str) -> None:
    here = Path(__file__).parent
    with open(states, newline="") as source, (here / "rai_hourly.csv").open("w", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in csv.DictReader(source):
            writer.writerow([row[c] if c.startswith("block_") else f"{float(row[c]):.10g}" for c in COLUMNS])
    shutil.copyfile(gains, here / "rai_gains.csv")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
