"""A node that misbehaves: it runs the honest code, and what it sends is changed on the way out.

silent         from one round on it says nothing more, to nobody
equivocating   one node gets another payload than the rest, properly signed
garbage        one round's message is noise to everybody, signed or not
wrong product  its engine adds an error to what it deals in one multiplication, and goes on consistently
pausing        it does not say what belongs into one round, the first time, and then goes on as if nothing had been
"""

from collections.abc import Sequence
from dataclasses import replace

from tacita.crypto.integers import inverse
from tacita.crypto.signature import SIGNATURE_BYTES, SigningKey
from tacita.deploy.simulate.plan import BROADCASTS, EVERY_ROUND, Chance, Misbehaviour
from tacita.protocols.envelope import EVERYONE, Envelope, sign
from tacita.protocols.mpc.engine import IntArray
from tacita.protocols.mpc.shared import SharedEngine

PRODUCTS = 8
"""The error is in one of so many first multiplications."""


class Deviant:
    """Changes what one node sends; `did` tells what it has done."""

    def __init__(self, plan: Misbehaviour, key: SigningKey, chance: Chance) -> None:
        self.plan, self._key, self._chance = plan, key, chance
        rounds = BROADCASTS if plan.kind == "equivocating" else EVERY_ROUND
        self.round = rounds[plan.round % len(rounds)]
        self.silent = False
        self.did: list[str] = []
        self._paused = set[str]()
        self._noise: dict[str, bytes] = {}

    def messages(self, receiver: str, data: bytes) -> Sequence[bytes]:
        """What is sent instead of this signed message."""
        envelope = Envelope.decode(data[SIGNATURE_BYTES:])
        begins = envelope.round == self.round
        if self.plan.kind == "silent" and (begins or self.silent):
            self.silent = True
            self.did.append(envelope.round)
            return []
        if self.plan.kind == "pausing" and begins and receiver not in self._paused:
            self._paused.add(receiver)
            self.did.append(envelope.round)
            return []
        if not begins or self.plan.kind not in ("equivocating", "garbage"):
            return [data]
        if self.plan.kind == "garbage":
            self.did.append(envelope.round)
            return [self._garbage(envelope, len(data))]
        if receiver != self.plan.victim:
            return [data]
        self.did.append(envelope.round)
        changed = envelope.payload[:-1] + bytes([envelope.payload[-1] ^ 1])
        return [sign(replace(envelope, payload=changed), self._key)]

    def _garbage(self, envelope: Envelope, size: int) -> bytes:
        """Noise of the same length, the same for all receivers of a broadcast; every other node signs it."""
        to = envelope.receiver
        if to not in self._noise:
            noise = bytes(self._chance.below(256) for _ in range(min(size, 4096)))
            signed = sign(replace(envelope, payload=noise), self._key)
            self._noise[to] = signed if self.plan.round % 2 == 0 or to != EVERYONE else noise
        return self._noise[to]

    def engine(self) -> type[SharedEngine]:
        """The engine that the node runs."""
        return _wrong_product(self) if self.plan.kind == "wrong product" else SharedEngine


def _wrong_product(deviant: Deviant) -> type[SharedEngine]:
    """An engine that adds 1 to the first product of one resharing."""
    left = [deviant.plan.round % PRODUCTS]

    class WrongProduct(SharedEngine):
        async def _reshare(self, products: IntArray) -> IntArray:
            if left[0] == 0:
                deviant.did.append("product")
                products = products.copy()
                products[0, 0] += inverse(self.shares._degree_2t[self.shares.me], self.prime)
            left[0] -= 1
            return await super()._reshare(products)

    return WrongProduct
