"""Stage 2 between the nodes: masks are posted and dealt, then all dealt shares are checked against the ciphertexts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacita.protocols import messages
from tacita.protocols.channel import Channel
from tacita.protocols.faults import ProtocolFault
from tacita.protocols.party import Party
from tacita.protocols.stages import bind
from tacita.protocols.stages import masks as mask_stage
from tacita.protocols.stages.bind import Combination, Dealing
from tacita.protocols.stages.masks import PostedMasks
from tacita.protocols.stages.partials import combined, decrypt_partially, verify_partials
from tacita.protocols.stages.setup import Setup


@dataclass(frozen=True)
class Masked:
    """All nodes' masks: as posted, verified, and this node's shares of them."""

    posted: Mapping[str, bytes]
    verified: Mapping[str, PostedMasks]
    shares: Mapping[str, Sequence[int]] = field(repr=False)


async def exchange_masks(party: Party, setup: Setup, channel: Channel, session: bytes) -> Masked:
    """Post this node's masks, deal their shares, verify everybody's."""
    mine = mask_stage.make_masks(setup, session, party.name, party.entropy)
    posted = await channel.broadcast("masks", mine.posted)
    verified = {}
    for name in setup.roster.names:
        verified[name] = mask_stage.verify_masks(setup, session, name, posted[name])
        await asyncio.sleep(0)
    dealt = {peer: mine.dealt[setup.roster.index(peer)] for peer in channel.peers}
    received = {party.name: mine.dealt[party.index], **await channel.exchange("mask shares", dealt)}
    shares = {name: mask_stage.read_shares(setup, name, received[name]) for name in setup.roster.names}
    return Masked(posted, verified, shares)


async def check_dealings(
    party: Party, setup: Setup, channel: Channel, session: bytes, everybody: Sequence[Dealing]
) -> None:
    """Check all dealers' shares at once; raises ConversionMismatch naming a dealer, or SuspectFault.

    Call it when this node holds its shares from everybody.
    """
    # 1. A coin that nobody can know before all parts of it are fixed. A node's commitment is also its receipt for all
    # shares, and no part of the coin is shown before every node's is there: nothing dealt can depend on the coin.
    coin, nonce = party.entropy.token(32), party.entropy.token(32)
    promised = await channel.broadcast("bind commit", bind.commitment(party.name, coin, nonce))
    revealed = await channel.broadcast("bind coin", coin + nonce)
    coins = {}
    for name, payload in revealed.items():
        if len(payload) != 64 or bind.commitment(name, payload[:32], payload[32:]) != promised[name]:
            raise ProtocolFault(name, "its part of the coin is not the one it committed to")
        coins[name] = payload[:32]
    # 2. One combination of everything, from the shares and from the ciphertexts.
    parts = bind.combinations(setup, session, coins, everybody)
    total = bind.together(setup, parts)
    shares, plaintexts = await _open(party, setup, channel, session, "all", [total])
    if bind.check_total(setup, {node: row[0] for node, row in shares.items()}, plaintexts[0]):
        return
    # 3. Somebody dealt wrong shares, or lied just now: the same for every dealer.
    shares, plaintexts = await _open(party, setup, channel, session, "each", parts)
    dealers = [part.dealer for part in parts]
    by_dealer = {dealer: {node: row[i] for node, row in shares.items()} for i, dealer in enumerate(dealers)}
    raise bind.blame(setup, by_dealer, dict(zip(dealers, plaintexts, strict=True)))


async def _open(
    party: Party, setup: Setup, channel: Channel, session: bytes, what: str, parts: Sequence[Combination]
) -> tuple[dict[str, list[int]], list[int]]:
    """Every node's shares of the combinations, and their decryption."""
    width = (setup.demand.prime.bit_length() + 7) // 8
    told = await channel.broadcast(f"bind {what}", b"".join(part.share.to_bytes(width, "big") for part in parts))
    shares = {node: messages.field_elements(node, data, setup.demand.prime, len(parts)) for node, data in told.items()}
    # No node decrypts before it has everybody's shares: the echo of the round above says that all hold the same.
    ciphertexts = [part.ciphertext for part in parts]
    mine = decrypt_partially(setup, bind.context(session, party.name, what), party.share, ciphertexts, party.entropy)
    partials = {}
    for node, data in (await channel.broadcast(f"bind {what} partials", mine)).items():
        partials[node] = verify_partials(setup, bind.context(session, node, what), ciphertexts, data)
        await asyncio.sleep(0)
    return shares, combined(setup, partials)
