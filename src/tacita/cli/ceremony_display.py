"""Progress of a key ceremony: candidates tried, survivors, and the time that is to be expected."""

import sys
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tacita.proto import tacita_pb2

STAGES = {
    "meet": "the nodes meet",
    "audit": "an interrupted batch is opened and audited",
    "candidates": "candidates",
    "key": "a winner: last tests, shares, verification keys",
    "refresh": "new shares",
    "interrupted": "interrupted; another epoch begins",
    "done": "all nodes have signed the key",
}


class CeremonyProgress:
    """One line that changes on a terminal, a line per stage elsewhere; told by the slowest node's events."""

    def __init__(self, parties: list[str], quiet: bool) -> None:
        self._first, self._quiet = parties[0], quiet
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._stage = ""
        self._begun: float | None = None
        self._survivors = 0

    def __enter__(self) -> "CeremonyProgress":
        if not self._quiet and sys.stderr.isatty():
            self._live = Live(Text(""), console=self._console, refresh_per_second=8)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    def report(self, party: str, progress: tacita_pb2.Progress) -> None:
        """Take one event; the nodes move in step, so one of them tells enough."""
        if party != self._first or self._quiet:
            return
        if progress.stage == "survivors":
            self._survivors += progress.step
            return
        line = f"{progress.seconds:7.1f} s  {self.sentence(progress)}"
        if self._live:
            self._live.update(Text(line))
        elif progress.stage != "candidates" or progress.stage != self._stage:
            sys.stderr.write(line + "\n")
        self._stage = progress.stage

    def sentence(self, progress: tacita_pb2.Progress) -> str:
        """What is known; the search has no memory, so the expected rest is the same at any time."""
        if progress.stage == "meet":
            self._begun = progress.seconds
        if progress.stage != "candidates" or not progress.step:
            return STAGES.get(progress.stage, progress.stage)
        rate = (progress.seconds - (self._begun or 0.0)) / progress.step
        return candidates_sentence(progress.step, self._survivors, progress.steps, progress.steps * rate)


def candidates_sentence(candidates: int, survivors: int, expected: int, seconds: float) -> str:
    """How far the search is."""
    tried = f"{candidates} candidates tried, {survivors} tested"
    return f"{tried}, about {seconds:.0f} s left ({expected} candidates expected)"


def progress_sentence(
    kind: str,
    stage: str,
    candidates: int,
    survivors: int,
    expected_candidates: int,
    seconds: float,
    expected_seconds: float,
) -> str:
    """What a node that is asked says about its work with a key."""
    now = STAGES.get(stage, stage)
    if stage == "candidates":
        now = candidates_sentence(candidates, survivors, expected_candidates, expected_seconds)
    return f"{kind} for {seconds:.0f} s: {now}"
