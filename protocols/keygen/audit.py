"""The audit of discarded candidates (R5): recompute everything that everybody said about them, and blame.

Everything a party sends is a function of its seeds and of what it received. With all seeds revealed, every private
message is compared with its announced root, in the order of the steps, so an honest party that was lied to is not
blamed for what follows; then every opening. For tested candidates a Fermat test shows whether a good one was killed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.integers import Integer
from tacita.protocols.faults import BadKeyShare, BadModulus
from tacita.protocols.keygen import biprime, product, seeds, sieve
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import Announcement, Reveal, indices_of, message_root
from tacita.protocols.keygen.vectors import rows

Roots = Sequence[Mapping[int, Mapping[int, bytes]]]
"""Per private message: sender → receiver → announced root. A message that never was said is missing at the end."""


@dataclass(frozen=True)
class Recomputed:
    """What honest parties with these seeds say and hold."""

    rows: Sequence[Mapping[tuple[int, int], Sequence[bytes]]] = field(repr=False)
    """Per private message: (sender, receiver) → rows."""
    values: Mapping[int, Sequence[Integer]] = field(repr=False)
    """p_i and q_i, alternating."""
    openings: Mapping[int, Sequence[Integer]] = field(repr=False)
    zeros: Mapping[int, seeds.Zeros] = field(repr=False)


def recompute(parameters: Parameters, reveals: Mapping[int, Reveal]) -> Recomputed:
    """Run S1 to S4 for all parties from their leaves."""
    everyone, t = parameters.everyone, parameters.threshold
    draws = {i: seeds.draw(parameters, i, reveals[i].leaves) for i in everyone}
    zeros = {}
    for i in everyone:
        pairs = {j: reveals[min(i, j)].pairs[max(i, j)] for j in everyone if j != i}
        zeros[i] = seeds.zeros(parameters, i, pairs, len(reveals[i].leaves))
    said: list[dict[tuple[int, int], Sequence[bytes]]] = []

    def tell(step: int, width: int, dealt: Mapping[int, Sequence[Sequence[Integer]]]) -> None:
        message: dict[tuple[int, int], Sequence[bytes]] = {}
        for i in everyone:
            for j in everyone:
                if i != j:
                    salts = draws[i].salts_for(parameters, step, j)
                    message[i, j] = rows(dealt[i][j - 1], width, salts) if i in dealt else []
        said.append(message)

    units = {i: sieve.deal(parameters, draws[i]) for i in parameters.sievers}
    tell(0, parameters.sieve_width, units)
    local = {j: sieve.multiply(parameters, units[1][j - 1], units[2][j - 1]) for j in everyone}
    for step in range(1, t):
        again = {i: sieve.reshare(parameters, i, local[i], draws[i], step - 1) for i in everyone}
        tell(step, parameters.sieve_width, again)
        for j in everyone:
            reduced = sieve.collect(parameters, [again[i][j - 1] for i in everyone])
            local[j] = sieve.multiply(parameters, reduced, units[step + 2][j - 1])
    values = {i: sieve.candidates(parameters, i, local[i], zeros[i].sieve, draws[i].lifts) for i in everyone}
    shares = {i: product.deal(parameters, i, values[i], draws[i]) for i in everyone}
    tell(t, parameters.field_width, shares)
    openings = {
        j: product.opening(parameters, j, [shares[i][j - 1] for i in everyone], zeros[j].product)
        for j in parameters.openers
    }
    return Recomputed(said, values, openings, zeros)


def examine(
    parameters: Parameters,
    announced: Mapping[int, Announcement],
    roots: Roots,
    opened: Mapping[int, Sequence[Integer]] | None,
    reveals: Mapping[int, Reveal],
) -> Recomputed:
    """Compare what was said up to S4 with what the seeds say; raises Blame. Steps that never happened are skipped."""
    for i, reveal in reveals.items():
        if not reveal.matches(parameters, i, announced[i]):
            raise Blame(i, "the seeds it reveals are not those it announced", BadKeyShare)
    hidden = {i: reveal.hidden for i, reveal in reveals.items()}
    indices = indices_of(parameters, hidden[1])
    truth = recompute(parameters, reveals)
    for step, senders in enumerate(roots):
        for i, receivers in senders.items():
            for j, claimed in receivers.items():
                left_out = hidden[i]
                row = left_out.rows[step][j] if left_out else None
                at = left_out.at if left_out else 0
                if message_root(truth.rows[step][i, j], indices, row, at) != claimed:
                    what = "the sieve" if step < parameters.threshold else "p and q"
                    raise Blame(i, f"its shares of {what} are not what its seeds say", BadKeyShare)
    for i, vector in (opened or {}).items():
        if [vector[c] for c in indices] != truth.openings[i]:
            raise Blame(i, "its opening of the moduli is not what its seeds say", BadModulus)
    return truth


@dataclass(frozen=True)
class Tested:
    """The biprimality test of a batch as everybody saw it, per tested candidate."""

    moduli: Sequence[Integer]
    candidates: Sequence[int]
    coin: bytes
    factors: Mapping[int, Mapping[int, Integer]]
    """Candidate → party → v_i."""
    public: Mapping[int, Integer]
    makers: Mapping[int, int]
    """Candidate → party that made its public factor."""

    def accepts(self, candidate: int) -> bool:
        """Whether the candidate passes."""
        modulus = self.moduli[candidate]
        g = biprime.base(modulus, self.coin, 0)
        return biprime.passes(modulus, g, self.factors[candidate].values(), self.public[candidate])


def examine_tests(parameters: Parameters, truth: Recomputed, tested: Tested, hidden: int | None) -> None:
    """Look for good candidates that were killed (R5); raises Blame."""
    for c in tested.candidates:
        if c == hidden:
            continue
        place = c if hidden is None or c < hidden else c - 1
        p, q = (parameters.offset + sum(v[2 * place + half] for v in truth.values.values()) for half in (0, 1))
        if biprime.fermat(p) and biprime.fermat(q) and not tested.accepts(c):
            examine_factors(parameters, truth, tested, c, place)


def examine_factors(parameters: Parameters, truth: Recomputed, tested: Tested, c: int, place: int) -> None:
    """Recompute every factor of one candidate's test; raises Blame."""
    modulus = tested.moduli[c]
    g = biprime.base(modulus, tested.coin, 0)
    for i, values in truth.values.items():
        e = biprime.exponent(parameters, i, values[2 * place], values[2 * place + 1])
        if biprime.secret_factor(g, e, modulus) != tested.factors[c][i]:
            raise Blame(i, "its factor in the biprimality test is not what its seeds say", BadModulus)
    check_public_factor(tested, c)


def check_public_factor(tested: Tested, c: int) -> None:
    """Everybody recomputes the public factor of a candidate that matters; raises Blame."""
    modulus = tested.moduli[c]
    if biprime.public_factor(biprime.base(modulus, tested.coin, 0), modulus) != tested.public[c]:
        raise Blame(tested.makers[c], "its public factor in the biprimality test is wrong", BadModulus)
