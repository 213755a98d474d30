"""Auctions whose private numbers are unmistakable, and every form in which they could leak."""

import tomllib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.registry import POLICIES, complete_with_inputs
from tacita.protocols.terms import Terms
from tests.integration.samples import Sample
from tests.integration.scanner import SMALLEST, decimal_spellings, spellings

TERMS = """
policy = "auction"
[session]
name = "{name}"
[auction]
cost = {{ linear = 1.0, quadratic = 0.5 }}
release = "{release}"
[bounds]
value = [0.0, 20.0]
slope = [0.5, 5.0]
quantity = [0.0, 10.0]
[solver]
iterations = {iterations}
"""
BIDS = {
    "public": {
        "alice": ("13.728193645501", "1.377190283746", "9.193847560192"),
        "bob": ("11.190467283359", "1.129837465017", "8.937465102853"),
        "carol": ("9.837465019283", "1.283746510297", "7.774651029384"),
    },
    "private": {
        "alice": ("14.119283746553", "1.418273645091", "9.557463829101"),
        "bob": ("10.664738291057", "1.192837465501", "8.183746529107"),
        "carol": ("9.291827364503", "1.338172645099", "7.419283746511"),
    },
}
"""value, slope and max by release. No bound binds, so no output equals an input."""
HOSTS = {"alice": "node1", "bob": "node2", "carol": "node3"}
"""Where round-robin places the bidders."""


def sample(name: str, release: str, iterations: int) -> Sample:
    """A session of three bidders in one slot."""
    rows = [f"{bidder},1,{value},{slope},0,{most}" for bidder, (value, slope, most) in BIDS[release].items()]
    inputs = "\n".join(["bidder,slot,value,slope,min,max", *rows]) + "\n"
    return Sample(TERMS.format(name=name, release=release, iterations=iterations), inputs)


def private_inputs(chosen: Sample) -> dict[str, bytes]:
    """{"alice: committed integer 2, hex": needle, …}: what only the bidder's own node may hold."""
    _, bidders, auction = read(chosen)
    needles: dict[str, bytes] = {}
    for name, inputs in bidders.items():
        for text in BIDS[auction.terms.release][name]:
            for form, needle in decimal_spellings(text).items():
                needles[f"{name}: {text}, {form}"] = needle
            # Exact arithmetic keeps 13.728193645501 as 13728193645501 / 10^12.
            needles |= _forms(f"{name}: numerator of {text}", Fraction(text).numerator)
            needles |= _forms(f"{name}: digits of {text}", int(text.replace(".", "")))
        for i, value in enumerate(POLICIES["auction"].private_values(auction, name, inputs)):
            needles |= _forms(f"{name}: committed integer {i}", value)
    return needles


def read(chosen: Sample) -> tuple[Terms, dict[str, Any], Auction]:
    """Completed terms, inputs and the instance."""
    terms, bidders = complete_with_inputs(tomllib.loads(chosen.terms), chosen.inputs.splitlines(), None)
    return terms, bidders, POLICIES["auction"].instance(terms, {n: sorted(b.slots) for n, b in bidders.items()})


def private_outputs(chosen: Sample, results: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """The same for allocation and payment under private release, as released and as the engine's integers."""
    _, _, auction = read(chosen)
    terms, needles = auction.terms, dict[str, bytes]()
    # What is masked is a value minus the lower end of its interval.
    assert {block.lo for block in auction.demand(3, 1, "abort").outputs} == {0}
    for name, result in results.items():
        (quantity,), payment = result["allocation"], result["payment"]
        units = Fraction(quantity) / Fraction(2) ** (terms.quantity_exponent - 32)
        money = Fraction(payment) / Fraction(2) ** (terms.price_exponent + terms.quantity_exponent - 32)
        assert units.denominator == money.denominator == 1
        needles |= _forms(f"{name}: allocation", int(units)) | _forms(f"{name}: payment", int(money))
        for what, value in (("allocation", quantity), ("payment", payment)):
            for form, needle in decimal_spellings(repr(value)).items():
                needles[f"{name}: {what}, {form}"] = needle
    return needles


def _forms(label: str, number: int) -> dict[str, bytes]:
    if number < SMALLEST:
        return {}
    return {f"{label}, {form}": needle for form, needle in spellings(number).items()}


def owners(found: set[str]) -> set[str]:
    """Whose numbers were found."""
    return {label.split(":")[0] for label in found}
