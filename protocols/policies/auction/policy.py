"""The auction as a policy: terms, input files, and instances."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.auction.inputs import BidderInputs, check_bidder, read_inputs
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.terms import MAX_BIDDERS, AuctionTerms
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.terms import Terms


@dataclass(frozen=True)
class AuctionPolicy:
    """See Policy. The pattern of a bidder is the slots that it bids in, 0-based."""

    owner: str = "bidder"
    files: tuple[str, ...] = ("budget",)

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Policy."""
        return AuctionTerms.read(tree).canonical()

    def read(self, tree: Mapping[str, Any], files: Mapping[str, str]) -> tuple[Mapping[str, Any], dict[str, Part]]:
        """See Policy: the files tell format, steps and budgets."""
        budgets = files["budget"].splitlines() if "budget" in files else None
        sections, bidders = self.read_lines(tree, files["inputs"].splitlines(), budgets)
        return sections, _parts(bidders)

    def read_lines(
        self, tree: Mapping[str, Any], lines: Iterable[str], budgets: Iterable[str] | None
    ) -> tuple[Mapping[str, Any], dict[str, BidderInputs]]:
        """Completed sections and every bidder's inputs."""
        auction = AuctionTerms.read(tree)
        inputs = read_inputs(lines, auction.slots, budgets)
        auction = auction.with_bids(inputs.kind, inputs.steps, inputs.budgets)
        for name, bidder in inputs.bidders.items():
            check_bidder(auction, name, bidder)
        return auction.canonical(), dict(inputs.bidders)

    def read_part(self, terms: Terms, files: Mapping[str, str]) -> dict[str, Part]:
        """See Policy."""
        budgets = files["budget"].splitlines() if "budget" in files else None
        slots = AuctionTerms.read(terms.tree).slots
        return _parts(read_inputs(files["inputs"].splitlines(), slots, budgets, fewest=0).bidders)

    def filled(self, tree: Mapping[str, Any], certified: Terms) -> Mapping[str, Any]:
        """See Policy."""
        sections = {key: dict(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
        for section, key in (("auction", "bids"), ("auction", "budgets"), ("bounds", "steps")):
            held, source = sections.setdefault(section, {}), certified.tree.get(section, {})
            if isinstance(held, dict) and key in source:
                held.setdefault(key, source[key])
        bounds = sections["bounds"]
        if certified.tree.get("auction", {}).get("bids") == "steps" and isinstance(bounds, dict):
            bounds.pop("slope", None)
        return sections

    def instance(self, terms: Terms, patterns: Mapping[str, Sequence[int]]) -> Auction:
        """See Policy; raises CallerMistake for patterns that no bidder can have."""
        auction = AuctionTerms.read(terms.tree)
        if auction.bids is None:
            raise CallerMistake('[auction] bids must be "quadratic" or "steps"; complete the terms')
        if len(patterns) < 2:
            raise CallerMistake(f"{len(patterns)} bidders take part; an auction needs at least 2")
        if len(patterns) > MAX_BIDDERS:
            raise CallerMistake(f"{len(patterns)} bidders take part; at most {MAX_BIDDERS} fit into one session")
        for name, slots in patterns.items():
            self.check_pattern(terms, name, slots)
        return Auction(auction, tuple((name, tuple(patterns[name])) for name in sorted(patterns)))

    def check_pattern(self, terms: Terms, participant: str, pattern: Sequence[int]) -> None:
        """See Policy; raises CallerMistake."""
        count = AuctionTerms.read(terms.tree).slots
        proper = all(isinstance(t, int) and 0 <= t < count for t in pattern)
        if not pattern or not proper or sorted(set(pattern)) != list(pattern):
            raise CallerMistake(f"{participant} announces slots that the auction does not have; correct its inputs")

    def private_values(self, instance: Instance, participant: str, inputs: BidderInputs) -> list[int]:
        """See Policy."""
        assert isinstance(instance, Auction)
        check_bidder(instance.terms, participant, inputs)
        return instance.fields.values(inputs)


def _parts(bidders: Mapping[str, BidderInputs]) -> dict[str, Part]:
    return {name: Part(tuple(sorted(bidder.slots)), bidder) for name, bidder in bidders.items()}
