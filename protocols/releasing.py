"""Stage 4 between the nodes: everybody's signature on the ticket, then partial decryptions.

Whoever holds all signatures on the ticket may show its partial decryptions. So a node that has signed can no longer
leave because somebody is silent, lies or says stop: another node may already be decrypting, and if the honest ones
left it alone, one corrupt node would learn the result that they do not get. A node with all signatures sends them to
everybody at once; a node that lacks one waits for such a set as long as an honest node may still complete its own.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacita.crypto.errors import InvalidSignature
from tacita.crypto.signature import BLS_SIGNATURE_BYTES, SIGNATURE_BYTES, aggregate, verify_aggregate
from tacita.protocols import messages
from tacita.protocols.channel import DISPUTE_SECONDS, Channel
from tacita.protocols.faults import Absent, CallerMistake, Evidence, InvalidEncodingFault, ProtocolFault
from tacita.protocols.party import Party
from tacita.protocols.stages import release
from tacita.protocols.stages.setup import Setup

TICKET, SIGNED, PARTIALS = "ticket", "signed", "partials"
SIZE = SIGNATURE_BYTES + BLS_SIGNATURE_BYTES

Complete = tuple[dict[str, bytes], bytes]
"""Everybody's signatures, and the aggregate of their BLS parts."""


@dataclass(frozen=True)
class Signed:
    """A ticket that all nodes signed."""

    signatures: Mapping[str, bytes]
    """Ed25519 ‖ BLS of every node."""
    aggregate: bytes
    faults: tuple[ProtocolFault, ...]
    """What was wrong with messages that did not prevent this."""


Evident = Callable[[str, list[bytes]], Evidence]
"""(round, signed messages in question) → evidence."""


async def sign_ticket(party: Party, setup: Setup, channel: Channel, ticket: bytes, evident: Evident) -> Signed:
    """Sign, and collect everybody's signatures; raises what prevents that, and then no honest node decrypts."""
    if party.store.remember("ticket", setup.auction_id, ticket) != ticket:
        raise CallerMistake("this node has signed another outcome of this auction; it will not sign a second one")
    channel.raise_failure()  # the last moment to leave
    mine = party.identity.sign("ticket", ticket) + party.multi.sign(ticket)
    await channel.post(TICKET, mine)
    held, faults = {party.name: mine}, list[ProtocolFault]()
    # Another node may have begun one deadline later than this one and completes within another.
    seconds = 2 * channel.deadline + DISPUTE_SECONDS
    async for what, peer, payload, passed in channel.heard((TICKET, SIGNED), seconds):
        late = passed > channel.deadline
        try:
            if what == TICKET and not late:
                held[peer] = _checked(setup, ticket, peer, payload)
                complete = _aggregated(setup, ticket, held)
            elif what == SIGNED and (peer in held or not late):
                # Later than that, a set counts only from who did not hold back its own signature.
                complete = read_set(setup, ticket, peer, payload)
            else:
                continue
        except ProtocolFault as fault:
            fault.evidence = evident(what, [channel.signed(what, fault.culprit)])
            faults.append(fault)
            if what == TICKET:
                held.pop(fault.culprit, None)
            continue
        if complete is not None:
            party.store.remember("spent", setup.auction_id, ticket)
            await channel.post(SIGNED, b"".join(complete[0][name] for name in setup.roster.names))
            return Signed(*complete, tuple(faults))
    channel.raise_failure(ProtocolFault)
    if faults:
        raise faults[0]
    channel.raise_failure()
    raise Absent(next(peer for peer in channel.peers if peer not in held), TICKET)


def check_ticket(setup: Setup, ticket: bytes, name: str, data: bytes) -> None:
    """Refuse what is not this node's two signatures on the ticket; raises ProtocolFault naming it."""
    _checked(setup, ticket, name, data)
    try:
        verify_aggregate([setup.roster.nodes[setup.roster.index(name)].multi], ticket, data[SIGNATURE_BYTES:])
    except InvalidSignature:
        raise ProtocolFault(name, "its BLS signature on the ticket does not verify") from None


def _checked(setup: Setup, ticket: bytes, name: str, data: bytes) -> bytes:
    if len(data) != SIZE:
        raise InvalidEncodingFault(name, "its signatures on the ticket have a wrong length")
    identity = setup.roster.nodes[setup.roster.index(name)].identity
    messages.check_signed(name, identity, "ticket", ticket, data[:SIGNATURE_BYTES])
    return data


def read_set(setup: Setup, ticket: bytes, sender: str, data: bytes) -> Complete | None:
    """A set that a peer passes on; whatever is wrong with it is that peer's fault, who should have noticed."""
    names = setup.roster.names
    pieces = {name: data[i * SIZE : (i + 1) * SIZE] for i, name in enumerate(names)}
    try:
        if len(data) == SIZE * len(names):
            for name, piece in pieces.items():
                _checked(setup, ticket, name, piece)
            return _aggregated(setup, ticket, pieces)
    except ProtocolFault:
        pass
    raise ProtocolFault(sender, "it passes on signatures on the ticket that do not hold")


def _aggregated(setup: Setup, ticket: bytes, held: Mapping[str, bytes]) -> Complete | None:
    """With all signatures: these and one BLS signature; if it does not verify, find out whose part is wrong."""
    nodes = setup.roster.nodes
    if len(held) < len(nodes):
        return None
    parts = {name: data[SIGNATURE_BYTES:] for name, data in held.items()}
    try:
        together = aggregate([parts[node.name] for node in nodes])
        verify_aggregate([node.multi for node in nodes], ticket, together)
    except (InvalidSignature, ValueError, AssertionError):
        for node in nodes:
            check_ticket(setup, ticket, node.name, held[node.name])
        raise
    return dict(held), together


async def decrypt(
    party: Party, setup: Setup, channel: Channel, ticket: bytes, outputs: Sequence[Any], evident: Evident
) -> tuple[dict[str, bytes], list[int], list[ProtocolFault | Absent]]:
    """t+1 nodes' partial decryptions, the plaintexts, and what was wrong with other nodes' partial decryptions."""
    needed = setup.roster.threshold + 1
    mine = release.decrypt_partially(setup, ticket, party.name, party.share, outputs, party.entropy)
    # The ticket fixes the result and partial decryptions prove themselves, so from here on any t+1 nodes are
    # enough. The first t+1 of the roster that answer well: if all do, every node picks the same ones.
    partials: dict[str, list[Any]] = {}
    chosen: dict[str, bytes] = {}
    faults: list[ProtocolFault | Absent] = []
    async for name, data in channel.offer(PARTIALS, mine):
        try:
            if data is None:
                raise Absent(name, PARTIALS)
            partials[name] = release.verify_partials(setup, ticket, name, outputs, data)
            chosen[name] = data
        except ProtocolFault as fault:
            fault.evidence = evident(PARTIALS, [channel.signed(PARTIALS, name)])
            faults.append(fault)
        except Absent as absent:
            faults.append(absent)
        await asyncio.sleep(0)
        if len(chosen) == needed:
            break
    if len(chosen) < needed:
        raise faults[0]
    return chosen, release.decrypt(setup, partials), faults
