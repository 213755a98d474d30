"""Before stage 3: every node's masks r_i, one per output value, which later turn output shares into ciphertexts.

A node posts an encryption of every mask with a proof of its exact range and deals shares of them to all nodes. It also
posts and deals one blinding integer, which hides the random combination of its masks that `binding` opens to check
that the shares are shares of what is encrypted. Fresh for every session: masks are never used twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.encoding import Reader, Writer, byte_width
from tacita.crypto.entropy import Entropy, random_bits
from tacita.crypto.errors import CryptoError
from tacita.crypto.integers import Integer
from tacita.crypto.proofs import quadratic
from tacita.crypto.proofs.quadratic import Proof, Statement
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.shamir import share
from tacita.crypto.transcript import Context
from tacita.protocols.faults import BadKeyShare, InvalidProofFault
from tacita.protocols.stages.setup import Setup


@dataclass(frozen=True)
class PostedMasks:
    """What a node publishes: an encryption per output value, in the order of Setup.output_values, and of the blind."""

    values: tuple[Integer, ...]
    blind: Integer


@dataclass(frozen=True)
class Masks:
    """One node's own masks: what it deals and what it posts."""

    dealt: tuple[bytes, ...] = field(repr=False)
    """For every node its shares of the masks and of the blind."""
    posted: bytes
    """Ciphertexts and proof."""


def _statement(setup: Setup, posted: PostedMasks) -> tuple[Relations, Statement]:
    relations, links = Relations(), []
    bits, randomness = [v.mask_bits for v in setup.output_values], setup.key.encryption.randomness_bits
    for c, size in zip((*posted.values, posted.blind), (*bits, setup.mask_blind_bits), strict=True):
        digit = relations.integer((1 << size) - 1)
        relations.in_range(digit, 0, (1 << size) - 1)
        links.append(link(c, digit, randomness))
    return relations, relations.statement(links)


def _context(session: bytes, node: str) -> Context:
    return Context(session, "masks", node, "output masks")


def make_masks(setup: Setup, session: bytes, node: str, entropy: Entropy) -> Masks:
    """Fresh masks and blind of this node."""
    key, prime = setup.key.encryption, setup.demand.prime
    numbers = [random_bits(entropy, v.mask_bits) for v in setup.output_values]
    numbers.append(random_bits(entropy, setup.mask_blind_bits))
    encrypted = [key.encrypt(x, entropy) for x in numbers]
    posted = PostedMasks(tuple(c for c, _ in encrypted[:-1]), encrypted[-1][0])
    relations, statement = _statement(setup, posted)
    known = {quad.terms[0][0]: x for quad, x in zip(statement.paillier, numbers, strict=True)}
    witness = relations.witness(known, [t for _, t in encrypted], [], entropy)
    proof = quadratic.prove(setup.parameters, _context(session, node), statement, witness, entropy)
    writer = Writer()
    for c, _ in encrypted:
        writer.unsigned(c, key.ciphertext_bytes)
    posted_bytes = writer.blob(proof.encode(setup.parameters, statement)).to_bytes()
    rows = [share(x, prime, setup.roster.threshold, len(setup.roster.nodes), entropy) for x in numbers]
    width = byte_width(prime.bit_length())
    dealt = tuple(b"".join(row[i].to_bytes(width, "big") for row in rows) for i in range(len(setup.roster.nodes)))
    return Masks(dealt, posted_bytes)


def verify_masks(setup: Setup, session: bytes, node: str, data: bytes) -> PostedMasks:
    """The node's mask ciphertexts, verified; raises InvalidProofFault naming the node."""
    try:
        reader = Reader(data, f"the masks of {node}")
        values = tuple(setup.key.encryption.read(reader) for _ in setup.output_values)
        posted = PostedMasks(values, setup.key.encryption.read(reader))
        statement = _statement(setup, posted)[1]
        proof = Proof.decode(setup.parameters, statement, reader.blob(1 << 24))
        reader.finish()
        quadratic.verify(setup.parameters, _context(session, node), statement, proof)
    except CryptoError as error:
        raise InvalidProofFault(node, f"its output masks are refused: {error}") from error
    return posted


def read_shares(setup: Setup, node: str, data: bytes) -> list[int]:
    """This node's shares of another node's masks and, at the end, its blind; raises BadKeyShare naming the dealer."""
    width, count = byte_width(setup.demand.prime.bit_length()), len(setup.output_values) + 1
    if len(data) != width * count:  # before any list is made: a message may have 48 MiB
        raise BadKeyShare(node, "its mask shares have a wrong length or leave the field")
    shares = [int.from_bytes(data[i : i + width], "big") for i in range(0, len(data), width)]
    if any(s >= setup.demand.prime for s in shares):
        raise BadKeyShare(node, "its mask shares have a wrong length or leave the field")
    return shares


def summed(setup: Setup, shares: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """This node's share of Σ r_i for every output value {label: in the engine's order}."""
    totals = {block.label: [0] * block.size for block in setup.demand.outputs}
    for position, value in enumerate(setup.output_values):
        totals[value.label][value.index] = sum(row[position] for row in shares.values()) % setup.demand.prime
    return totals
