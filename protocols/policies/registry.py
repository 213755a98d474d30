"""The policies that exist: how to complete terms, read inputs, and make an instance."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.auction.inputs import BidderInputs, check_bidder, read_inputs
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.terms import MAX_BIDDERS, AuctionTerms
from tacita.protocols.policies.base import Instance
from tacita.protocols.terms import Terms, read_terms


class Policy(Protocol):
    """What the stages and the command line ask of a policy."""

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check the policy's sections and return them with every key."""
        ...

    def instance(self, terms: Terms, patterns: Mapping[str, Sequence[int]]) -> Instance:
        """Bind completed terms to the public pattern of participants."""
        ...

    def check_pattern(self, terms: Terms, participant: str, pattern: Sequence[int]) -> None:
        """Refuse a pattern that no participant can have under these terms."""
        ...

    def private_values(self, instance: Instance, participant: str, inputs: Any) -> list[int]:
        """The integers that the participant commits to; refuses inputs that break the public bounds."""
        ...


@dataclass(frozen=True)
class AuctionPolicy:
    """See Policy."""

    def complete(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """See Policy."""
        return AuctionTerms.read(tree).canonical()

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


POLICIES: Mapping[str, AuctionPolicy] = {"auction": AuctionPolicy()}


def complete_terms(tree: Any) -> Terms:
    """Parse and complete a terms tree of any policy; raises CallerMistake."""
    completers: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
        name: policy.complete for name, policy in POLICIES.items()
    }
    return read_terms(tree, completers)


def complete_with_inputs(
    tree: Any, lines: Iterable[str], budgets: Iterable[str] | None
) -> tuple[Terms, dict[str, BidderInputs]]:
    """Terms completed by what an auction's input files tell (format, steps, budgets), and the bidders' inputs."""
    auction = AuctionTerms.read(complete_terms(tree).tree)
    inputs = read_inputs(lines, auction.slots, budgets)
    auction = auction.with_bids(inputs.kind, inputs.steps, inputs.budgets)
    for name, bidder in inputs.bidders.items():
        check_bidder(auction, name, bidder)
    completed = complete_terms({**tree, **auction.canonical()})
    return completed, dict(inputs.bidders)


def filled(tree: Mapping[str, Any], certified: Terms) -> dict[str, Any]:
    """A terms file with what a run adds to it, as it stands in the certified terms: see complete_with_inputs."""
    sections = {key: dict(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
    added = [("session", "name"), ("auction", "bids"), ("auction", "budgets"), ("bounds", "steps")]
    for section, key in added:
        held, source = sections.setdefault(section, {}), certified.tree.get(section, {})
        if isinstance(held, dict) and key in source:
            held.setdefault(key, source[key])
    bounds = sections["bounds"]
    if certified.tree.get("auction", {}).get("bids") == "steps" and isinstance(bounds, dict):
        bounds.pop("slope", None)
    return sections
