"""What a node must still know after a crash, as durable facts.

The seed of a batch is on disk before its first message leaves, every signed broadcast of a running batch when its step
is complete, the winner before its last test, the key before its first use. After the certificate is complete all
secrets of the ceremony but the share are forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.transcript import digest
from tacita.protocols.party import Store

MAX_MESSAGE = 48 << 20


class KeyStore(Store, Protocol):
    """A store that can also forget; `forget` is on disk before it returns."""

    def forget(self, kind: str, key: bytes) -> None:
        """Erase what is stored under (kind, key), if anything."""
        ...


@dataclass(frozen=True)
class Winner:
    """A candidate that passed its first round and the audit of its batch; this node's part of it."""

    batch: int
    epoch: int
    """The epoch in which it was found."""
    index: int
    modulus: int
    p: int = field(repr=False)
    q: int = field(repr=False)

    def encode(self) -> bytes:
        """For the store."""
        writer = Writer().unsigned(self.batch, 4).unsigned(self.epoch, 4).unsigned(self.index, 4)
        for value in (self.modulus, self.p, self.q):
            writer.blob(int(value).to_bytes(1024, "big"))
        return writer.to_bytes()

    @staticmethod
    def decode(data: bytes) -> "Winner":
        """The inverse."""
        reader = Reader(data, "a stored winner")
        numbers = [reader.unsigned(4) for _ in range(3)]
        modulus, p, q = (int.from_bytes(reader.blob(1024), "big") for _ in range(3))
        return Winner(numbers[0], numbers[1], numbers[2], modulus, p, q)

    @property
    def public(self) -> str:
        """Equal at all nodes that hold this winner."""
        fields = ("batch", self.batch), ("epoch", self.epoch), ("index", self.index), ("modulus", self.modulus)
        return digest("keygen-winner", *fields).hex()


Said = Mapping[int, tuple[bytes, bytes]]
"""Party → signed message and signed echo of one broadcast."""


class Memory:
    """The facts of one ceremony at one node."""

    def __init__(self, store: KeyStore, session: bytes) -> None:
        self.store, self.session = store, session

    def _key(self, *numbers: int) -> bytes:
        return self.session + b"".join(n.to_bytes(4, "big") for n in numbers)

    # ---- epochs and batches -----------------------------------------------------------------------------------

    def epochs(self) -> int:
        """How many epochs this node has begun."""
        return self._count("keygen/epoch")

    def begin_epoch(self, epoch: int, label: bytes) -> None:
        """Counted for good: an epoch is never used twice. Epochs that only others saw count as begun, too.

        `label` is that of the channel on which the nodes said hello: evidence needs it after a crash.
        """
        for number in range(self.epochs(), epoch):
            self.store.remember("keygen/epoch", self._key(number), b"begun")
        self.store.remember("keygen/epoch", self._key(epoch), label)

    def label_of(self, epoch: int) -> bytes:
        """The label of an epoch in which this node took part."""
        return self.store.recall("keygen/epoch", self._key(epoch)) or b""

    def beginning(self) -> bytes:
        """How the session id came about, as canonical JSON; see beginning.py."""
        return self.store.recall("keygen/beginning", self.session) or b"null"

    def batches(self) -> int:
        """How many batches this node has begun, or knows that others began."""
        return self._count("keygen/batch")

    def _count(self, kind: str) -> int:
        number = 0
        while self.store.recall(kind, self._key(number)) is not None:
            number += 1
        return number

    def begin_batch(self, batch: int, epoch: int, seed: bytes) -> None:
        """Store the seed before S1; the numbers of batches that only others began are used up as well."""
        for number in range(self.batches(), batch):
            self.store.remember("keygen/batch", self._key(number), b"")
        record = epoch.to_bytes(4, "big") + seed
        if self.store.remember("keygen/batch", self._key(batch), record) != record:
            raise RuntimeError("a batch must not be begun twice")

    def epoch_of(self, batch: int) -> int:
        """The epoch in which this node began a batch."""
        return int.from_bytes((self.store.recall("keygen/batch", self._key(batch)) or b"")[:4], "big")

    def seed(self, batch: int) -> bytes | None:
        """σ of a batch that this node began."""
        return (self.store.recall("keygen/batch", self._key(batch)) or b"")[4:] or None

    def said(self, batch: int, step: str, messages: Said) -> None:
        """A broadcast of a batch is complete."""
        writer = Writer()
        for party, (data, echo) in messages.items():
            writer.unsigned(party, 1).blob(data).blob(echo)
        self.store.remember("keygen/said", self._key(batch) + step.encode(), writer.to_bytes())

    def recall_said(self, batch: int, step: str) -> dict[int, tuple[bytes, bytes]]:
        """What everybody said in a step, or nothing."""
        data = self.store.recall("keygen/said", self._key(batch) + step.encode()) or b""
        reader, messages = Reader(data, "a stored broadcast"), dict[int, tuple[bytes, bytes]]()
        while reader.left:
            party = reader.unsigned(1)
            messages[party] = (reader.blob(MAX_MESSAGE), reader.blob(MAX_MESSAGE))
        return messages

    def audited(self, batch: int, steps: Sequence[str]) -> None:
        """S9 is complete: what was said is not needed any more."""
        self.store.remember("keygen/audited", self._key(batch), b"audited")
        for step in steps:
            self.store.forget("keygen/said", self._key(batch) + step.encode())

    def is_audited(self, batch: int) -> bool:
        """Whether S9 of the batch was complete here."""
        return self.store.recall("keygen/audited", self._key(batch)) is not None

    # ---- the winner and the key -------------------------------------------------------------------------------

    def keep_winner(self, winner: Winner) -> None:
        """Before S8 begins."""
        self.store.remember("keygen/winner", self._key(winner.batch), winner.encode())

    def winner(self) -> Winner | None:
        """The winner of the last batch, if it was not discarded."""
        last = self.batches() - 1
        data = self.store.recall("keygen/winner", self._key(last)) if last >= 0 else None
        return Winner.decode(data) if data else None

    def discard_winner(self, batch: int) -> None:
        """It did not become a key: its parts are erased."""
        self.store.forget("keygen/winner", self._key(batch))

    def theta_seed(self, epoch: int, batch: int, seed: bytes) -> None:
        """τ before K1; fresh in every epoch and for every winner (R8)."""
        if self.store.remember("keygen/theta", self._key(epoch, batch), seed) != seed:
            raise RuntimeError("the seed of an epoch must not be drawn twice")

    def use_theta_seed(self, seed: bytes, epoch: int, batch: int) -> bool:
        """False if this seed has masked an opening of θ before, in whatever epoch."""
        mark = digest("keygen-theta-used", ("seed", seed))
        entry = self._key(epoch, batch)
        return self.store.recall("keygen/opened", mark) is None and (
            self.store.remember("keygen/opened", mark, entry) == entry
        )

    def keep_key(self, data: bytes) -> None:
        """The self-certified key and this node's share, before K5; in place of one that was not signed."""
        self.drop_key()
        self.store.remember("keygen/key", self.session, data)

    def drop_key(self) -> None:
        """Before the winner is opened: from then on this node cannot sign its key."""
        self.store.forget("keygen/key", self.session)

    def key(self) -> bytes | None:
        """What keep_key stored."""
        return self.store.recall("keygen/key", self.session)

    def sign(self, identifier: bytes) -> bool:
        """True if this node may sign this key: it never signs two keys of one ceremony."""
        return self.store.remember("keygen/signed", self.session, identifier) == identifier

    def signed(self) -> bytes | None:
        """The identifier of the key that this node signed."""
        return self.store.recall("keygen/signed", self.session)

    def certify(self, certificate: bytes, steps: Sequence[str]) -> None:
        """All signatures are there; every secret of the ceremony but the share goes."""
        self.store.remember("keygen/certificate", self.session, certificate)
        for batch in range(self.batches()):
            self.discard_winner(batch)
            for epoch in range(self.epochs()):
                self.store.forget("keygen/theta", self._key(epoch, batch))
        for batch in reversed(range(self.batches())):
            for step in steps:
                self.store.forget("keygen/said", self._key(batch) + step.encode())
            self.store.forget("keygen/batch", self._key(batch))

    def certificate(self) -> bytes | None:
        """The complete certificate."""
        return self.store.recall("keygen/certificate", self.session)

    def end(self, reason: str) -> None:
        """A cheater was named: this ceremony never goes on."""
        self.store.remember("keygen/ended", self.session, reason.encode())

    def ended(self) -> str | None:
        """Why the ceremony ended."""
        data = self.store.recall("keygen/ended", self.session)
        return data.decode() if data is not None else None
