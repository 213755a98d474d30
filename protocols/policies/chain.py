"""Sessions that build on one another: prediction → stabilisation → auction → prediction …

The terms of each session cite the digest of the certificate before it, and take numbers from earlier outcomes:

    stabilisation   price.now = the forecast, price.previous = the desks' latest mean price of the last prediction;
                    supply.outstanding = what was outstanding, and the block reward, and the coins sold since the last
                    stabilisation; supply.maximum = the maximum that it decided
    auction         supply_max = the auction size of the last stabilisation

`carried` says which, `next_terms` writes them, and `check_chain` compares. All of it is public.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tacita.protocols.faults import CallerMistake, VerificationFailed
from tacita.protocols.terms import Terms

DIGITS = {"price": 9, "supply": 3, "auction": 3}
"""Decimals of a carried number, by section."""


@dataclass(frozen=True)
class Link:
    """A session that has ended: its terms, public outcome, and the digest of its certificate."""

    terms: Terms
    outcome: Mapping[str, Any]
    digest: str


Carried = dict[tuple[str, str], float]
"""(section, key) of the terms → number."""


def carried(policy: str, earlier: Sequence[Link]) -> Carried:
    """What a session of this policy takes from the sessions before it."""
    rules: Mapping[str, Callable[[Sequence[Link]], Carried]] = {"stabilisation": _state, "auction": _size}
    numbers = rules[policy](earlier) if policy in rules else {}
    return {place: round(number, DIGITS[place[0]]) for place, number in numbers.items()}


def _last(earlier: Sequence[Link], policy: str) -> tuple[int, Mapping[str, Any]] | None:
    for i in range(len(earlier) - 1, -1, -1):
        if earlier[i].terms.policy == policy:
            return i, earlier[i].outcome
    return None


def _state(earlier: Sequence[Link]) -> Carried:
    numbers: Carried = {}
    if (prediction := _last(earlier, "prediction")) and "forecast" in prediction[1]:
        numbers["price", "now"] = prediction[1]["forecast"]
        numbers["price", "previous"] = prediction[1]["latest"][-1]
    if decision := _last(earlier, "stabilisation"):
        place, outcome = decision
        auctions = [link.outcome for link in earlier[place:] if link.terms.policy == "auction"]
        if any("supply" not in auction for auction in auctions):
            raise CallerMistake(
                "an auction since the last stabilisation did not publish how many coins it sold; hold auctions of a "
                'chain with release = "public", or with public_outputs = ["supply"]'
            )
        sold = sum(sum(auction["supply"]) for auction in auctions)
        numbers["supply", "outstanding"] = outcome["outstanding"] + outcome["block_reward"] + sold
        if "maximum" in outcome:
            numbers["supply", "maximum"] = outcome["maximum"]
    return numbers


def _size(earlier: Sequence[Link]) -> Carried:
    decision = _last(earlier, "stabilisation")
    if decision is None:
        return {}
    size = decision[1]["auction_size"]
    if size <= 0:
        raise CallerMistake("the last stabilisation decided to sell nothing; hold no auction in this period")
    return {("auction", "supply_max"): size}


def next_terms(template: Mapping[str, Any], earlier: Sequence[Link], name: str) -> dict[str, Any]:
    """A terms file for the session after `earlier`: with its name, the digest it follows, and what it takes over."""
    tree = {key: dict(value) if isinstance(value, Mapping) else value for key, value in template.items()}
    for (section, key), number in carried(str(template["policy"]), earlier).items():
        tree.setdefault(section, {})[key] = number
    tree["session"] = {**tree.get("session", {}), "name": name, "follows": earlier[-1].digest if earlier else ""}
    return tree


def check_chain(links: Sequence[Link]) -> list[str]:
    """One sentence per arrow; raises VerificationFailed at the first session that does not continue the ones before.

    The first session may follow one that is not given.
    """
    said = []
    for i, link in enumerate(links[1:], start=1):
        where = f"session {i + 1} ({link.terms.policy})"
        if link.terms.session.follows != links[i - 1].digest:
            raise VerificationFailed(f"{where} does not follow session {i}: its terms cite another certificate or none")
        try:
            numbers = carried(link.terms.policy, links[:i])
        except CallerMistake as error:
            raise VerificationFailed(f"{where} does not continue the sessions before it: {error}") from None
        for (section, key), number in numbers.items():
            held = link.terms.tree.get(section, {}).get(key)
            # A limit may be given once for all slots and stand in the completed terms once per slot.
            values = held if isinstance(held, list) else [held]
            if not values or any(v is None or _exact(v) != _exact(number) for v in values):
                raise VerificationFailed(f"{where}: [{section}] {key} is not the {number!r} of the sessions before it")
        taken = ", ".join(f"{section}.{key} = {number!r}" for (section, key), number in numbers.items())
        said.append(
            f"{where} follows session {i} ({links[i - 1].terms.policy})" + (f" and takes {taken}" if taken else "")
        )
    return said


def _exact(value: Any) -> Fraction:
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(str(value))
