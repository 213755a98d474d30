"""What nodes say in a session; proofs, ciphertexts and bid objects behind it. See decoders.py."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from tacita.crypto.encoding import Reader
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import decryption, knowledge, quadratic
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.sealing import SealingKey, check_recipient, seal, unseal
from tacita.crypto.security import CHALLENGE_BITS
from tacita.crypto.signature import verify_signature
from tacita.crypto.transcript import Context
from tacita.protocols import messages, releasing
from tacita.protocols.envelope import GREET
from tacita.protocols.reading import complaint, gathering
from tacita.protocols.stages import bind, commit, masks, share
from tacita.protocols.stages.partials import verify_partials
from tests.fuzz.corpus import session
from tests.fuzz.decoder import JSON_BOMBS, Decoder


# ---- sessions -------------------------------------------------------------------------------------------------------
def _payloads(round_name: str) -> Sequence[bytes]:
    return list(session().reading.said[round_name].values())


def _private(round_name: str) -> Sequence[bytes]:
    return [payload for _, _, payload in session().private[round_name]]


def heard(round_name: str, stale: str, read: Callable[[Any], object], arithmetic: bool = False) -> Decoder:
    """A broadcast of the last node, as every node and every judge reads it."""

    def reads(data: bytes) -> object:
        return read(session().with_said(round_name, "node3", data, stale))

    bad = JSON_BOMBS if round_name in ("hello", "commit", "shares") else ()
    return Decoder(f"session/{round_name}", partial(_payloads, round_name), reads, bad, arithmetic)


def _shares_seeds() -> Sequence[bytes]:
    return [b"ok", complaint("ann", SealingKey(bytes([1]) * 32)), complaint("nobody", SealingKey(bytes([2]) * 32))]


def _greeting(data: bytes) -> object:
    return gathering(bytes(32), {**session().reading.said[GREET], "node3": data})


def _keys_told(data: bytes) -> object:
    sender, receiver, _ = session().private["keys"][0]
    return session().reading.contributions(sender, receiver, data)


def _object_seeds() -> Sequence[bytes]:
    """Bid objects: what a host opens, without the length in front."""
    return [payload[4:] for payload in _payloads("open")]


def _public_seeds() -> Sequence[bytes]:
    return [session().reading.objects["cat"].public]


def _envelope_seeds() -> Sequence[bytes]:
    return [seal(_KEY.public, b"shares" * 20, b"for", SeededEntropy("fuzz"))]


_KEY = SealingKey(bytes([7]) * 32)

SESSIONS = [
    Decoder("session/greet", partial(_payloads, GREET), _greeting),
    heard("hello", "hellos", lambda r: r.hellos),
    heard("envelope keys", "envelope_keys", lambda r: r.envelope_keys),
    heard("commit", "promised", lambda r: r.promised),
    heard("open", "objects", lambda r: r.objects),
    heard("freeze", "frozen", lambda r: r.frozen),
    heard("coins", "parts", lambda r: r.parts),
    Decoder("session/keys", partial(_private, "keys"), _keys_told),
    heard("confirm keys", "", lambda r: r.confirmed()),
    Decoder("session/shares", _shares_seeds, heard("shares", "", lambda r: r.shares_held()).reads, JSON_BOMBS),
    Decoder(
        "session/masks", partial(_payloads, "masks"),
        lambda d: masks.verify_masks(session().reading.setup, session().reading.session, "node3", d), arithmetic=True,
    ),
    Decoder(
        "session/mask shares", partial(_private, "mask shares"), lambda d: session().reading.mask_shares("node3", d),
        [bytes(1 << 20)],
    ),
    heard("bind coin", "bind_coins", lambda r: r.bind_coins),
    heard("bind all", "", lambda r: r.opened_shares("all")),
    Decoder(
        "session/bind all partials", partial(_payloads, "bind all partials"),
        lambda d: verify_partials(
            session().reading.setup, bind.context(session().reading.session, "node3", "all"),
            session().reading.ciphertexts("all"), d,
        ), arithmetic=True,
    ),
    Decoder(
        "session/ticket", partial(_payloads, "ticket"),
        lambda d: releasing.check_ticket(session().reading.setup, session().reading.ticket, "node3", d),
        arithmetic=True,
    ),
    Decoder(
        "session/signed", partial(_payloads, "signed"),
        lambda d: releasing.read_set(session().reading.setup, session().reading.ticket, "node3", d),
        arithmetic=True,
    ),
    Decoder(
        "session/partials", partial(_payloads, "partials"),
        lambda d: session().reading and verify_partials(
            session().reading.setup, Context(session().reading.ticket, "release", "node3", "outputs"),
            session().reading.outputs, d,
        ), arithmetic=True,
    ),
    Decoder(
        "session/bid object", _object_seeds, lambda d: commit.split_object(session().reading.setup, "node3", "cat", d)
    ),
    Decoder(
        "session/public part of a bid", _public_seeds,
        lambda d: commit.verify_public(session().reading.setup, "cat", d), arithmetic=True,
    ),
    Decoder(
        "session/field elements", partial(_payloads, "bind all"),
        lambda d: messages.field_elements("node3", d, session().reading.setup.demand.prime, 1), [bytes(1 << 20)],
    ),
    Decoder(
        "session/key contributions", partial(_private, "keys"),
        lambda d: share.contributions_of(session().reading.roster, 0, 1, session().reading.hellos["node1"].keys[0], d),
    ),
]  # fmt: skip


# ---- proofs and other objects of crypto -----------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _parameters() -> PublicParameters:
    return session().reading.setup.parameters


@lru_cache(maxsize=1)
def _statement() -> tuple[quadratic.Statement, bytes]:
    key, entropy = _parameters().key, SeededEntropy("fuzz/quadratic")
    ciphertext, randomness = key.encrypt(11, entropy)
    relations = Relations()
    x = relations.integer(15)
    relations.in_range(x, 0, 15)
    statement = relations.statement([link(ciphertext, x, key.randomness_bits)])
    witness = relations.witness({0: 11}, [randomness], [], entropy)
    return statement, quadratic.prove(_parameters(), _CONTEXT, statement, witness, entropy).encode(
        _parameters(), statement
    )


_CONTEXT = Context(bytes(32), "fuzz", "prover", "object")


@lru_cache(maxsize=1)
def _known() -> tuple[knowledge.Statement, bytes]:
    ciphertext, randomness = _parameters().key.encrypt(5, SeededEntropy("fuzz/knowledge"))
    statement = knowledge.Statement(ciphertext)
    witness = knowledge.Witness(5, randomness)
    return statement, knowledge.prove(_parameters(), _CONTEXT, statement, witness, SeededEntropy("k")).encode(
        _parameters()
    )


def _decryption_seeds() -> Sequence[bytes]:
    size = session().reading.key.encryption.ciphertext_bytes
    return [data[size + 4 :] for data in _payloads("bind all partials")]


def _knowledge_verified(data: bytes) -> None:
    knowledge.verify(_parameters(), _CONTEXT, _known()[0], knowledge.Proof.decode(_parameters(), data))


def _quadratic_verified(data: bytes) -> None:
    proof = quadratic.Proof.decode(_parameters(), _statement()[0], data)
    quadratic.verify(_parameters(), _CONTEXT, _statement()[0], proof)


def _ciphertext(data: bytes) -> object:
    reader, key = Reader(data, "a ciphertext"), session().reading.key.encryption
    value = key.read(reader)
    reader.finish()
    return key.receive(value, 0, 1 << CHALLENGE_BITS)


def _ciphertext_seeds() -> Sequence[bytes]:
    key = session().reading.key.encryption
    return [int(key.encrypt(3, SeededEntropy("c"))[0]).to_bytes(key.ciphertext_bytes, "big")]


CRYPTO = [
    Decoder("crypto/ciphertext", _ciphertext_seeds, _ciphertext),
    Decoder("crypto/decryption proof", _decryption_seeds, lambda d: decryption.Proof.decode(session().reading.key, d)),
    Decoder("crypto/knowledge proof", lambda: [_known()[1]], lambda d: knowledge.Proof.decode(_parameters(), d)),
    Decoder("crypto/knowledge proof, verified", lambda: [_known()[1]], _knowledge_verified, arithmetic=True),
    Decoder(
        "crypto/quadratic proof", lambda: [_statement()[1]],
        lambda d: quadratic.Proof.decode(_parameters(), _statement()[0], d),
    ),
    Decoder("crypto/quadratic proof, verified", lambda: [_statement()[1]], _quadratic_verified, arithmetic=True),
    Decoder("crypto/sealed envelope", _envelope_seeds, lambda d: unseal(_KEY, d, b"for")),
    Decoder("crypto/recipient of an envelope", lambda: [_KEY.public, bytes(32)], check_recipient),
    Decoder(
        "crypto/signature", lambda: [session().cluster.identities["node1"].sign("envelope", b"message")],
        lambda d: verify_signature(session().reading.roster.nodes[0].identity, "envelope", b"message", d),
    ),
]  # fmt: skip
