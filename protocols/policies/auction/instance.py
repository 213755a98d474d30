"""An auction with completed terms and a known pattern of bids: market, inputs, program, outputs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tacita.crypto.proofs.range import Relations
from tacita.protocols.admm.clearing import Plan, needs_table, solve
from tacita.protocols.admm.problem import FRACTION, Bids, Market
from tacita.protocols.faults import CallerMistake
from tacita.protocols.mpc.demand import Demand, dry_run
from tacita.protocols.mpc.engine import Engine, IntArray, Secret
from tacita.protocols.policies.auction.fields import FieldPlan
from tacita.protocols.policies.auction.terms import AuctionTerms
from tacita.protocols.policies.base import EVERYBODY, InputPlace, Report

MAX_COMPARISONS = 1_000_000


@dataclass(frozen=True)
class Auction:
    """`pattern` says in which 0-based slots each bidder bids; it is public."""

    terms: AuctionTerms
    pattern: tuple[tuple[str, tuple[int, ...]], ...]

    # ---- public facts -----------------------------------------------------------------------------------------

    @property
    def participants(self) -> tuple[str, ...]:
        """Bidders in alphabetical order."""
        return tuple(name for name, _ in self.pattern)

    @cached_property
    def market(self) -> Market:
        """The normalised public problem; refuses terms that could have no feasible allocation."""
        terms = self.terms
        owner = [i for i, (_, slots) in enumerate(self.pattern) for _ in slots]
        slot = [t for _, slots in self.pattern for t in slots]
        members = np.bincount(np.array(slot, dtype=np.int64), minlength=terms.slots)
        largest = round(terms.quantity_units(terms.quantity[1]))
        most = [int(n) * largest for n in members]
        caps = [_floor(terms.quantity_units(c)) for c in terms.supply_max] if terms.supply_max else most
        cap = tuple(min(c, m) for c, m in zip(caps, most, strict=True))
        cumulative = None
        if terms.cumulative_max is not None:
            limits = [_floor(terms.quantity_units(c)) for c in terms.cumulative_max]
            # A running total never falls, so a later, smaller limit also binds earlier.
            cumulative = tuple(min(limits[t:]) for t in range(terms.slots))
        self._check_feasible(members.tolist(), cap, cumulative)
        unit = Fraction(2) ** -FRACTION
        return Market(
            bidders=len(self.pattern),
            slots=terms.slots,
            owner=tuple(owner),
            slot=tuple(slot),
            cost_linear=tuple(float(terms.price_units(c) * unit) for c in terms.cost_linear),
            cost_quadratic=tuple(
                self._quadratic_cost(float(terms.slope_units(c) * unit)) for c in terms.cost_quadratic
            ),
            cap=cap,
            cap_binds=any(c < m for c, m in zip(cap, most, strict=True)),
            cumulative=cumulative,
            steps=terms.steps if terms.bids == "steps" else 0,
            budgets=terms.budgets,
            minimums=terms.minimum[1] > 0,
            penalty=self.fields.penalty / 2**FRACTION,
            largest=largest,
        )

    def _quadratic_cost(self, k: float) -> float:
        if 0 < k < 2.0**-20:
            raise CallerMistake(
                "[auction] cost.quadratic is negligible against the bounds; write 0 or narrow the bounds"
            )
        return k

    def _check_feasible(self, members: list[int], cap: Sequence[int], cumulative: Sequence[int] | None) -> None:
        least = round(self.terms.quantity_units(self.terms.minimum[1]))
        reserved = 0
        for t, (n, c) in enumerate(zip(members, cap, strict=True)):
            reserved += n * least
            if n * least > c:
                raise CallerMistake(
                    f"slot {t + 1}: the minimums of {n} bidders could exceed supply_max; lower [bounds] minimum"
                )
            if cumulative is not None and reserved > cumulative[t]:
                raise CallerMistake(f"slot {t + 1}: the minimums could exceed cumulative_max; lower [bounds] minimum")

    @cached_property
    def fields(self) -> FieldPlan:
        """Which integers every bid commits to."""
        terms = self.terms
        coupled = terms.budgets or terms.cumulative_max is not None
        admm = terms.method == "admm" and terms.bids == "quadratic"
        table = not coupled and (terms.method == "table" or terms.payment_rule != "paper")
        return FieldPlan(terms, admm, table or (terms.payment_rule == "paper" and terms.bids == "quadratic"))

    @property
    def iterations(self) -> int:
        """ADMM iterations; 0 if the table gives the allocation."""
        return 0 if self.terms.method == "table" else self.terms.iterations_for(self.market.class_name)

    # ---- inputs -----------------------------------------------------------------------------------------------

    def field_count(self, participant: str) -> int:
        """See Instance."""
        return len(self.fields.fields(self.slots_of(participant)))

    def slots_of(self, participant: str) -> tuple[int, ...]:
        """0-based slots in which the bidder bids."""
        return dict(self.pattern)[participant]

    @cached_property
    def _places(self) -> dict[str, list[InputPlace]]:
        filled: dict[str, int] = {}
        places: dict[str, list[InputPlace]] = {}
        for name, slots in self.pattern:
            places[name] = []
            for f in self.fields.fields(slots):
                position = filled.get(f.label, 0)
                filled[f.label] = position + 1
                places[name].append(InputPlace(f.label, position))
        return places

    def places(self, participant: str) -> Sequence[InputPlace]:
        """See Instance."""
        return self._places[participant]

    def relations(self, participant: str) -> Relations:
        """See Instance."""
        return self.fields.relations(self.slots_of(participant))

    # ---- computation ------------------------------------------------------------------------------------------

    def demand(self, parties: int, threshold: int, security: str) -> Demand:
        """See Instance."""
        return _demand(self, parties, threshold, security)

    def program(self, order: Sequence[str]) -> Callable[[Engine, Report], Awaitable[None]]:
        """See Instance."""
        index = {name: i for i, name in enumerate(self.participants)}
        terms = self.terms
        plan = Plan(terms.method, terms.payment_rule, self.iterations, tuple(index[name] for name in order))

        async def run(engine: Engine, report: Report) -> None:
            bids = await self._bids(engine)
            cleared = await solve(engine, self.market, bids, plan, report)
            blocks: dict[str, Secret] = {
                "allocation": cleared.allocation,
                "payment": cleared.payment,
                "price": cleared.price,
                "welfare": cleared.welfare,
                "supply": cleared.supply,
            }
            for label in self.outputs:
                await engine.to_cipher(label, blocks[label])

        return run

    async def _bids(self, engine: Engine) -> Bids:
        plan = self.fields
        blocks: dict[str, Secret] = {}
        everything = [f for _, slots in self.pattern for f in plan.fields(slots)]
        for label in dict.fromkeys(f.label for f in everything):
            group = [f for f in everything if f.label == label]
            lo, hi = min(f.lo for f in group), max(f.hi for f in group)
            blocks[label] = await engine.from_cipher(label, len(group), FRACTION, lo, hi)
        for label in ("value", "price"):
            if label in blocks and self.terms.direction == "reverse":
                blocks[label] = self._markup(engine, blocks[label])
        return Bids(**blocks)

    def _markup(self, engine: Engine, asks: Secret) -> Secret:
        """v = reserve − ask, at least 0 because every ask is proven to be at most its slot's reserve."""
        reserve = self._reserve_units()[np.repeat(self.market.slot_of, max(1, self.market.steps))]
        spans = [high - low for low, high in (self.fields.price_bounds(t) for t in range(self.terms.slots))]
        return engine.within(reserve - asks, 0, max(spans))

    def _reserve_units(self) -> IntArray:
        return np.array([self.fields.price_bounds(t)[1] for t in range(self.terms.slots)], dtype=object)

    # ---- outputs ----------------------------------------------------------------------------------------------

    @property
    def outputs(self) -> tuple[str, ...]:
        """Labels of the output blocks, in release order."""
        priced = not (self.terms.bids == "steps" and self.market.coupled)
        if self.terms.release == "public":
            return ("allocation", "payment", *(("price",) if priced else ()), "welfare")
        chosen = self.terms.public_outputs
        return ("allocation", "payment", *(o for o in ("price", "supply") if o in chosen and (priced or o != "price")))

    def recipients(self, label: str) -> Sequence[str]:
        """See Instance."""
        names = self.participants
        if self.terms.release == "public" or label in ("price", "supply", "welfare"):
            sizes = {"allocation": self.market.entries, "payment": len(names), "welfare": 1}
            return [EVERYBODY] * sizes.get(label, self.terms.slots)
        return [names[i] for i in self.market.owner] if label == "allocation" else list(names)

    def outcome(self, outputs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See Instance."""
        result: dict[str, Any] = {"policy": "auction"}
        if "allocation" in outputs:
            units = np.zeros((len(self.pattern), self.terms.slots), dtype=object)
            for e, x in enumerate(outputs["allocation"]):
                units[self.market.owner[e], self.market.slot[e]] = x
            result["allocation"] = {
                name: [self._quantity(x) for x in units[i]] for i, name in enumerate(self.participants)
            }
            result["supply"] = [self._quantity(sum(units[:, t])) for t in range(self.terms.slots)]
            result["payment"] = {
                name: self._payment(name, {t: units[i, t] for t in self.slots_of(name)}, outputs["payment"][i])
                for i, name in enumerate(self.participants)
            }
        if "supply" in outputs:
            result["supply"] = [self._quantity(y) for y in outputs["supply"]]
        if "price" in outputs:
            result["price"] = [self._price(t, p) for t, p in enumerate(outputs["price"])]
        if "welfare" in outputs:
            result["welfare"] = self._money(outputs["welfare"][0])
        return result

    def private_outcome(
        self, participant: str, outputs: Mapping[str, Sequence[int]], public: Mapping[str, Sequence[int]]
    ) -> dict[str, Any]:
        """See Instance."""
        slots = self.slots_of(participant)
        units = dict(zip(slots, outputs["allocation"], strict=True))
        allocation = [self._quantity(units.get(t, 0)) for t in range(self.terms.slots)]
        payment = self._payment(participant, units, outputs["payment"][0])
        return {"policy": "auction", "bidder": participant, "allocation": allocation, "payment": payment}

    def _quantity(self, units: int) -> float:
        return float(Fraction(int(units)) * Fraction(2) ** (self.terms.quantity_exponent - FRACTION))

    def _price(self, slot: int, units: int) -> float:
        value = Fraction(int(units))
        if self.terms.direction == "reverse":
            value = int(self._reserve_units()[slot]) - value
        return float(value * Fraction(2) ** (self.terms.price_exponent - FRACTION))

    def _money(self, units: int) -> float:
        scale = self.terms.price_exponent + self.terms.quantity_exponent - FRACTION
        return float(Fraction(int(units)) * Fraction(2) ** scale)

    def _payment(self, name: str, allocation: Mapping[int, int], units: int) -> float:
        """Forward: what the bidder pays. Reverse: what it is paid, Σ reserve·x minus the forward payment."""
        amount = Fraction(int(units))
        if self.terms.direction == "reverse":
            reserve = self._reserve_units()
            total = sum(int(reserve[t]) * int(x) for t, x in allocation.items())
            amount = Fraction(total, 2**FRACTION) - amount
        return float(amount * Fraction(2) ** (self.terms.price_exponent + self.terms.quantity_exponent - FRACTION))


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


@lru_cache(maxsize=32)
def _demand(auction: Auction, parties: int, threshold: int, security: str) -> Demand:
    terms = auction.terms
    if terms.release == "private" and "supply" in terms.public_outputs and len(auction.pattern) == 2:
        raise CallerMistake(
            "with two bidders the public supply would show each the other's private allocation; "
            "remove supply from public_outputs"
        )
    if needs_table(auction.market, terms.method, terms.payment_rule) and terms.bids is None:
        raise CallerMistake('the terms must say bids = "quadratic" or "steps"')
    demand = dry_run(auction.program(auction.participants), parties, threshold, security)
    if demand.comparisons > MAX_COMPARISONS:
        raise CallerMistake(
            f"this auction needs {demand.comparisons:,} secure comparisons, at most {MAX_COMPARISONS:,} are accepted: "
            'use payment_rule = "uniform", fewer bidders or slots, or a larger gap'
        )
    return demand
