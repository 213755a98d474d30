"""The audit of a winner that did not become a key: N is opened, and everything said since S8 is recomputed."""

from collections.abc import Callable, Mapping, Sequence

from tacita.crypto.integers import Integer, power
from tacita.protocols.faults import BadKeyShare, BadModulus
from tacita.protocols.keygen import biprime
from tacita.protocols.keygen.audit import examine_factors
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.derivation import Deriver
from tacita.protocols.keygen.final_view import FinalView, seed_commitment
from tacita.protocols.keygen.view import View

Teller = Callable[[int], bytes]
"""The private message to a receiver."""


def open_winner(view: View, final: FinalView, said: dict[int, bytes]) -> None:
    """The audit of an opened winner: its batch with full roots, its tests, and the derivation; raises Blame."""
    truth = view.audit({i: data[:32] for i, data in said.items()}, None)
    examine_factors(view.parameters, truth, view.tested, final.index, final.index)
    values = values_of(truth.values, final.index)
    examine(final, values, {i: data[32:] for i, data in said.items()})


def examine(view: FinalView, values: Mapping[int, tuple[Integer, Integer]], revealed: Mapping[int, bytes]) -> None:
    """Compare everything that was said since S8 with what p_i, q_i and τ_i say; raises Blame."""
    said, parameters = view.record.said, view.parameters
    for i, commitment in view.seeds.items():
        if seed_commitment(revealed[i]) != commitment:
            raise Blame(i, "the seed it reveals is not the one it committed to", BadKeyShare)
    if "S8 open" in said:
        _examine_factors(view, values)
    derivers = {i: Deriver(view.sharing, i, revealed[i], *values[i]) for i in parameters.everyone}
    pairs = {i: {j: derivers[min(i, j)].pair_seed(max(i, j)) for j in derivers if j != i} for i in derivers}
    if "K0" in said:
        _same_private(view, "K0", {i: d.small_share for i, d in derivers.items()})
    if "K0 open" in said:
        for i in parameters.openers:
            received = [d.small_values(i) for d in derivers.values()]
            if derivers[i].small_opening(received, pairs[i]) != view.small_openings[i]:
                raise Blame(i, "its opening of K0 is not what its seeds say", BadModulus)
    if "K1" not in said:
        return
    _same_private(view, "K1", {i: d.first_share for i, d in derivers.items()})
    weights = {}
    for i in parameters.openers:
        shares = [d.pair_shares(i) for d in derivers.values()]
        weights[i] = derivers[i].weight(sum(f for f, _ in shares), sum(g for _, g in shares))
    if "K2 open" in said:
        for i, weight in weights.items():
            if derivers[i].theta(weight, pairs[i]) != view.theta_parts[i]:
                raise Blame(i, "its part of theta is not what its seeds say", BadKeyShare)
    if "K3" in said:
        _same_private(view, "K3", {i: _bind(derivers[i].second_share, w) for i, w in weights.items()})
    if "K4 open" in said:
        for j in parameters.everyone:
            share = sum(derivers[i].long_share(w, j) for i, w in weights.items())
            if derivers[j].verification_key(share) != view.verification[j]:
                raise Blame(j, "its verification key is not what its seeds say", BadKeyShare)


def _examine_factors(view: FinalView, values: Mapping[int, tuple[Integer, Integer]]) -> None:
    bases = view.bases()
    for i, (p, q) in values.items():
        e = biprime.exponent(view.parameters, i, p, q)
        for g, v in zip(bases, view.factors[i], strict=True):
            if power(g, e, view.modulus) != v:
                raise Blame(i, "its factor in the biprimality test is not what its seeds say", BadModulus)


def _same_private(view: FinalView, step: str, messages: Mapping[int, Teller]) -> None:
    digests = view.digests(step)
    for i, message in messages.items():
        for j, claimed in digests[i].items():
            if view.sharing.private_digest(step, i, j, message(j)) != claimed:
                raise Blame(i, f"its shares in step {step} are not what its seeds say", BadKeyShare)


def _bind(teller: Callable[[Integer, int], bytes], weight: Integer) -> Teller:
    return lambda receiver: teller(weight, receiver)


def values_of(values: Mapping[int, Sequence[Integer]], index: int) -> dict[int, tuple[Integer, Integer]]:
    """(p_i, q_i) of one candidate."""
    return {i: (column[2 * index], column[2 * index + 1]) for i, column in values.items()}
