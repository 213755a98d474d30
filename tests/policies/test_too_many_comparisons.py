"""An auction that could not end within a session's time is refused when its terms are read, before anything is sent."""

import pytest

from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.registry import POLICIES, complete_terms

TREE = {
    "policy": "auction",
    "auction": {"slots": 24, "cost": {"linear": 1.0, "quadratic": 1.0}, "bids": "quadratic", "supply_max": 8.0},
    "bounds": {"value": [0.0, 20.0], "slope": [0.5, 5.0], "quantity": [0.0, 10.0]},
}


@pytest.mark.parametrize(("bidders", "fits"), [(64, True), (96, False)])
def test_more_than_a_million_comparisons_are_refused(bidders: int, fits: bool) -> None:
    terms = complete_terms(TREE)
    pattern = {f"bidder{i}": tuple(range(24)) for i in range(bidders)}
    instance = POLICIES["auction"].instance(terms, pattern)
    if fits:
        assert instance.demand(3, 1, "abort").comparisons <= 1_000_000
        return
    with pytest.raises(CallerMistake, match=r"at most 1,000,000 are accepted: use payment_rule"):
        instance.demand(3, 1, "abort")
