"""Stage 4: output shares become ciphertexts, all nodes sign the ticket, then any t+1 decrypt with proofs.

Every node has posted encryptions of random masks r_i with exact ranges and dealt shares of them (masks.py); the engine
opens b = a − lo + Σ r_i for every output a. Everybody forms c = (1 + b·N)·∏ Enc(r_i)⁻¹, an encryption of a − lo that no
single node made, packs several into one, and puts its owner's committed mask on a private output. The ticket fixes the
output ciphertexts and their recipients before the first partial decryption, so outputs are a deterministic function of
it: nobody can look first and refuse, repeat or change the decryption afterwards.
"""

from collections.abc import Mapping, Sequence

from gmpy2 import mpz, powmod

from tacita.crypto.entropy import Entropy
from tacita.crypto.integers import Integer, inverse, product
from tacita.crypto.security import MASK_BITS
from tacita.crypto.threshold import KeyShare
from tacita.crypto.transcript import Context, Transcript
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.policies.base import EVERYBODY
from tacita.protocols.stages import partials
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.masks import PostedMasks
from tacita.protocols.stages.setup import Packed, Setup


def output_ciphertexts(
    setup: Setup,
    opened: Mapping[str, Sequence[int]],
    masks: Sequence[PostedMasks],
    bids: Mapping[str, BidObject],
) -> list[Integer]:
    """The ciphertexts that will be decrypted, one per Setup.outputs; `opened` holds b per output label."""
    encryption, results = setup.key.encryption, []
    used: dict[str, int] = {}
    first = 0
    for packed in setup.outputs:
        total = sum(mpz(opened[v.label][v.index]) << v.shift for v in packed.values)
        # ∏ Enc(Σ r_i)^(2^shift), from the last value down: as many squarings as the plaintext has bits.
        mask, shift = mpz(1), packed.values[-1].shift
        for offset, value in reversed(list(enumerate(packed.values))):
            mask = powmod(mask, 1 << (shift - value.shift), encryption.square)
            mask = product([mask, *(row.values[first + offset] for row in masks)], encryption.square)
            shift = value.shift
        first += len(packed.values)
        c = encryption.with_plaintext(total) * inverse(mask, encryption.square) % encryption.square
        if packed.recipient != EVERYBODY:
            number = used.get(packed.recipient, 0)
            used[packed.recipient] = number + 1
            c = c * bids[packed.recipient].masks[number] % encryption.square
        encryption.check(c)
        results.append(c)
    return results


def check_opened(setup: Setup, opened: Mapping[str, Sequence[int]]) -> None:
    """Refuse opened values outside [0, 2^bits + m·2^mask_bits): they cannot be sums of a value and masks."""
    if set(opened) != {block.label for block in setup.demand.outputs}:
        raise VerificationFailed("the opened output masks have wrong labels")
    parties = len(setup.roster.nodes)
    for block in setup.demand.outputs:
        bits = (block.hi - block.lo).bit_length()
        limit = (1 << bits) + (parties << (bits + MASK_BITS))
        if len(opened[block.label]) != block.size or any(not 0 <= b < limit for b in opened[block.label]):
            raise VerificationFailed(f"the opened masks of '{block.label}' have a wrong number or size")


def ticket(setup: Setup, session: bytes, freeze: bytes, root: bytes, ciphertexts: Sequence[Integer]) -> bytes:
    """H(session, freeze digest, transcript root, output ciphertexts with recipients): signed before decryption."""
    transcript = Transcript("ticket").absorb("auction", setup.auction_id).absorb("session", session)
    transcript.absorb("freeze", freeze).absorb("root", root).absorb("outputs", len(ciphertexts))
    for packed, c in zip(setup.outputs, ciphertexts, strict=True):
        transcript.absorb("recipient", packed.recipient).absorb("ciphertext", c)
    return transcript.digest()


# ---- decryption ---------------------------------------------------------------------------------------------------


def _context(ticket_digest: bytes, node: str) -> Context:
    return Context(ticket_digest, "release", node, "outputs")


def decrypt_partially(
    setup: Setup, ticket_digest: bytes, node: str, share: KeyShare, ciphertexts: Sequence[Integer], entropy: Entropy
) -> bytes:
    """This node's partial decryptions of exactly the ticket's ciphertexts, with one proof for all."""
    return partials.decrypt_partially(setup, _context(ticket_digest, node), share, ciphertexts, entropy)


def verify_partials(
    setup: Setup, ticket_digest: bytes, node: str, ciphertexts: Sequence[Integer], data: bytes
) -> list[Integer]:
    """The node's partial decryptions, verified; raises BadPartialDecryption naming the node."""
    return partials.verify_partials(setup, _context(ticket_digest, node), ciphertexts, data)


def decrypt(setup: Setup, verified: Mapping[str, Sequence[Integer]]) -> list[int]:
    """The packed plaintexts from t+1 nodes' verified partial decryptions."""
    return partials.combined(setup, verified)


def unpack(packed: Packed, plaintext: int, masks: Sequence[int] | None = None) -> list[tuple[str, int, int]]:
    """(label, index, value) of every packed value, minus the owner's masks if given.

    Raises VerificationFailed if a value is outside its public interval.
    """
    if masks is not None:
        plaintext -= sum(d << v.shift for v, d in zip(packed.values, masks, strict=True))
    if plaintext < 0:
        raise VerificationFailed("a decrypted output is negative, which no honest session produces")
    results, ends = [], [v.shift for v in packed.values[1:]] + [plaintext.bit_length() + 1]
    for value, end in zip(packed.values, ends, strict=True):
        digit = (plaintext >> value.shift) & ((1 << max(0, end - value.shift)) - 1)
        if digit > value.hi - value.lo:
            raise VerificationFailed(f"the decrypted output '{value.label}' leaves its public interval")
        results.append((value.label, value.index, digit + value.lo))
    return results
