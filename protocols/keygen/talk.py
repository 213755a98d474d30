"""Signed rounds by party number, with everybody's signed words kept as evidence and in the journal (R12).

`say` is an echo broadcast, `tell` a private message to each, `open` a commitment by all followed by the openings.
Whoever opens something else than it committed to is blamed at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tacita.crypto.entropy import Entropy
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import Envelope, open_signed
from tacita.protocols.faults import Equivocation, Evidence
from tacita.protocols.keygen.beginning import context
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.memory import Memory, Said
from tacita.protocols.keygen.statements import Place
from tacita.protocols.roster import Roster

CHECK = "keygen"
NONCE_BYTES = 32


@dataclass
class Record:
    """What was said in a batch, as payloads with the signed bytes that prove them."""

    said: dict[str, dict[int, bytes]] = field(default_factory=dict)
    """Round → party → payload of a broadcast."""
    told: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    """(round, sender, receiver) → payload of a private message that is shown as evidence."""
    signed: list[bytes] = field(default_factory=list)

    def add(self, envelope: Envelope, data: bytes, roster: Roster) -> None:
        """Enter a signed message."""
        sender = roster.index(envelope.sender) + 1
        if envelope.receiver in roster.names:
            self.told[envelope.round, sender, roster.index(envelope.receiver) + 1] = envelope.payload
        else:
            self.said.setdefault(envelope.round, {})[sender] = envelope.payload
        self.signed.append(data)

    def enter(self, signed: Said, roster: Roster) -> None:
        """Enter a broadcast with its echoes, for example from the journal."""
        for pair in signed.values():
            for data in pair:
                self.add(open_signed(data, roster)[0], data, roster)


class Talk:
    """One batch's channel at one party."""

    def __init__(self, channel: Channel, place: Place, memory: Memory, entropy: Entropy) -> None:
        self.channel, self.place, self.memory = channel, place, memory
        self._entropy = entropy
        self.roster = channel.roster
        self.me = self.roster.index(channel.me) + 1
        self.record = Record()
        self.messages = 0

    def party(self, name: str) -> int:
        """The party number of a node."""
        return self.roster.index(name) + 1

    def name(self, party: int) -> str:
        """The node of a party number."""
        return self.roster.names[party - 1]

    async def say(self, step: str, payload: bytes) -> dict[int, bytes]:
        """Broadcast; everybody's payload by party number, mine included, on disk before it is used."""
        received = await self.channel.broadcast(step, payload)
        said = self.channel.signed
        signed = {self.party(n): (said(step, n), said(f"{step}/echo", n)) for n in received}
        self.record.enter(signed, self.roster)
        self.memory.said(self.place.batch, step, signed)
        return {self.party(name): data for name, data in received.items()}

    async def tell(self, step: str, payloads: Mapping[int, bytes]) -> dict[int, bytes]:
        """A private message to every other party, and one from each."""
        received = await self.channel.exchange(step, {self.name(j): payloads[j] for j in payloads})
        return {self.party(name): data for name, data in received.items()}

    def show(self, step: str, sender: int) -> None:
        """Put a private message that I received into the record: it proves its sender's fault."""
        data = self.channel.signed(step, self.name(sender))
        self.record.add(open_signed(data, self.roster)[0], data, self.roster)

    async def open(self, commit: str, step: str, payload: bytes) -> dict[int, bytes]:
        """Commit, wait for everybody's commitment, open; raises Blame for an opening that does not match."""
        nonce = self._entropy.token(NONCE_BYTES)
        await self.say(commit, self.place.commitment(step, self.me, nonce, payload))
        await self.say(step, nonce + payload)
        return opened(self.place, self.record, commit, step)

    def evidence(self) -> Evidence:
        """Everything that was said so far in this batch, with everybody's echoes and what a judge has to know."""
        batch, memory = self.place.batch, self.memory
        epochs = {number: memory.label_of(number) for number in (memory.epoch_of(batch), self.place.epoch)}
        return Evidence(CHECK, tuple(self.record.signed), context(memory.beginning(), batch, epochs))


def opened(place: Place, record: Record, commit: str, step: str) -> dict[int, bytes]:
    """The payloads of an opening, each checked against its sender's commitment; raises Blame."""
    payloads = {}
    for party, data in record.said[step].items():
        nonce, payload = data[:NONCE_BYTES], data[NONCE_BYTES:]
        if place.commitment(step, party, nonce, payload) != record.said[commit][party] or len(nonce) != NONCE_BYTES:
            raise Blame(party, f"in step {step} it opens something else than it committed to", Equivocation)
        payloads[party] = payload
    return payloads
