"""One attempt: from the frozen bids to what a ticket is about, and when a failed one may be followed by another.

Whatever an attempt draws belongs to it alone: engine keys, masks, coins, the blind of every bid object, the label that
its messages carry. It takes over the frozen objects and the order, and nothing from an earlier attempt. So an attempt
that fails leaves behind what an attempt shows in any case: values under masks that are not used again.

An attempt begins when every node has heard every other one in it (`join`). A node that has signed a ticket never gets
here again, so no attempt begins after a ticket that could still be completed.
"""

import asyncio
from collections.abc import Mapping

from tacita.crypto.sealing import SealingKey
from tacita.protocols.binding import check_dealings, exchange_masks
from tacita.protocols.channel import Channel
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


async def join(party: Party, channel: Channel, mine: share.Contributions, longer: float) -> dict[str, bytes]:
    """The first round under the session id of this attempt: everybody's part of the engine's keys, from everybody."""
    sent = {peer: mine.for_peer(party.roster.index(peer)) for peer in channel.peers}
    return await channel.exchange("keys", sent, longer)


async def compute(
    party: Party,
    prover: Prover,
    channel: Channel,
    mine: share.Contributions,
    received: Mapping[str, bytes],
    envelope_keys: Mapping[str, SealingKey],
) -> Solved:
    """Stages 2 and 3; in the end all nodes know that they have opened the same values.

    `received` is what `join` returned; `envelope_keys` opens this node's envelopes, by participant.
    """
    reading, setup = prover.reading, prover.reading.setup
    keys = await _keys(party, prover, channel, mine, received)
    shares = await _shares(party, reading, channel, envelope_keys)
    party.report(Event("masks"))
    mask_shares = await exchange_masks(party, prover, channel)
    party.report(Event("bind"))
    await check_dealings(party, reading, channel, {**shares, **mask_shares})
    party.report(Event("solve", 0, 1))
    job = Job(
        terms=setup.terms.tree,
        patterns={e.name: e.pattern for e in setup.enrolled},
        order=reading.order,
        index=party.index,
        parties=len(party.roster.nodes),
        threshold=party.roster.threshold,
        keys=keys,
        inputs=share.by_block(setup, shares),
        masks=summed(setup, mask_shares),
    )
    work = asyncio.ensure_future(
        party.solver(job, reading.session, lambda k, total: party.report(Event("solve", k, total)))
    )
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
    reading.said["confirm keys"] = await channel.broadcast("confirm keys", share.confirmations(roster, keys))
    reading.confirmed()
    return share.engine_keys(roster, me, keys)


async def _shares(
    party: Party, reading: Reading, channel: Channel, envelope_keys: Mapping[str, SealingKey]
) -> dict[str, list[int]]:
    """This node's shares of all inputs. Nobody computes on shares that somebody else could not open."""
    shares, answer = dict[str, list[int]](), b"ok"
    for name, bid in reading.bids.items():
        envelope, key = reading.objects[name].envelopes[party.index], envelope_keys[name]
        try:
            opened = commit.open_shares(reading.setup, name, bid, envelope, party.name, key)
        except BadKeyShare:
            answer = complaint(name, key)
            break
        shares[name] = commit.of_attempt(bid, opened, reading.attempt)
    reading.said["shares"] = await channel.broadcast("shares", answer)
    reading.shares_held()
    return shares
