"""No cap refuses what honest parties can make: the largest sizes that terms allow are read, with room to spare."""

from typing import Any

import pytest

from tacita.crypto.encoding import FILE_VALUES, JSON_VALUES, read_json
from tacita.protocols import evidence
from tacita.protocols.faults import CallerMistake
from tacita.protocols.keygen.final_view import STEPS
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.view import steps
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.terms import MAX_BIDDERS, MAX_SLOTS, AuctionTerms
from tacita.protocols.policies.prediction.terms import MAX_HIDDEN, MAX_LAGS, MAX_STEPS, MAX_WEIGHTS
from tacita.protocols.policies.registry import complete_terms
from tacita.protocols.policies.stabilisation.terms import MAX_EPOCHS
from tacita.protocols.reading import COMPUTING, DISPUTE, GATHERING
from tacita.protocols.roster import MAX_NODES
from tacita.protocols.stages.setup import Enrolled
from tacita.protocols.terms import canonical_json, read_toml
from tests.fuzz.policies import AUCTION, DEPRECIATION, NETWORK, toml_of

LARGEST_AUCTION: dict[str, Any] = {
    **AUCTION,
    "auction": {
        "slots": MAX_SLOTS,
        "cost": {"linear": [1.5] * MAX_SLOTS, "quadratic": [0.5] * MAX_SLOTS},
        "supply_max": [100.5] * MAX_SLOTS,
        "cumulative_max": [1000.5] * MAX_SLOTS,
        "budgets": True,
        "bids": "quadratic",
        "release": "public",
        "public_outputs": ["price", "supply"],
    },
}
NAMES = [f"{'bidder':x<59}{n:05d}" for n in range(MAX_BIDDERS)]


def everybody() -> list[dict[str, object]]:
    """As many participants as there can be, all of them in every slot, hosted by one node."""
    pattern = tuple(range(MAX_SLOTS))
    return [Enrolled(name, bytes(32), pattern, "node1", bytes(64)).tree() for name in NAMES]


def test_the_largest_hello_is_read() -> None:
    hello = dict.fromkeys(("terms", "roster", "key", "name", "version"), "00" * 32)
    read_json(canonical_json({**hello, "enrolled": everybody()}))


def test_the_largest_certificate_is_read() -> None:
    """Everything in it but the key's few numbers; values are counted, so short ones stand for long ones."""
    terms = complete_terms(LARGEST_AUCTION)
    auction = Auction(AuctionTerms.read(terms.tree), tuple((name, tuple(range(MAX_SLOTS))) for name in NAMES))
    labels = ("allocation", "payment", "price", "supply")
    tree = {
        "terms": terms.tree,
        "roster": {"nodes": [{str(n): "" for n in range(6)}] * MAX_NODES},
        "key": {str(n): [""] * MAX_NODES for n in range(10)},
        "enrolled": everybody(),
        "bids": {name: {"public": "", "envelopes": "", "signature": ""} for name in NAMES},
        "nodes": {str(n): {str(n): "" for n in range(5)} for n in range(MAX_NODES)},
        "opened": {label: ["f" * 8] * len(auction.recipients(label)) for label in labels},
        "partials": {str(n): "" for n in range(MAX_NODES)},
    }
    assert len(tree["opened"]["allocation"]) == MAX_BIDDERS * MAX_SLOTS  # type: ignore[call-overload, index]
    read_json(canonical_json(tree), FILE_VALUES)
    assert read_json(canonical_json(tree["terms"])) == read_json(canonical_json(terms.tree), JSON_VALUES)


def test_the_longest_terms_files_are_read() -> None:
    cohorts = {"rate": 0.02, "minted": [500.5] * MAX_EPOCHS}
    for tree in (LARGEST_AUCTION, {**DEPRECIATION, "depreciation": cohorts}):
        assert complete_terms(read_toml(toml_of(tree).decode(), "terms.toml")) == complete_terms(tree)


def history(lags: int, hidden: int, steps: int) -> dict[str, Any]:
    """Terms of the step after so many."""
    rows = [[0.123456789012345] * ((lags + 1) * hidden if s % 2 == 0 else hidden) for s in range(steps)]
    prediction = {**NETWORK["prediction"], "lags": lags}
    return {**NETWORK, "prediction": prediction, "network": {**NETWORK["network"], "hidden": hidden, "history": rows}}


def test_the_terms_of_the_longest_trainings_are_read_and_longer_ones_refused_before_they_begin() -> None:
    """Every step's terms hold all weights so far; a training that does not fit must not break off half-way."""
    most = next(n for n in range(MAX_STEPS) if sum(map(len, history(MAX_LAGS, MAX_HIDDEN, n)["network"]["history"]))
                > MAX_WEIGHTS) - 1  # fmt: skip
    for tree in (history(4, 4, MAX_STEPS), history(MAX_LAGS, MAX_HIDDEN, most)):
        completed = complete_terms(read_json(canonical_json(tree)))
        assert read_json(completed.canonical()) == completed.tree
    for tree in (history(1, 1, MAX_STEPS + 1), history(MAX_LAGS, MAX_HIDDEN, most + 1)):
        with pytest.raises(CallerMistake, match="choose fewer iterations"):
            complete_terms(tree)


def test_evidence_has_room_for_every_message_of_the_largest_cluster() -> None:
    session = 2 * MAX_NODES * len((*GATHERING, *COMPUTING, *DISPUTE))
    batch = steps(Parameters.standard(2048, MAX_NODES))
    ceremony = 2 * MAX_NODES * len((*batch, *STEPS, "audit", "open", "K6"))
    assert max(session, ceremony) + 1 <= evidence.MAX_MESSAGES
