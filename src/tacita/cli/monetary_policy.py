"""`tacita demo monetary_policy`: a coin's issuers predict its price, decide how many coins to issue, and auction them.

Three sessions per period, each with a certificate whose terms cite the one before. Between the periods a market that
nobody in the sessions knows (market.toml) answers to the coins that were sold.
"""

import asyncio
import csv
import io
import json
import math
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tacita.cli.display import Progress, number
from tacita.deploy import local
from tacita.node import files
from tacita.protocols.faults import CallerMistake
from tacita.protocols.policies.chain import Link, next_terms
from tacita.protocols.policies.registry import POLICIES, complete_terms, read_session

EXAMPLE = "monetary-policy"
INPUTS = {"prediction": "prices.csv", "stabilisation": "scenarios.csv", "auction": "bids.csv"}
"""The sessions of a period in order, and the example's private inputs."""


@dataclass(frozen=True)
class Period:
    """What one period brought; prices at its end."""

    forecast: float
    price: float
    auction_size: float
    sold: float
    clearing: float | None
    """The auction's price; None if none was held."""
    outstanding: float
    """Coins after the auction and the block reward."""


@dataclass(frozen=True)
class Market:
    """x' = a·x + b·ln(S'/S) + w with x = ln(price / target); known to the example alone."""

    target: float
    price: float
    persistence: float
    effect: float
    shocks: tuple[float, ...]
    spread: tuple[float, ...]
    """What each desk reads beside the price, by the order of their names."""

    @staticmethod
    def read(text: str) -> "Market":
        """From market.toml."""
        tree: dict[str, Any] = tomllib.loads(text)
        return Market(**{**tree, "shocks": tuple(tree["shocks"]), "spread": tuple(tree["spread"])})

    def after(self, price: float, before: float, outstanding: float, shock: float) -> float:
        """The next price when the coins went from `before` to `outstanding`."""
        x = self.persistence * math.log(price / self.target) + self.effect * math.log(outstanding / before) + shock
        return self.target * math.exp(x)


def with_reading(prices: str, price: float, spread: Sequence[float]) -> str:
    """The desks' histories with one more period: every desk's reading of the price."""
    rows = list(csv.reader(prices.splitlines()))
    histories: dict[str, list[list[str]]] = {}
    for row in rows[1:]:
        histories.setdefault(row[0], []).append(row)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    for (desk, history), beside in zip(sorted(histories.items()), spread, strict=True):
        writer.writerows([*history, [desk, str(len(history) + 1), f"{price + beside:.6f}"]])
    return out.getvalue()


def worth(bids: str, ratio: float) -> str:
    """The bids when a coin's price is `ratio` times what it was: every value goes along."""
    rows = list(csv.DictReader(bids.splitlines()))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "value": f"{float(row['value']) * ratio:.6f}"} for row in rows)
    return out.getvalue()


def run(out: Path, cluster: Path, as_json: bool, begun: float) -> None:
    """All periods on three local nodes."""
    example = Path(str(package_files("tacita") / "examples" / EXAMPLE))
    files.results_folder(out)
    if any(out.glob("period-*")):
        raise CallerMistake(f"{out} holds the periods of an earlier run; give another --out folder")
    manifest = local.open_cluster(cluster, 3, note=_say)
    files.write_json(out / "roster.json", files.read_json(manifest.folder / "roster.json", "roster"))
    market = Market.read((example / "market.toml").read_text())
    periods, links = asyncio.run(_periods(manifest, example, market, out, as_json))
    _save(out / "monetary_policy.png", market, periods)
    shown = [vars(period) for period in periods]
    result = {"periods": shown, "chain": [link.digest for link in links], "seconds": round(time.monotonic() - begun, 1)}
    files.write_json(out / "outcome.json", result)
    if as_json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    console = Console()
    console.print(_table(market, periods))
    console.print(f"{len(links)} sessions in {result['seconds']:.0f} s; each cites the certificate of the one before")
    console.print(f"files: {out}/outcome.json  {out}/monetary_policy.png  {out}/period-*/*/", soft_wrap=True)
    console.print(f"check: tacita verify {out} --roster {out}/roster.json", soft_wrap=True)


async def _periods(
    manifest: Any, example: Path, market: Market, out: Path, as_json: bool
) -> tuple[list[Period], list[Link]]:
    texts = {policy: (example / name).read_text() for policy, name in INPUTS.items()}
    templates = {policy: tomllib.loads((example / f"{policy}.toml").read_text()) for policy in INPUTS}
    bids = texts["auction"]
    links: list[Link] = []
    periods: list[Period] = []
    price, base = market.price, local.session_name()
    async with local.LocalCluster(manifest) as cluster:

        async def session(period: int, policy: str) -> Mapping[str, Any]:
            place = list(INPUTS).index(policy) + 1
            _say(f"period {period} of {len(market.shocks)}: {policy}")
            tree = next_terms(templates[policy], links, f"{base}-{period}-{place}")
            outcome = await _session(
                cluster, tree, texts[policy], out / f"period-{period}" / f"{place}-{policy}", as_json
            )
            links.append(Link(complete_terms(outcome.pop("terms")), outcome, str(outcome["certificate"])))
            return outcome

        for i, shock in enumerate(market.shocks, start=1):
            forecast = (await session(i, "prediction"))["forecast"]
            decision = await session(i, "stabilisation")
            sold, clearing = 0.0, None
            if decision["auction_size"] > 0:
                texts["auction"] = worth(bids, price / market.price)
                auction = await session(i, "auction")
                sold, clearing = sum(auction["supply"]), auction["price"][0]
            outstanding = decision["outstanding"] + decision["block_reward"] + sold
            price = market.after(price, decision["outstanding"], outstanding, shock)
            texts["prediction"] = with_reading(texts["prediction"], price, market.spread)
            periods.append(Period(forecast, price, decision["auction_size"], sold, clearing, outstanding))
    return periods, links


async def _session(
    cluster: local.LocalCluster, tree: dict[str, Any], inputs: str, folder: Path, quiet: bool
) -> dict[str, Any]:
    """One session from a terms tree and the text of its inputs; the outcome, and the completed terms with it."""
    texts = {"inputs": inputs}
    terms, parts = read_session(tree, texts)
    names = [node.name for node in cluster.manifest.nodes]
    placed = local.assign(list(parts), names, None, POLICIES[terms.policy].owner)
    local.fill_inboxes(cluster.manifest, terms, texts, placed)
    with Progress(names, quiet=quiet) as progress:
        result = await local.run_session(cluster, terms.session.name, progress.report)
    files.write(folder / "certificate.json", result.certificate)
    files.write_json(folder / "outcome.json", result.outcome)
    return {**result.outcome, "terms": dict(terms.tree)}


def _table(market: Market, periods: Sequence[Period]) -> Table:
    table = Table(title=f"A coin with target {number(market.target)}", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("period", "forecast", "to sell", "sold", "at", "coins", "price"):
        table.add_column(name, justify="right", no_wrap=True)
    for i, p in enumerate(periods, start=1):
        clearing = "–" if p.clearing is None else number(p.clearing)
        amounts = [f"{x:,.0f}" for x in (p.auction_size, p.sold)]
        table.add_row(str(i), f"{p.forecast:.4f}", *amounts, clearing, f"{p.outstanding:,.0f}", f"{p.price:.4f}")
    return table


def _save(path: Path, market: Market, periods: Sequence[Period]) -> None:
    """Prices against the target above, coins decided and sold below; everything in it is public or invented."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.5, 6.2), height_ratios=[1.4, 1], sharex=True, layout="constrained"
    )
    numbers = list(range(1, len(periods) + 1))
    uncontrolled, prices = [market.price], [market.price, *(p.price for p in periods)]
    for shock in market.shocks:
        uncontrolled.append(market.after(uncontrolled[-1], 1.0, 1.0, shock))
    top.plot([0, *numbers], prices, "o-", color="#1f5fa8", lw=1.8, label="price")
    top.plot([0, *numbers], uncontrolled, "--", color="#9a9a9a", lw=1.5, label="price had nothing been issued")
    top.plot(numbers, [p.forecast for p in periods], "x", color="#c25b12", ms=8, mew=2, label="forecast of the desks")
    held = [(i, p.clearing) for i, p in zip(numbers, periods, strict=True) if p.clearing is not None]
    top.plot(*zip(*held, strict=True), "s", color="#4f8a4c", ms=6, label="clearing price of the auction")
    top.axhline(market.target, color="#555", lw=0.9, ls=":", label="target")
    top.set_ylabel("price")
    top.legend(frameon=False, fontsize=9)
    width = 0.36
    bottom.bar(
        [i - width / 2 for i in numbers], [p.auction_size for p in periods], width, color="#1f5fa8", label="decided"
    )
    bottom.bar([i + width / 2 for i in numbers], [p.sold for p in periods], width, color="#4f8a4c", label="sold")
    bottom.set_ylabel("coins")
    bottom.set_xlabel("period")
    bottom.set_xticks([0, *numbers])
    bottom.legend(frameon=False, fontsize=9)
    for axis in (top, bottom):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Predict, decide, auction: three sessions per period", fontsize=12)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    plt.close(figure)
    files.write(path, buffer.getvalue())


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
