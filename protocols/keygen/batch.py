"""One batch of candidates at one party, S1 to S9 (docs/ceremony.md; the order is rule R4).

S1  announce seed trees; deal the units x_i and the shared trees        S1' (t ≥ 2) degree reductions
S2  share p_i and q_i modulo P     S3, S4  commit to and open N         S5  reject what has a small factor
S6, S7  commit to and open the factors of one round of the biprimality test
S7b everybody signs the same outcome, before anything is revealed
S9  everybody reveals its seeds – all, or all but the winner's – and everything revealed is recomputed
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tacita.crypto.entropy import Entropy
from tacita.crypto.integers import Integer
from tacita.protocols.keygen import biprime, merkle, product, seeds, sieve, trial
from tacita.protocols.keygen.audit import Recomputed, check_public_factor
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.seeds import Draws, Zeros
from tacita.protocols.keygen.statements import Announcement, encode_punctured, encode_whole, message_root
from tacita.protocols.keygen.talk import Talk
from tacita.protocols.keygen.vectors import pack, rows
from tacita.protocols.keygen.view import View, private_steps


@dataclass(frozen=True)
class Passed:
    """The candidate that passed its first round, and this party's part of it."""

    index: int
    modulus: int
    p: int = field(repr=False)
    q: int = field(repr=False)


class Batch:
    """One party's work on one batch."""

    def __init__(self, parameters: Parameters, talk: Talk, entropy: Entropy, note: Callable[[int], None]) -> None:
        self.parameters, self.talk, self.me = parameters, talk, talk.me
        self.view = View(parameters, talk.place, talk.record)
        self._note = note
        self.root = entropy.token(seeds.SEED_BYTES)
        self.rows: list[dict[int, list[bytes]]] = []

    async def run(self) -> Passed | None:
        """The winner of the batch, audited all around, or None; raises Blame."""
        parameters, talk = self.parameters, self.talk
        # R6: the seed is on disk before anything that follows from it leaves this node.
        talk.memory.begin_batch(talk.place.batch, talk.place.epoch, self.root)
        # S1
        depth = parameters.batch.bit_length() - 1
        draws = seeds.draw(parameters, self.me, seeds.expand(self.root, depth))
        units, zeros = await self._announce(draws, depth)
        # S1', S2
        values = await self._sieve(draws, units, zeros)
        shares = await self._deal(parameters.threshold, draws, product.deal(parameters, self.me, values, draws))
        # S3, S4
        mine = b""
        if self.me in parameters.openers:
            opening = product.opening(parameters, self.me, list(shares.values()), zeros.product)
            mine = pack(opening, parameters.field_width)
        await talk.open("S3", "S4", mine)
        await asyncio.sleep(0)
        # S5
        turn = trial.turn(parameters, self.view.divided, self.me)
        await talk.say("S5", trial.encode(trial.rejects(parameters, self.view.moduli, turn)))
        # S6, S7
        await talk.open("S6", "S7", await self._factors(values))
        winner = self.view.winner
        if winner is not None:
            check_public_factor(self.view.tested, winner)
        # S7b
        await talk.say("S7b", self.view.outcome())
        self.view.agreed()
        # S9
        await self._reveal(winner)
        self._note(len(self.view.survivors))
        if winner is None:
            return None
        return Passed(winner, int(self.view.moduli[winner]), int(values[2 * winner]), int(values[2 * winner + 1]))

    # ---- S1 ---------------------------------------------------------------------------------------------------

    async def _announce(self, draws: Draws, depth: int) -> tuple[dict[int, list[Integer]], Zeros]:
        """The units' shares at this party, by siever, and its sharings of zero."""
        parameters, me, place = self.parameters, self.me, self.talk.place
        everyone, indices = parameters.everyone, range(parameters.batch)
        dealt = sieve.deal(parameters, draws) if me in parameters.sievers else []
        mine = self._rows(0, draws, dealt)
        pair_roots = {j: seeds.pair_root(self.root, j) for j in everyone if j > me}
        pairs = {j: seeds.expand(seed, depth) for j, seed in pair_roots.items()}
        announcement = Announcement(
            place=place,
            tree=seeds.commitment(place.tree_tag(me), seeds.expand(self.root, depth), indices),
            pairs={j: seeds.commitment(place.tree_tag(me, j), leaves, indices) for j, leaves in pairs.items()},
            roots={j: message_root(mine[j], indices) for j in mine},
        )
        await self.talk.say("S1", announcement.encode())
        payloads = {j: pair_roots.get(j, b"") + b"".join(mine[j]) for j in mine}
        received = await self._private(0, payloads, dealt[me - 1] if dealt else [])
        for i, payload in self._last.items():
            if i < me:
                pairs[i] = seeds.expand(payload[: seeds.SEED_BYTES], depth)
        units = {i: values for i, values in received.items() if i in parameters.sievers}
        return units, seeds.zeros(parameters, me, pairs, parameters.batch)

    def _rows(self, step: int, draws: Draws, dealt: list[list[Integer]]) -> dict[int, list[bytes]]:
        parameters = self.parameters
        width = parameters.field_width if step == parameters.threshold else parameters.sieve_width
        message = {
            j: rows(dealt[j - 1], width, draws.salts_for(parameters, step, j)) if dealt else []
            for j in parameters.everyone
            if j != self.me
        }
        self.rows.append(message)
        return message

    async def _private(self, step: int, payloads: Mapping[int, bytes], own: list[Integer]) -> dict[int, list[Integer]]:
        """Exchange private messages; each must be the one that its sender announced."""
        name = private_steps(self.parameters)[step] + "/private"
        self._last = received = await self.talk.tell(name, payloads)
        values = {self.me: own}
        for i, payload in received.items():
            try:
                values[i] = self.view.private(step, i, self.me, payload)
            except Blame as blame:
                if blame.party == i:  # otherwise this is an honest message, and its content a secret
                    self.talk.show(name, i)
                raise
        await asyncio.sleep(0)
        return {i: values[i] for i in self.parameters.everyone}

    async def _deal(self, step: int, draws: Draws, dealt: list[list[Integer]]) -> dict[int, list[Integer]]:
        """Announce the roots of a private message, then send it; the shares received, by sender."""
        mine = self._rows(step, draws, dealt)
        indices = range(self.parameters.batch)
        name = private_steps(self.parameters)[step]
        await self.talk.say(name, b"".join(message_root(mine[j], indices) for j in mine))
        return await self._private(step, {j: b"".join(mine[j]) for j in mine}, dealt[self.me - 1])

    # ---- S1', candidates --------------------------------------------------------------------------------------

    async def _sieve(self, draws: Draws, units: Mapping[int, list[Integer]], zeros: Zeros) -> list[Integer]:
        """p_i and q_i of every candidate."""
        parameters = self.parameters
        local = sieve.multiply(parameters, units[1], units[2])
        for step in range(1, parameters.threshold):
            again = sieve.reshare(parameters, self.me, local, draws, step - 1)
            received = await self._deal(step, draws, again)
            reduced = sieve.collect(parameters, list(received.values()))
            local = sieve.multiply(parameters, reduced, units[step + 2])
        return sieve.candidates(parameters, self.me, local, zeros.sieve, draws.lifts)

    # ---- S6, S9 -----------------------------------------------------------------------------------------------

    async def _factors(self, values: list[Integer]) -> bytes:
        """v_i of every survivor, then the public factors of this party's turn."""
        view, parameters = self.view, self.parameters
        secret, public = [], []
        turn = set(trial.turn(parameters, view.survivors, self.me))
        for c in view.survivors:
            g = biprime.base(view.moduli[c], view.coin, 0)
            e = biprime.exponent(parameters, self.me, values[2 * c], values[2 * c + 1])
            secret.append(biprime.secret_factor(g, e, view.moduli[c]))
            if c in turn:
                public.append(biprime.public_factor(g, view.moduli[c]))
                await asyncio.sleep(0)
        return pack(secret + public, parameters.modulus_width)

    async def _reveal(self, winner: int | None) -> Recomputed:
        parameters, talk = self.parameters, self.talk
        if winner is None:
            mine = encode_whole(self.root)
        else:
            hashes = [
                {j: merkle.leaf_hashes([m[winner]], [winner])[0] if m else bytes(32) for j, m in message.items()}
                for message in self.rows
            ]
            mine = encode_punctured(parameters, self.me, talk.place, self.root, winner, hashes)
        said = await talk.say("S9", mine)
        return self.view.audit(said, winner)
