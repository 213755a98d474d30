"""Stage 2 between the nodes: masks are posted and dealt, then all dealt shares are checked against the ciphertexts."""

import asyncio
from collections.abc import Mapping, Sequence

from tacita.protocols.channel import Channel
from tacita.protocols.party import Party
from tacita.protocols.proving import Prover
from tacita.protocols.reading import Reading
from tacita.protocols.stages import bind
from tacita.protocols.stages import masks as mask_stage
from tacita.protocols.stages.bind import Combination
from tacita.protocols.stages.partials import decrypt_partially


async def exchange_masks(party: Party, prover: Prover, channel: Channel) -> dict[str, Sequence[int]]:
    """Post this node's masks, deal their shares, verify everybody's; returns this node's shares by dealer."""
    reading = prover.reading
    mine = mask_stage.make_masks(reading.setup, reading.session, party.name, party.entropy)
    reading.said["masks"] = await channel.broadcast("masks", mine.posted)
    for name in reading.roster.names:
        reading.posted(name)
        await asyncio.sleep(0)
    dealt = {peer: mine.dealt[reading.roster.index(peer)] for peer in channel.peers}
    received = {party.name: mine.dealt[party.index], **await channel.exchange("mask shares", dealt)}
    shares = dict[str, Sequence[int]]()
    for name in reading.roster.names:
        with prover.reads(channel, "mask shares", name):
            shares[name] = reading.mask_shares(name, received[name])
    return shares


async def check_dealings(party: Party, reading: Reading, channel: Channel, shares: Mapping[str, Sequence[int]]) -> None:
    """Check all dealers' shares at once; raises ConversionMismatch naming a dealer, or SuspectFault.

    Call it when this node holds its shares from everybody: `shares` by dealer.
    """
    # 1. A coin that nobody can know before all parts of it are fixed. A node's commitment is also its receipt for all
    # shares, and no part of the coin is shown before every node's is there: nothing dealt can depend on the coin.
    coin, nonce = party.entropy.token(32), party.entropy.token(32)
    reading.said["bind commit"] = await channel.broadcast("bind commit", bind.commitment(party.name, coin, nonce))
    reading.said["bind coin"] = await channel.broadcast("bind coin", coin + nonce)
    # 2. One combination of everything, from the shares and from the ciphertexts.
    parts = reading.combinations(shares)
    await _open(party, reading, channel, "all", [bind.together(reading.setup, parts)])
    if reading.bound():
        return
    # 3. Somebody dealt wrong shares, or lied just now: the same for every dealer.
    await _open(party, reading, channel, "each", parts)
    raise reading.blame()


async def _open(party: Party, reading: Reading, channel: Channel, what: str, parts: Sequence[Combination]) -> None:
    """Every node's shares of the combinations, and their decryption."""
    setup = reading.setup
    width = (setup.demand.prime.bit_length() + 7) // 8
    mine = b"".join(part.share.to_bytes(width, "big") for part in parts)
    reading.said[f"bind {what}"] = await channel.broadcast(f"bind {what}", mine)
    reading.opened_shares(what)
    # No node decrypts before it has everybody's shares: the echo of the round above says that all hold the same.
    context = bind.context(reading.session, party.name, what)
    mine = decrypt_partially(setup, context, party.share, reading.ciphertexts(what), party.entropy)
    reading.said[f"bind {what} partials"] = await channel.broadcast(f"bind {what} partials", mine)
    for node in reading.roster.names:
        reading.partials(what, node)
        await asyncio.sleep(0)
