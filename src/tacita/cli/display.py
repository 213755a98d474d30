"""Progress and tables in the terminal; nothing here knows a secret."""

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tacita.proto import tacita_pb2

STAGES = {
    "terms": "agree on terms",
    "commit": "commit and verify inputs",
    "share": "keys and shares",
    "masks": "output masks",
    "bind": "check shares against ciphertexts",
    "solve": "solve",
    "release": "sign ticket, decrypt",
    "certify": "certificate",
}


CELL = 12
"""Width of a party's column: 1500 of 5000."""


class Progress:
    """One line per stage, one column per party; iteration k of K while solving."""

    def __init__(self, parties: list[str], quiet: bool) -> None:
        self._parties, self._quiet = parties, quiet
        self._cells: dict[tuple[str, str], str] = {}
        self._stage: dict[str, str] = {}
        self._live: Live | None = None
        self._console = Console(stderr=True)
        self._plain = not sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        if not self._quiet and not self._plain:
            self._live = Live(self._table(self._console.width), console=self._console, refresh_per_second=8)
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.update(self._table(self._console.width))
            self._live.__exit__(None, None, None)

    def report(self, party: str, progress: tacita_pb2.Progress) -> None:
        """Take one event."""
        if progress.stage == "attempt":
            self._again(party, progress)
            return
        earlier = self._stage.get(party)
        if earlier and earlier != progress.stage:
            self._cells[earlier, party] = "done"
        begins = earlier != progress.stage
        self._stage[party] = progress.stage
        if progress.stage in STAGES:
            counted = f"{progress.step} of {progress.steps}" if progress.steps > 1 else "…"
            self._cells[progress.stage, party] = counted
        if self._quiet:
            return
        if self._live:
            self._live.update(self._table(self._console.width))
        elif begins and progress.stage in STAGES:
            sys.stderr.write(f"{progress.seconds:7.2f} s  {party}: {STAGES[progress.stage]}\n")

    def _again(self, party: str, progress: tacita_pb2.Progress) -> None:
        """What follows the commit begins once more."""
        for stage in list(STAGES)[list(STAGES).index("share") :]:
            self._cells.pop((stage, party), None)
        self._stage[party] = "commit"
        sentence = (
            f"{party}: attempt {progress.step} of {progress.steps} begins; its log says what ended the one before"
        )
        if self._live:
            self._live.console.print(sentence)
        elif not self._quiet:
            sys.stderr.write(f"{progress.seconds:7.2f} s  {sentence}\n")

    def _table(self, width: int) -> Table:
        """One column per party, or if there is no room one for the party that is furthest behind."""
        title_width = max(map(len, STAGES.values()))
        table = Table(box=None, pad_edge=False)
        table.add_column("stage", no_wrap=True)
        if title_width + (CELL + 2) * len(self._parties) <= width:
            for party in self._parties:
                table.add_column(party, min_width=CELL, max_width=CELL, no_wrap=True)
            for stage, title in STAGES.items():
                table.add_row(title, *(self._cells.get((stage, party), "") for party in self._parties))
            return table
        table.add_column(f"all {len(self._parties)} parties", no_wrap=True)
        for stage, title in STAGES.items():
            table.add_row(title, self._slowest([self._cells.get((stage, party), "") for party in self._parties]))
        return table

    def _slowest(self, cells: list[str]) -> str:
        waiting = [cell for cell in cells if cell != "done"]
        if not waiting:
            return "done"
        done = f", {len(cells) - len(waiting)} done" if len(waiting) < len(cells) else ""
        counted = [cell for cell in waiting if cell[:1].isdigit()]
        begun = "…" if any(waiting) else ""
        return (min(counted, key=lambda cell: int(cell.split()[0])) if counted else begun) + done


def number(value: float) -> str:
    """Seven significant digits at most, no noise behind them."""
    digits = max(0, 4 - max(0, len(str(int(abs(value)))) - 3))
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def seconds_line(seconds: Mapping[str, float]) -> str:
    """Where the time went."""
    return "  ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
