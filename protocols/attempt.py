"""One attempt: from the frozen bids to what a ticket is about, and when a failed one may be followed by another.

Whatever an attempt draws belongs to it alone: engine keys, masks, coins, the blind of every bid object, the label that
its messages carry. It takes over the frozen objects and the order, and nothing from an earlier attempt. So an attempt
that fails leaves behind what an attempt shows in any case: values under masks that are not used again.

An attempt begins when every node has heard every other one in it (`join`). A node that has signed a ticket never gets
here again, so no attempt begins after a ticket that could still be completed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.sealing import SealingKey
from tacita.protocols.binding import check_dealings, exchange_masks
from tacita.protocols.channel import DISPUTE_SECONDS, Channel
from tacita.protocols.faults import BadKeyShare, LocalFault, MachineFault, PeerFault, PeerRefused, ProtocolFault
from tacita.protocols.mpc.sharing import EngineKeys
from tacita.protocols.party import Event, Job, Party, Solved
from tacita.protocols.proving import Prover
from tacita.protocols.reading import Reading, complaint
from tacita.protocols.stages import commit, share
from tacita.protocols.stages.masks import summed


def may_follow(error: BaseException) -> bool:
    """Whether another attempt may follow: nobody is convicted, and it is not this machine that is unfit."""
    return isinstance(error, PeerFault | MachineFault) and not isinstance(
        error, ProtocolFault | LocalFault | PeerRefused
    )


@dataclass(frozen=True)
class Opened:
    """What this node found in its envelopes, once for all attempts."""

    shares: Mapping[str, Sequence[int]] = field(repr=False)
    """Participant → shares of its fields and of all its blinds."""
    answer: bytes
    """What the node says of it in `shares`: a complaint, or that it holds all shares."""


def open_envelopes(party: Party, reading: Reading, envelope_keys: Mapping[str, SealingKey]) -> Opened:
    """`envelope_keys`: what opens this node's envelope of each participant."""
    shares = dict[str, Sequence[int]]()
    for name, bid in reading.bids.items():
        envelope, key = reading.objects[name].envelopes[party.index], envelope_keys[name]
        try:
            shares[name] = commit.open_shares(reading.setup, name, bid, envelope, party.name, key)
        except BadKeyShare:
            return Opened(shares, complaint(name, key))
    return Opened(shares, b"ok")


def patience(party: Party, number: int) -> float:
    """How many seconds longer than in other rounds the nodes wait for one another where an attempt begins.

    A node may still be in the attempt before this one, waiting for a ticket to come together.
    """
    return party.deadline + DISPUTE_SECONDS if number > 1 else 0.0


async def join(party: Party, channel: Channel, mine: share.Contributions, number: int) -> dict[str, bytes]:
    """The first round under the session id of this attempt: everybody's part of the engine's keys, from everybody."""
    sent = {peer: mine.for_peer(party.roster.index(peer)) for peer in channel.peers}
    return await channel.exchange("keys", sent, patience(party, number))


async def compute(
    party: Party,
    prover: Prover,
    channel: Channel,
    mine: share.Contributions,
    received: Mapping[str, bytes],
    opened: Opened,
) -> Solved:
    """Stages 2 and 3; in the end all nodes know that they have opened the same values.

    `received` is what `join` returned.
    """
    reading, setup = prover.reading, prover.reading.setup
    keys = await _keys(party, prover, channel, mine, received)
    shares = await _shares(reading, channel, opened)
    party.report(Event("masks"))
    mask_shares = await exchange_masks(party, prover, channel)
    party.report(Event("bind"))
    await check_dealings(party, reading, channel, {**shares, **mask_shares})
    party.report(Event("solve", 0, 1))
    job = Job(
        session=reading.session,
        terms=setup.terms.tree,
        patterns={e.name: e.pattern for e in setup.enrolled},
        order=reading.order,
        nodes=party.roster.names,
        index=party.index,
        threshold=party.roster.threshold,
        keys=keys,
        inputs=share.by_block(setup, shares),
        masks=summed(setup, mask_shares),
    )
    work = asyncio.ensure_future(party.solver(job, lambda k, total: party.report(Event("solve", k, total))))
    with prover.reads_frames():
        solved = await channel.guarded(work)
    party.report(Event("release"))
    reading.opened = solved.opened
    reading.check_opened()
    reading.said["openings"] = await channel.broadcast("openings", reading.openings)
    reading.same_openings(party.name)
    reading.root = channel.root
    return solved


async def _keys(
    party: Party, prover: Prover, channel: Channel, mine: share.Contributions, received: Mapping[str, bytes]
) -> EngineKeys:
    reading, roster, me, told = prover.reading, party.roster, party.index, {}
    for name, data in received.items():
        with prover.reads(channel, "keys", name):
            told[roster.index(name)] = reading.contributions(name, party.name, data)
    keys = share.derive_keys(me, reading.session, mine, told)
    confirmed, longer = share.confirmations(roster, keys), patience(party, reading.attempt)
    # A peer that has heard only some of the others waits for the rest before it says this.
    reading.said["confirm keys"] = await channel.broadcast("confirm keys", confirmed, longer)
    reading.confirmed()
    return share.engine_keys(roster, me, keys)


async def _shares(reading: Reading, channel: Channel, opened: Opened) -> dict[str, list[int]]:
    """This node's shares of all inputs. Nobody computes on shares that somebody else could not open."""
    reading.said["shares"] = await channel.broadcast("shares", opened.answer)
    reading.shares_held()
    return {name: commit.of_attempt(bid, opened.shares[name], reading.attempt) for name, bid in reading.bids.items()}
