"""What the broadcasts of a batch mean: the same reading by every node in the batch, by the audit, and by a judge.

Every method raises Blame for the first party whose words cannot be what an honest party says.
"""

from functools import cached_property

from gmpy2 import mpz

from tacita.crypto.encoding import Writer
from tacita.crypto.integers import Integer
from tacita.crypto.transcript import Transcript
from tacita.protocols.faults import BadKeyShare, BadModulus, InvalidEncodingFault, ProtocolFault
from tacita.protocols.keygen import audit, biprime, product, seeds, trial
from tacita.protocols.keygen.audit import Recomputed, Tested
from tacita.protocols.keygen.blame import Blame, accused
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import (
    Announcement,
    Place,
    Reveal,
    decode_reveal,
    decode_roots,
    message_root,
)
from tacita.protocols.keygen.talk import Record, opened
from tacita.protocols.keygen.vectors import split_rows, unpack

NONE = (1 << 32) - 1


def private_steps(parameters: Parameters) -> list[str]:
    """The rounds whose private messages are announced by roots: S1, S1' for t ≥ 2, S2."""
    return ["S1", *(f"S1'{i}" for i in range(1, parameters.threshold)), "S2"]


def steps(parameters: Parameters) -> list[str]:
    """All broadcasts of a batch, in order."""
    return [*private_steps(parameters), "S3", "S4", "S5", "S6", "S7", "S7b", "S9"]


class View:
    """A batch as its broadcasts show it."""

    def __init__(self, parameters: Parameters, place: Place, record: Record) -> None:
        self.parameters, self.place, self.record = parameters, place, record

    # ---- S1, S2 -----------------------------------------------------------------------------------------------

    @cached_property
    def announced(self) -> dict[int, Announcement]:
        """S1 of everybody."""
        result = {}
        for i, data in self.record.said["S1"].items():
            with accused(i, "its announcement"):
                result[i] = Announcement.decode(self.parameters, i, data)
            if result[i].place != self.place:
                raise Blame(i, "its announcement is for another batch", InvalidEncodingFault)
        return result

    def roots(self) -> list[dict[int, dict[int, bytes]]]:
        """Announced roots of private messages, as far as they were said."""
        result = [{i: dict(a.roots) for i, a in self.announced.items()}]
        for step in private_steps(self.parameters)[1:]:
            if step not in self.record.said:
                break
            receivers = {}
            for i, data in self.record.said[step].items():
                with accused(i, "its list of message roots"):
                    receivers[i] = decode_roots(self.parameters, i, data)
            result.append(receivers)
        return result

    def private(self, step: int, sender: int, receiver: int, payload: bytes) -> list[Integer]:
        """Check a private message against its root, and S1's shared tree against its commitment; its integers."""
        parameters, rows = self.parameters, list[bytes]()
        depth, values = parameters.batch.bit_length() - 1, list[Integer]()
        if step == 0 and sender < receiver:
            tag = self.place.tree_tag(sender, receiver)
            tree = seeds.commitment(tag, seeds.expand(payload[:32], depth), range(parameters.batch))
            payload = payload[32:]
            if tree != self.announced[sender].pairs[receiver]:
                raise Blame(sender, "the seed of a shared tree is not the one it announced", BadKeyShare)
        last = step == parameters.threshold
        width = parameters.field_width if last else parameters.sieve_width
        modulus = parameters.field if last else parameters.sieve
        if step > 0 or sender in parameters.sievers:
            with accused(sender, "a private message"):
                values, rows = split_rows(payload, width, parameters.batch, modulus)
        elif payload:
            raise Blame(sender, "it sends sieve shares although it contributes no unit", InvalidEncodingFault)
        if message_root(rows, range(parameters.batch)) != self.roots()[step][sender][receiver]:
            raise Blame(sender, "a private message is not the one it announced", BadKeyShare)
        return values

    # ---- S3 to S7 ---------------------------------------------------------------------------------------------

    @cached_property
    def openings(self) -> dict[int, list[Integer]]:
        """S4: the openers' vectors."""
        parameters, result = self.parameters, {}
        for i, data in opened(self.place, self.record, "S3", "S4").items():
            count = parameters.batch if i in parameters.openers else 0
            with accused(i, "its opening of the moduli"):
                vector = unpack(data, parameters.field_width, count, parameters.field)
            if count:
                result[i] = vector
        return result

    @cached_property
    def moduli(self) -> list[Integer]:
        """N of every candidate."""
        return product.moduli(self.parameters, list(self.openings.values()))

    @cached_property
    def divided(self) -> list[int]:
        """Candidates for S5; none at all if one N has a shape that honest openings never give (the audit follows)."""
        if not all(product.well_formed(self.parameters, modulus) for modulus in self.moduli):
            return []
        return trial.without_small_factors(self.parameters, self.moduli)

    @cached_property
    def survivors(self) -> list[int]:
        """Candidates that nobody rejected with a witness."""
        gone: set[int] = set()
        for i, data in self.record.said["S5"].items():
            with accused(i, "its list of rejected candidates"):
                gone |= trial.decode(data, self.moduli, trial.turn(self.parameters, self.divided, i))
        return [c for c in self.divided if c not in gone]

    @cached_property
    def coin(self) -> bytes:
        """What the bases of the first test are hashed from: all that was opened."""
        transcript = Transcript("keygen-first-coin").absorb("place", self.place.encode())
        for step in ("S4", "S5"):
            transcript.absorb_all(step, [self.record.said[step][i] for i in self.parameters.everyone])
        return transcript.digest()

    @cached_property
    def tested(self) -> Tested:
        """S7: the factors of every survivor."""
        parameters, width, count = self.parameters, self.parameters.modulus_width, len(self.survivors)
        factors: dict[int, dict[int, Integer]] = {c: {} for c in self.survivors}
        public: dict[int, Integer] = {}
        makers: dict[int, int] = {}
        for i, data in opened(self.place, self.record, "S6", "S7").items():
            mine = trial.turn(parameters, self.survivors, i)
            with accused(i, "its factors of the biprimality test"):
                values = unpack(data, width, count + len(mine), mpz(1) << parameters.bits)
            for c, v in zip(self.survivors, values, strict=False):
                if not biprime.proper(self.moduli[c], [v]):
                    raise Blame(i, "a factor of the biprimality test is no unit below N", BadModulus)
                factors[c][i] = v
            for c, v in zip(mine, values[count:], strict=True):
                public[c], makers[c] = v, i
        return Tested(self.moduli, self.survivors, self.coin, factors, public, makers)

    @cached_property
    def winner(self) -> int | None:
        """The first survivor that passes."""
        return next((c for c in self.survivors if self.tested.accepts(c)), None)

    # ---- S7b, S9 ----------------------------------------------------------------------------------------------

    def outcome(self) -> bytes:
        """R4: batch, winner or none, N, and the transcript of all steps before."""
        transcript = Transcript("keygen-batch").absorb("place", self.place.encode())
        for step in steps(self.parameters)[:-2]:
            transcript.absorb_all(step, [self.record.said[step][i] for i in self.parameters.everyone])
        winner = self.winner
        writer = Writer().unsigned(self.place.batch, 4).unsigned(NONE if winner is None else winner, 4)
        writer.unsigned(0 if winner is None else self.moduli[winner], self.parameters.modulus_width)
        return writer.fixed(transcript.digest(), 32).to_bytes()

    def agreed(self) -> None:
        """All outcomes are equal; they follow from what everybody saw, so who says another one is to blame."""
        expected = self.outcome()
        for i, data in self.record.said["S7b"].items():
            if data != expected:
                raise Blame(i, "it signs another outcome than the batch has", ProtocolFault)

    def reveals(self, said: dict[int, bytes], hidden: int | None) -> dict[int, Reveal]:
        """S9 of everybody."""
        result = {}
        for i, data in said.items():
            with accused(i, "its reveal"):
                result[i] = decode_reveal(self.parameters, i, data, hidden)
        return result

    def audit(self, said: dict[int, bytes], hidden: int | None) -> Recomputed:
        """Examine everything that was said, as far as the batch came; raises Blame."""
        reveals = self.reveals(said, hidden)
        openings = self.openings if "S4" in self.record.said else None
        truth = audit.examine(self.parameters, self.announced, self.roots(), openings, reveals)
        if "S7" in self.record.said:
            audit.examine_tests(self.parameters, truth, self.tested, hidden)
        return truth

    def audit_interrupted(self, said: dict[int, bytes]) -> Recomputed:
        """R6: the same after a crash; everybody names the batch and reveals its root, or is to blame."""
        head = self.place.encode()
        for i, data in said.items():
            if data[: len(head)] != head:
                raise Blame(i, "it does not reveal its seeds of an interrupted batch", BadKeyShare)
        return self.audit({i: data[len(head) :] for i, data in said.items()}, None)
