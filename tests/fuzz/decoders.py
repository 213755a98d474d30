"""The one table of everything that takes bytes from a peer or a stranger, with honest seeds and known bad inputs.

`reads` is what a node, a verifier or a judge calls, on its real path; where signatures or commitments stand in front,
the decoder behind them is listed as well. `arithmetic` marks those that go on to public-key operations: these cost what
the key's length costs, so their time is not bounded here. Policies have a part of the table to themselves
(policies.py).

Not listed is what only its own node or operator writes:

- identity.json, tls.json, key-share.json, the journal, an unfinished handover in `next/`: the node's own, owner only;
- the manifest of a local cluster, and what its own nodes answer to their operator (outcomes, progress): one machine;
- the job and the result between a node and its engine's process. What a peer puts into them went through the readers
  here before (terms, patterns, shares), and engine bytes are listed as the engine takes them (engine/…);
- the data of the examples and of `tacita model`, which come with the package, and the scripts in examples/ and
  deploy/bench, which read files that they made or that their caller downloads.

No file holds NumPy arrays or anything else that a library would have to parse; a TLS certificate is parsed by gRPC
before a node's code runs, and by `cryptography` where an admission is stored (file/admission).
"""

import asyncio
import json
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from gmpy2 import mpz

from tacita.crypto.encoding import Reader, read_json
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.paillier import PublicParameters
from tacita.crypto.proofs import decryption, knowledge, quadratic
from tacita.crypto.proofs.range import Relations, link
from tacita.crypto.sealing import SealingKey, check_recipient, seal, unseal
from tacita.crypto.security import CHALLENGE_BITS
from tacita.crypto.signature import SigningKey, verify_signature
from tacita.crypto.transcript import Context
from tacita.deploy.attack.ring import toy
from tacita.deploy.cluster import Admission, found
from tacita.deploy.handover import Invitation, plan
from tacita.deploy.local import assign
from tacita.deploy.simulate.members import Members
from tacita.node.identity import common_name
from tacita.node.limits import Refusals
from tacita.node.probes import Probes
from tacita.node.solver import Worker
from tacita.node.transport import PeerLink, Transport
from tacita.node.worker import JOB, frame, listen, receiver
from tacita.proto.tacita_pb2 import EngineData, Frame, Piece, Probe
from tacita.protocols import evidence as files
from tacita.protocols import judge, messages, releasing
from tacita.protocols.channel import Channel
from tacita.protocols.envelope import ABORT, GREET, Envelope, convicted, echo_of, open_signed, sign
from tacita.protocols.faults import Evidence
from tacita.protocols.introduction import Introduction, introduced
from tacita.protocols.keygen import judge as ceremony_judge
from tacita.protocols.keygen import trial
from tacita.protocols.keygen.certificate import KeyCertificate, check_signatures
from tacita.protocols.keygen.dealing import Dealing
from tacita.protocols.keygen.derivation import read_shares, read_small
from tacita.protocols.keygen.gathering import Status
from tacita.protocols.keygen.modulus import ModulusCertificate
from tacita.protocols.keygen.statements import Announcement, decode_reveal, decode_roots
from tacita.protocols.keygen.vectors import split_rows, unpack
from tacita.protocols.mpc.frames import HEAD, EngineFrame, check_contents
from tacita.protocols.mpc.runtime import SessionRuntime, _Exchanger
from tacita.protocols.mpc.sharing import EngineKeys, Sharing
from tacita.protocols.party import Job
from tacita.protocols.policies.registry import complete_terms, read_session
from tacita.protocols.reading import complaint, gathering
from tacita.protocols.roster import Roster
from tacita.protocols.stages import bind, commit, masks, share
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.partials import verify_partials
from tacita.protocols.terms import canonical_json, read_toml
from tacita.protocols.verify import verify
from tests.adversary.honest import LINES, TERMS
from tests.fuzz.corpus import ceremony, session
from tests.fuzz.decoder import JSON_BOMBS, NESTED, Decoder, on_tree, text_of, tree
from tests.fuzz.policies import POLICIES
from tests.keygen.records import opened, records

sys.setrecursionlimit(100_000)  # as py_ecc does when a signature is first checked


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


# ---- channel, transport, engine -------------------------------------------------------------------------------------

LOOP = asyncio.new_event_loop()


class _Silence:
    async def send(self, receiver: str, data: bytes) -> None:
        """Nothing."""


def _deliver(data: bytes) -> None:
    """One message from the transport; what is wrong with it ends the channel and never leaves `deliver`."""

    async def go() -> None:
        made = session()
        label = Envelope.decode(made.signed[0][64:]).session
        key = made.cluster.identities["node1"]
        channel = Channel(made.reading.roster, "node1", key, _Silence(), label, 1.0, b"a root")
        for other in made.signed[:4]:
            channel.deliver("node2", other)
        channel.deliver("node2", data)

    LOOP.run_until_complete(go())


def _aborted(data: bytes) -> None:
    """An abort with this payload, properly signed."""
    label = Envelope.decode(session().signed[0][64:]).session
    envelope = Envelope(label, ABORT, "node2", "*", 1, data[: 1 << 16])
    _deliver(sign(envelope, session().cluster.identities["node2"]))


def _equivocation() -> Evidence:
    made = session()
    first = Envelope.decode(made.signed[40][64:])
    other = Envelope(first.session, first.round, first.sender, first.receiver, first.sequence, b"other")
    return Evidence("equivocation", (made.signed[40], sign(other, made.cluster.identities[first.sender])))


def _evidence_seeds() -> Sequence[bytes]:
    short = session().record
    short = Evidence(short.check, short.signed[:12], short.context)
    return [files.encode(e, session().reading.roster) for e in (_equivocation(), short)]


def _evidence_files() -> Sequence[bytes]:
    return [files.to_file(e, session().reading.roster) for e in (_equivocation(), session().record)]


def _contradiction(data: bytes) -> object:
    reader = Reader(data, "two messages")
    pair = reader.blob(1 << 20), reader.blob(1 << 20)
    return convicted(Evidence("equivocation", pair), session().reading.roster)


def _contradiction_seeds() -> Sequence[bytes]:
    return [b"".join(len(m).to_bytes(4, "big") + m for m in _equivocation().signed)]


def _transport() -> Transport:
    transport = object.__new__(Transport)
    transport.refusals, transport.links = Refusals(), {"node2": PeerLink("node2")}

    async def engine(peer: str, label: bytes, data: bytes) -> None: ...

    transport._on_message = lambda peer, data: None
    transport._on_engine = engine
    transport._on_probe = Probes(transport.send_probe, Probe, float).receive
    return transport


@lru_cache(maxsize=1)
def _one_transport() -> Transport:
    return _transport()


def _frames(data: bytes) -> None:
    """What gRPC hands to the node for the bytes of one message, up to the node's own handling of it."""

    async def stream() -> AsyncIterator[Frame]:
        yield Frame.FromString(data)

    transport = _one_transport()
    transport.links["node2"] = PeerLink("node2")
    LOOP.run_until_complete(transport._read("node2", stream()))


def _probe(answer: bool) -> bytes:
    about = Probe(version="1.0", key=bytes(32), epoch=1, clock=1.7e9, number=1, answer=answer)
    return Frame(probe=about).SerializeToString()


def _frame_seeds() -> Sequence[bytes]:
    piece, part = Piece(data=session().signed[0], last=True), EngineData(session=bytes(32), data=session().engine[0])
    return [
        Frame(piece=piece).SerializeToString(),
        Frame(engine=part).SerializeToString(),
        _probe(True),
        _probe(False),
        b"",
    ]


@lru_cache(maxsize=1)
def _runtime() -> SessionRuntime:
    async def make() -> SessionRuntime:
        return SessionRuntime(0, 3, 1, {})

    return LOOP.run_until_complete(make())


def _engine_bytes(data: bytes) -> None:
    exchanger = _Exchanger(_runtime(), 1)
    exchanger.buffers[5] = LOOP.create_future()
    exchanger.data_received(data)


JOB_AT_NODE1 = Job(
    session=bytes(32), terms={}, patterns={}, order=(), nodes=("node1", "node2", "node3"), index=0, threshold=1,
    keys=EngineKeys({}, {}), inputs={}, masks={},
)  # fmt: skip


def _relayed(data: bytes) -> None:
    """A peer's frame as the node hands it to its engine's process, and as that process takes it apart."""

    async def go() -> None:
        runtime, reader = SessionRuntime(0, 3, 1, {}), asyncio.StreamReader()
        runtime.parties[1].protocol = _Exchanger(runtime, 1)
        worker = object.__new__(Worker)
        worker._writer, worker._waiting = None, []
        worker.feed(1, data)
        reader.feed_data(b"".join(worker._waiting))
        reader.feed_eof()
        await listen(reader, {1: receiver(JOB_AT_NODE1, runtime, 1)})

    LOOP.run_until_complete(go())


def _judged_frame(data: bytes) -> None:
    """As the judge reads a frame that convicts its sender."""
    check_contents(EngineFrame.decode(data).data, session().reading.setup.demand.prime)


def _key_of(name: str) -> SigningKey:
    return session().cluster.identities[name]


def _frames_signed() -> Sequence[bytes]:
    return [EngineFrame(bytes(32), "node2", "node1", data).sign(_key_of("node2")) for data in _engine_seeds()]


def _engine_seeds() -> Sequence[bytes]:
    stream = b"".join(HEAD.pack(step, 20) + bytes([step]) * 20 for step in range(1, 9))
    return [*session().engine[:5], stream]


@lru_cache(maxsize=1)
def _sharing() -> Sharing:
    keys = EngineKeys({(0, 1): bytes(32), (0, 2): bytes(32)}, {1: bytes(32), 2: bytes(32)})
    return Sharing(_runtime(), session().reading.setup.demand, keys)


WIRE = [
    Decoder("wire/envelope", lambda: [d[64:] for d in session().signed[::9]], Envelope.decode, [bytes(1 << 20)]),
    Decoder(
        "wire/signed message", lambda: session().signed[::9], lambda d: open_signed(d, session().reading.roster),
        [bytes(1 << 20)],
    ),
    Decoder("wire/delivery", lambda: session().signed[::9], _deliver),
    Decoder("wire/evidence in an abort", _evidence_seeds, _aborted, JSON_BOMBS),
    Decoder("wire/evidence", _evidence_seeds, lambda d: files.decode(d, session().reading.roster), [bytes(1 << 20)]),
    Decoder(
        "wire/introduction", lambda: [Introduction("node2", n).sign(_key_of("node2")) for n in ("node2", "x" * 64)],
        lambda d: introduced(d, "node2", session().reading.roster),
    ),
    Decoder("wire/two messages that convict", _contradiction_seeds, _contradiction),
    Decoder(
        "wire/frame", _frame_seeds, _frames,
        [b"\x0a\x00" * (1 << 19), b"\x12\x00\x0a\x00" * (1 << 18), b"\x0b" * 500],
    ),
    Decoder(
        "engine/stream", _engine_seeds, _engine_bytes,
        [HEAD.pack(-1, 0), HEAD.pack(1 << 62, (1 << 32) - 1), b"".join(HEAD.pack(s, 0) for s in range(1, 5000))],
    ),
    Decoder("engine/worker", _frames_signed, _relayed, [b"", b"\x00" * 4096, frame(JOB, b"{}")], inputs=1000),
    Decoder(
        "engine/frame", _frames_signed, _judged_frame,
        [EngineFrame(bytes(32), "", "", b"".join(HEAD.pack(s, 0) for s in range(1, 5000))).sign(SigningKey(bytes(32)))],
    ),
    Decoder("engine/vector", lambda: [_sharing().encode([mpz(5)] * 9)], lambda d: _sharing().decode(d)),
]  # fmt: skip


# ---- key ceremony ---------------------------------------------------------------------------------------------------


def _said(step: str) -> Sequence[bytes]:
    return [data for data in ceremony().record.said[step].values() if data]


def _told(step: str, sender: int = 1) -> Sequence[bytes]:
    return [data for (name, s, _), data in ceremony().record.told.items() if name == f"{step}/private" and s == sender]


def batch_step(step: str, stale: str, read: Callable[[Any], object]) -> Decoder:
    """A broadcast of a batch, as every node and every judge reads it."""

    def reads(data: bytes) -> object:
        return read(ceremony().with_said(ceremony().view, step, 3, data, stale))

    return Decoder(f"ceremony/{step}", partial(_said, step), reads)


def final_step(step: str, stale: str, read: Callable[[Any], object], arithmetic: bool = False) -> Decoder:
    """A broadcast of the last phase."""

    def reads(data: bytes) -> object:
        return read(ceremony().with_said(ceremony().final, step, 3, data, stale))

    return Decoder(f"ceremony/{step}", partial(_said, step), reads, arithmetic=arithmetic)


def _hello_read(data: bytes) -> object:
    node = "node3"
    keys = {"version", "parameters", "roster", "purpose", "coin", "status"}
    said = messages.canonical_tree(node, data, keys)
    return messages.hex_bytes(node, said["coin"], 32), Status.read(node, said["status"])


def _rejected(data: bytes) -> object:
    return trial.decode(data, ceremony().view.moduli, ceremony().view.divided)


@lru_cache(maxsize=1)
def _dealing() -> tuple[Dealing, list[Any], bytes]:
    key = session().reading.key
    dealing = Dealing(key.encryption, key.v, key.delta, key.threshold, 1 << 64, 1 << 80, 1)
    coefficients = dealing.draw(0, SeededEntropy("dealing"))
    committed = dealing.commit(coefficients)
    return dealing, dealing.read(committed), dealing.share(coefficients, 2)


def _commitments() -> Sequence[bytes]:
    dealing, values, _ = _dealing()
    return [b"".join(int(v).to_bytes(dealing.encryption.ciphertext_bytes, "big") for v in values)]


def _certified(data: bytes) -> None:
    certificate = on_tree(KeyCertificate.read, data)
    assert isinstance(certificate, KeyCertificate)
    certificate.verify(ceremony().ring.roster)


def _modulus_seeds() -> Sequence[bytes]:
    ring, key = ceremony().ring, ceremony().certificate.key
    made = ModulusCertificate(key.modulus, bytes(32), ring.roster.digest)
    signed = {name: made.sign(identity) for name, identity in ring.identities.items()}
    return [ModulusCertificate(key.modulus, bytes(32), ring.roster.digest, signed).encode()]


def _modulus(data: bytes) -> None:
    certificate = on_tree(ModulusCertificate.read, data)
    assert isinstance(certificate, ModulusCertificate)
    certificate.verify(ceremony().ring.roster)


@lru_cache(maxsize=1)
def _batch() -> Evidence:
    """S1 to S4 of a batch with everybody's echoes, as one node would show it."""
    whole = records(ceremony().ring)[-1]
    rounds = [f"S{n}{end}" for n in (1, 2, 3, 4) for end in ("", "/echo")]
    return replace(whole, signed=tuple(d for d in whole.signed if opened(d).round in rounds))


def _ceremony_evidence() -> Sequence[bytes]:
    return [files.encode(_batch(), ceremony().ring.roster)]


def _ceremony_evidence_files() -> Sequence[bytes]:
    ring = ceremony().ring
    return [files.to_file(evidence, ring.roster) for evidence in (_batch(), records(ring)[-1])]


def _ceremony_judged(data: bytes) -> object:
    ring = ceremony().ring
    return ceremony_judge.verdict(ring.roster, files.decode(data, ring.roster))


def _in_context(data: bytes) -> object:
    return ceremony_judge.verdict(ceremony().ring.roster, replace(_batch(), context=data))


def _words_in_ceremony(data: bytes) -> object:
    """Payloads of S1 to S4 of node3, properly signed and echoed: what the judge reads behind the signatures."""
    ring, cut, heard = ceremony().ring, len(data) // 4, list[Envelope]()
    for envelope in map(opened, _batch().signed):
        if envelope.sender == "node3" and "/" not in envelope.round:
            n = int(envelope.round[1]) - 1
            envelope = replace(envelope, payload=data[n * cut : (n + 1) * cut])
        heard.append(envelope)
    signed = {(e.round, e.sender): sign(e, ring.identities[e.sender]) for e in heard if "/" not in e.round}
    for envelope in heard:
        said, _, echo = envelope.round.partition("/")
        if echo:
            vector = echo_of(signed[said, name] for name in ring.names)
            again = replace(envelope, payload=vector)
            signed[envelope.round, envelope.sender] = sign(again, ring.identities[envelope.sender])
    return ceremony_judge.verdict(ring.roster, replace(_batch(), signed=tuple(signed.values())))


PARTIES = toy()
CEREMONIES = [
    Decoder("ceremony/hello", partial(_said, "hello"), _hello_read, JSON_BOMBS),
    batch_step("S1", "announced", lambda v: v.announced),
    batch_step("S2", "", lambda v: v.roots()),
    Decoder("ceremony/announcement", partial(_said, "S1"), lambda d: Announcement.decode(PARTIES, 1, d)),
    Decoder("ceremony/message roots", partial(_said, "S2"), lambda d: decode_roots(PARTIES, 1, d)),
    Decoder("ceremony/S1, private", partial(_told, "S1"), lambda d: ceremony().view.private(0, 1, 3, d)),
    Decoder("ceremony/S2, private", partial(_told, "S2"), lambda d: ceremony().view.private(1, 1, 3, d)),
    Decoder(
        "ceremony/rows", partial(_told, "S2"),
        lambda d: split_rows(d, PARTIES.field_width, PARTIES.batch, PARTIES.field), [bytes(1 << 20)],
    ),
    batch_step("S4", "openings", lambda v: v.openings),
    Decoder(
        "ceremony/vector", lambda: [d[32:] for d in _said("S4")],
        lambda d: unpack(d, PARTIES.field_width, PARTIES.batch, PARTIES.field), [bytes(1 << 20)],
    ),
    batch_step("S5", "survivors", lambda v: v.survivors),
    Decoder("ceremony/rejected candidates", partial(_said, "S5"), _rejected),
    batch_step("S7", "tested", lambda v: v.tested),
    batch_step("S7b", "", lambda v: v.agreed()),
    batch_step("S9", "", lambda v: v.reveals(v.record.said["S9"], v.winner)),
    Decoder("ceremony/whole reveal", lambda: [bytes(32)], lambda d: decode_reveal(PARTIES, 1, d, None)),
    final_step("S8", "seeds", lambda v: v.seeds),
    final_step("S8 coin", "coin", lambda v: v.coin),
    final_step("S8 open", "factors", lambda v: v.factors),
    Decoder("ceremony/K0, private", partial(_told, "K0"), lambda d: ceremony().final.private("K0", 1, 3, d)),
    Decoder("ceremony/small shares", partial(_told, "K0"), lambda d: read_small(ceremony().final.sharing, 1, 3, d)),
    Decoder("ceremony/K1, private", partial(_told, "K1"), lambda d: ceremony().final.private("K1", 1, 3, d)),
    Decoder(
        "ceremony/long shares", partial(_told, "K1"),
        lambda d: read_shares(
            ceremony().final.sharing.width,
            [PARTIES.share_bound(b) for b in (PARTIES.phi_bound(1), PARTIES.beta_bound)],
            d,
        ),
    ),
    final_step("K0 open", "small_openings", lambda v: v.small_openings),
    final_step("K2 open", "theta_parts", lambda v: v.theta_parts),
    final_step("K4 open", "verification", lambda v: v.verification),
    final_step("K5", "", lambda v: v.check_decryptions(ceremony().certificate.key), arithmetic=True),
    Decoder(
        "ceremony/K6", partial(_said, "K6"),
        lambda d: check_signatures(ceremony().certificate, ceremony().ring.roster, {3: d}),
    ),
    Decoder("ceremony/evidence", _ceremony_evidence, _ceremony_judged, arithmetic=True),
    Decoder(
        "ceremony/evidence file, judged", _ceremony_evidence_files,
        lambda d: judge.judge(d, ceremony().ring.roster), JSON_BOMBS, arithmetic=True,
    ),
    Decoder("ceremony/context of evidence", lambda: [_batch().context], _in_context, JSON_BOMBS, arithmetic=True),
    Decoder(
        "ceremony/words behind evidence",
        lambda: [b"".join(e.payload for e in map(opened, _batch().signed) if (e.sender, len(e.round)) == ("node3", 2))],
        _words_in_ceremony, arithmetic=True,
    ),
    Decoder("renewal/commitments", _commitments, lambda d: _dealing()[0].read(d)),
    Decoder("renewal/share", lambda: [_dealing()[2]], lambda d: _dealing()[0].open(d, _dealing()[1], 2)),
]  # fmt: skip


# ---- files ----------------------------------------------------------------------------------------------------------


def _receipt_seeds() -> Sequence[bytes]:
    return [canonical_json(receipt) for receipt in session().result.receipts.values()]


def _omitted(data: bytes) -> object:
    return judge.omissions(tree(data), _certificate(), session().reading.roster)


@lru_cache(maxsize=1)
def _certificate() -> Certificate:
    return Certificate.decode(session().result.certificate)


@lru_cache(maxsize=1)
def _admissions() -> dict[str, Admission]:
    """With real certificates."""
    return found(session().reading.roster.nodes)


def _admission() -> Sequence[bytes]:
    return [canonical_json(_admissions()["node1"].tree())]


def _admitted(data: bytes) -> object:
    """As `admit` takes it, before anything is stored."""
    admission = on_tree(Admission.read, data)
    assert isinstance(admission, Admission)
    return common_name(admission.tls.own.certificate)


def _enrolments() -> Sequence[bytes]:
    return [canonical_json(node.tree()) for node in session().reading.roster.nodes]


STEPS = {
    "policy": "auction",
    "session": {"name": "s"},
    "auction": {"direction": "reverse", "slots": 2, "reserve": [9, "19/2"], "floor": 1, "bids": "steps"},
    "bounds": {"quantity": [0, 8], "steps": 2},
    "solver": {"gap": 0.01, "iterations": 2000},
}
STEP_LINES = "bidder,slot,price,quantity\nann,1,3,1\nann,1,4.5,1\nbob,2,5,2e0\n"
TOML = """policy = "auction"
[auction]
slots = 2
cost = { linear = [1.0, 2], quadratic = 0.5 }
budgets = true
[bounds]
value = [0, 16]
slope = [0.5, 4]
quantity = [0, 8]
"""
BUDGETS = "bidder,quantity\nann,4\n"


def _terms_seeds() -> Sequence[bytes]:
    return [canonical_json(t) for t in (*TERMS.values(), tomllib.loads(TOML), STEPS, session().reading.terms.tree)]


def _session_of(terms: Any, data: bytes) -> object:
    inputs, _, budget = text_of(data).partition("\f")
    return read_session(terms, {"inputs": inputs, **({"budget": budget} if budget else {})})


TOML_NESTED = [
    b"a = ", b'b = """x"""""\na = ', b"b = '''x'''''\na = ", b"b = 'it'\na = ", b'b = "\\""\na = ', b'# "\na = ',
    b"""a = ["'", '"', """, b'a = ["]]]]", ', b"a = [ #]]]]\n",
]  # fmt: skip
"""Texts after which brackets nest, though a careless look takes them for a part of the text."""


def _toml(data: bytes) -> object:
    return complete_terms(read_toml(text_of(data), "terms.toml"))


def _json(data: bytes) -> object:
    """read_json itself, which may also raise ValueError."""
    try:
        return read_json(data)
    except ValueError:
        raise InvalidEncoding("not JSON") from None


QUADRATIC_TERMS: dict[str, Any] = tomllib.loads(TOML)
LONG_SLOT = b"bidder,slot,value,slope,min,max\nann,000000001" + b"0" * 5000 + b",10,1,0,6\nbob,1,8,2,0,3"
OTHER_SLOT = b"bidder,slot,value,slope,min,max\nann,00000000199,10,1,0,6\nbob,1,8,2,0,3"
FILES = [
    Decoder("file/JSON", lambda: [session().result.certificate, *_terms_seeds()], _json, JSON_BOMBS),
    Decoder("file/roster", lambda: [session().reading.roster.encode()], partial(on_tree, Roster.read), JSON_BOMBS),
    Decoder("file/certificate", lambda: [session().result.certificate], Certificate.decode, JSON_BOMBS),
    Decoder(
        "file/certificate, verified", lambda: [session().result.certificate],
        lambda d: verify(d, allow_insecure_key=True), JSON_BOMBS, arithmetic=True,
    ),
    Decoder("file/key certificate", lambda: [ceremony().certificate.encode()], _certified, JSON_BOMBS),
    Decoder("file/modulus certificate", _modulus_seeds, _modulus, JSON_BOMBS),
    Decoder("file/evidence", _evidence_files, lambda d: files.from_file(d, session().reading.roster), JSON_BOMBS),
    Decoder(
        "file/evidence, judged", _evidence_files, lambda d: judge.judge(d, session().reading.roster), JSON_BOMBS,
        arithmetic=True,
    ),
    Decoder("file/receipt", _receipt_seeds, _omitted, JSON_BOMBS),
    Decoder("file/admission", _admission, _admitted, JSON_BOMBS),
    Decoder("file/enrolment", _enrolments, partial(on_tree, Roster.read_node), JSON_BOMBS),
    Decoder(
        "file/assignment", lambda: [b"bidder,node\nann,node1\n\nbob,node2\n"],
        lambda d: assign(["ann", "bob"], ["node1", "node2"], text_of(d), "bidder"),
        [b"bidder,node\n" + b"a" * 140_000, b'bidder,node\n"' + b"a" * 140_000],
    ),
    Decoder(
        "file/terms", _terms_seeds, partial(on_tree, complete_terms),
        [
            json.dumps({**TERMS["public"], "bounds": {"value": [0, 10**400], "quantity": [0, 1]}}).encode(),
            json.dumps({**TERMS["public"], "solver": {"gap": 10**4000}}).encode(),
            json.dumps({**TERMS["public"], "a" * 60_000: 1}).encode(),
            json.dumps({**TERMS["public"], "bounds": {"quantity" * 8_000: 1}}).encode(),
            *JSON_BOMBS,
        ],
    ),
    Decoder(
        "file/terms in TOML", lambda: [TOML.encode()], _toml,
        [*(start + NESTED for start in TOML_NESTED), b"slots = " + b"9" * 5000, b"[" + b"a." * 9000 + b"a]\nb=1"],
    ),
    Decoder(
        "file/bids", lambda: [(LINES + "\n\f" + BUDGETS).encode(), LINES.encode()],
        partial(_session_of, QUADRATIC_TERMS),
        [LONG_SLOT, OTHER_SLOT, b'"' * 60_000, b"bidder,slot,value,slope,min,max\n" + b"a" * 60_000],
    ),
    Decoder("file/bids in steps", lambda: [STEP_LINES.encode()], partial(_session_of, STEPS)),
]  # fmt: skip


# ---- the handover of a key ------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _invitations() -> dict[str, Invitation]:
    """The key of the honest ceremony goes on to a roster with a fourth node."""
    added = Members(4, "joining").roster.nodes[3]
    ring = ceremony().ring
    with_keys = [replace(node, multi=other.multi, possession=other.possession) for node, other in zip(
        ring.roster.nodes, Members(3, "joining").roster.nodes, strict=True)]  # fmt: skip
    roster = Roster(tuple(with_keys))
    certificate = replace(ceremony().certificate, roster=roster.digest)
    signed = certificate.completed({name: certificate.sign(identity) for name, identity in ring.identities.items()})
    return plan(roster, signed, [added], [])


def _invitation_seeds() -> Sequence[bytes]:
    return [canonical_json(_invitations()["node1"].tree())]


def _invited(data: bytes) -> None:
    invitation = on_tree(Invitation.read, data)
    assert isinstance(invitation, Invitation)
    invitation.check()


HANDOVERS = [
    Decoder("file/handover", _invitation_seeds, partial(on_tree, Invitation.read), JSON_BOMBS),
    Decoder("file/handover, checked", _invitation_seeds, _invited, arithmetic=True),
]

DECODERS = {d.name: d for d in (*SESSIONS, *CRYPTO, *WIRE, *CEREMONIES, *FILES, *HANDOVERS, *POLICIES)}
