"""The policies that exist, and what the stages, the nodes and the command line ask of any of them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.policy import AuctionPolicy
from tacita.protocols.policies.base import Part, Policy
from tacita.protocols.policies.interest_rate.policy import InterestRatePolicy
from tacita.protocols.policies.prediction.policy import PredictionPolicy
from tacita.protocols.policies.stabilisation.policy import StabilisationPolicy
from tacita.protocols.terms import Terms, read_terms

POLICIES: Mapping[str, Policy] = {
    "auction": AuctionPolicy(),
    "interest_rate": InterestRatePolicy(),
    "prediction": PredictionPolicy(),
    "stabilisation": StabilisationPolicy(),
}


def complete_terms(tree: Any) -> Terms:
    """Parse and complete a terms tree of any policy; raises CallerMistake."""
    completers: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
        name: policy.complete for name, policy in POLICIES.items()
    }
    return read_terms(tree, completers)


def read_session(tree: Any, files: Mapping[str, str]) -> tuple[Terms, dict[str, Part]]:
    """Terms completed by what the input files tell, and every participant's part of the files.

    `files` holds texts by name: "inputs" and what the policy calls further files. Raises CallerMistake.
    """
    sections, parts = POLICIES[complete_terms(tree).policy].read(tree, files)
    return complete_terms({**tree, **sections}), parts


def complete_with_inputs(
    tree: Any, lines: Iterable[str], budgets: Iterable[str] | None
) -> tuple[Terms, dict[str, BidderInputs]]:
    """The same for an auction, from lines of its two files."""
    complete_terms(tree)
    sections, bidders = AuctionPolicy().read_lines(tree, lines, budgets)
    return complete_terms({**tree, **sections}), bidders


def filled(tree: Mapping[str, Any], certified: Terms) -> dict[str, Any]:
    """A terms file with what a run adds to it, as it stands in the certified terms: see read_session."""
    sections = dict(POLICIES[certified.policy].filled(tree, certified))
    session = sections.get("session", {})
    if isinstance(session, Mapping):
        sections["session"] = {"name": certified.session.name, **session}
    return sections
