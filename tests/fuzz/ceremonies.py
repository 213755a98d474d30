"""What nodes say while they make, refresh or hand on a key. See decoders.py."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from tacita.crypto.entropy import SeededEntropy
from tacita.deploy.attack.ring import toy
from tacita.protocols import evidence as files
from tacita.protocols import judge, messages
from tacita.protocols.envelope import Envelope, echo_of, sign
from tacita.protocols.faults import Evidence
from tacita.protocols.keygen import judge as ceremony_judge
from tacita.protocols.keygen import trial
from tacita.protocols.keygen.certificate import KeyCertificate, check_signatures
from tacita.protocols.keygen.dealing import Dealing
from tacita.protocols.keygen.derivation import read_shares, read_small
from tacita.protocols.keygen.gathering import Status
from tacita.protocols.keygen.modulus import ModulusCertificate
from tacita.protocols.keygen.statements import Announcement, decode_reveal, decode_roots
from tacita.protocols.keygen.vectors import split_rows, unpack
from tests.fuzz.corpus import ceremony, session
from tests.fuzz.decoder import JSON_BOMBS, Decoder, on_tree
from tests.keygen.records import opened, records


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


def certified(data: bytes) -> None:
    certificate = on_tree(KeyCertificate.read, data)
    assert isinstance(certificate, KeyCertificate)
    certificate.verify(ceremony().ring.roster)


def modulus_seeds() -> Sequence[bytes]:
    ring, key = ceremony().ring, ceremony().certificate.key
    made = ModulusCertificate(key.modulus, bytes(32), ring.roster.digest)
    signed = {name: made.sign(identity) for name, identity in ring.identities.items()}
    return [ModulusCertificate(key.modulus, bytes(32), ring.roster.digest, signed).encode()]


def modulus(data: bytes) -> None:
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
