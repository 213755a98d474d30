"""Compute inputs.csv from the hourly series: what four parties make of a quarter of the first half each.

python make_inputs.py > inputs.csv
"""

import csv
import sys

from tacita.cli.model_rai import read_study
from tacita.protocols.policies.stabilisation.rai import HORIZON

PARTIES = ("atlas-exchange", "borealis-fund", "cobalt-desk", "delta-bank")


def main() -> None:
    """Two scenarios per party, with the pool's effect of issued coins on the price."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["party", "scenario", "persistence", "effect", *(f"shock_{k + 1}" for k in range(HORIZON))])
    for i, scenario in enumerate(read_study().scenarios(pool=True)):
        numbers = [scenario.persistence, *scenario.effects, *scenario.shocks]
        writer.writerow([PARTIES[i // 2], i % 2 + 1, *(f"{float(x):.6f}" for x in numbers)])


if __name__ == "__main__":
    main()
