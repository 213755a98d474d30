"""An auction's result: allocation and payment per bidder, price, and demand against supply."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from tacita.cli.display import number
from tacita.protocols.policies.auction.inputs import BidderInputs
from tacita.protocols.policies.auction.instance import Auction
from tacita.protocols.policies.auction.terms import AuctionTerms
from tacita.protocols.policies.base import Instance, Part
from tacita.protocols.terms import Terms

GAP = 3
"""Around and between the columns of the outcome."""


class AuctionShow:
    """See Show."""

    example = "coin-issue"

    def describe(self, instance: Instance) -> str:
        """See Show."""
        assert isinstance(instance, Auction)
        market = instance.market
        iterations = f", {instance.iterations} iterations" if instance.iterations else ""
        return f"auction of class {market.class_name}: {market.bidders} bidders, {market.slots} slots{iterations}"

    def gap(self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> Mapping[str, float]:
        """See Show."""
        from tacita.protocols.admm.plain import gap, solve_plain

        return dict(gap(solve_plain(AuctionTerms.read(terms.tree), _bidders(parts)), outcome))

    def tables(
        self, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any], width: int
    ) -> Sequence[RenderableType]:
        """See Show."""
        from tacita.cli.shows import auction_picture

        table = outcome_table(outcome, width)
        if table is None:
            return ["allocations and payments are private: see private/<bidder>.json in the folder of the results"]
        curves = auction_picture.curves(AuctionTerms.read(terms.tree), _bidders(parts))
        return [table, auction_picture.terminal(curves, outcome)]

    def headline(self, outcome: Mapping[str, Any]) -> str:
        """See Show."""
        return f"welfare {number(outcome['welfare'])}" if "welfare" in outcome else ""

    def save(self, path: Path, terms: Terms, parts: Mapping[str, Part], outcome: Mapping[str, Any]) -> None:
        """See Show."""
        from tacita.cli.shows import auction_picture

        auction_picture.save(path, auction_picture.curves(AuctionTerms.read(terms.tree), _bidders(parts)), outcome)


def _bidders(parts: Mapping[str, Part]) -> dict[str, BidderInputs]:
    return {name: part.inputs for name, part in parts.items()}


def outcome_table(outcome: Mapping[str, Any], width: int) -> Table | None:
    """Allocation and payment per bidder, then supply and price, with as many slots as the terminal has room for;
    None if nothing of it is public."""
    if "allocation" not in outcome:
        return None
    prices = outcome.get("price")
    slots = len(outcome["supply"])
    paid = [number(p) for p in outcome["payment"].values()]
    name_width = GAP + max(len("supply"), *(len(name) for name in outcome["allocation"]))
    cells = [*outcome["supply"], *(prices or []), *(x for row in outcome["allocation"].values() for x in row)]
    cell = GAP + max(len(f"slot {slots}"), *(len(number(x)) for x in cells))
    last = GAP + max(len("payment"), len(number(sum(outcome["payment"].values()))), *map(len, paid))
    room = max(1, (width - name_width - last - 1) // cell)
    shown = list(range(slots)) if slots <= room else [*range(room - 1), slots - 1]
    hidden = f"slot {room} is" if room == slots - 1 else f"slots {room} to {slots - 1} are"
    left = f", {hidden} in outcome.json" if len(shown) < slots else ""
    table = Table(title=f"Quantity per bidder and slot{left}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("bidder", no_wrap=True)
    for t in shown:
        table.add_column(f"slot {t + 1}", justify="right", no_wrap=True)
    table.add_column("payment", justify="right", no_wrap=True)
    for name, row in outcome["allocation"].items():
        table.add_row(name, *(number(row[t]) for t in shown), number(outcome["payment"][name]))
    table.add_section()
    table.add_row("supply", *(number(outcome["supply"][t]) for t in shown), number(sum(outcome["payment"].values())))
    if prices:
        table.add_row("price", *(number(prices[t]) for t in shown), "")
    return table
