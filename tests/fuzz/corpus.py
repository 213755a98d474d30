"""Honest bytes of every kind: one auction and one key ceremony on toy keys, with all that was said in them."""

import asyncio
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tacita.crypto.encoding import Reader
from tacita.crypto.errors import CryptoError
from tacita.deploy.attack.ring import Ring, toy
from tacita.protocols import case
from tacita.protocols.envelope import GREET, Envelope
from tacita.protocols.faults import Evidence
from tacita.protocols.keygen.certificate import KeyCertificate
from tacita.protocols.keygen.final_view import HEADER, FinalView
from tacita.protocols.keygen.statements import Place
from tacita.protocols.keygen.talk import Record
from tacita.protocols.keygen.view import View
from tacita.protocols.mpc.frames import EngineFrame
from tacita.protocols.party import Result
from tacita.protocols.reading import GATHERING, Reading, gathering, meeting
from tests.adversary.honest import A1Cluster, a1
from tests.cluster_in_memory import insecure_key

BITS = 512


@dataclass
class Session:
    """An honest auction, and what its messages mean."""

    cluster: A1Cluster
    result: Result
    reading: Reading
    signed: list[bytes] = field(default_factory=list)
    engine: list[bytes] = field(default_factory=list)
    private: dict[str, list[tuple[str, str, bytes]]] = field(default_factory=dict)
    """Round → (sender, receiver, payload) of messages to one node."""

    def with_said(self, round_name: str, sender: str, payload: bytes, stale: str = "") -> Reading:
        """The reading of a session in which this was said instead; `stale` is what has to be read again."""
        other = copy(self.reading)
        other.said = {**self.reading.said, round_name: {**self.reading.said[round_name], sender: payload}}
        vars(other).pop(stale, None)
        return other

    @property
    def record(self) -> Evidence:
        """The whole session as evidence (of nothing)."""
        broadcasts = [d for d in self.signed if Envelope.decode(d[64:]).receiver == "*"]
        inside = [d for d in broadcasts if Envelope.decode(d[64:]).round.split("/")[0] in self.reading.said]
        kept = [d for d in inside if Envelope.decode(d[64:]).round.split("/")[0] != GREET]
        return Evidence("said", tuple(kept), case.context(self.reading))


@lru_cache(maxsize=1)
def session() -> Session:
    """A1 with private outputs and a toy key."""
    cluster = A1Cluster(3)
    terms, inputs = a1("private")
    results = asyncio.run(cluster.run(terms, inputs, bits=BITS))
    reading = Reading(terms, cluster.roster, insecure_key(3, BITS)[0])
    made = Session(cluster, results["node1"], reading)
    said: dict[str, dict[str, bytes]] = {}
    for receiver, messages in cluster.traffic.items():
        for data in messages:
            try:
                envelope = Envelope.decode(data[64:])
            except CryptoError:
                made.engine.append(EngineFrame.decode(data).data)
                continue
            made.signed.append(data)
            if envelope.receiver != "*":
                private = made.private.setdefault(envelope.round, [])
                private.append((envelope.sender, receiver, envelope.payload))
            elif not envelope.round.endswith("/echo"):
                said.setdefault(envelope.round, {})[envelope.sender] = envelope.payload
    made.signed = list(dict.fromkeys(made.signed))
    reading.said = {name: {n: words[n] for n in cluster.names} for name, words in said.items()}
    reading.opened = cluster.engines[0].opened
    reading.root = case._root(reading, gathering(meeting(terms), reading.said[GREET]))
    assert GATHERING[-1] in reading.said
    _ = reading.objects, reading.bids, reading.masks, reading.setup.outputs, reading.ticket, reading.ciphertexts("all")
    return made


@dataclass
class CeremonyWords:
    """An honest key ceremony, and what its messages mean."""

    ring: Ring
    certificate: KeyCertificate
    record: Record
    signed: list[bytes]
    view: View
    final: FinalView

    def with_said(self, view: Any, step: str, party: int, payload: bytes, stale: str = "") -> Any:
        """View or FinalView of a ceremony in which this was said instead."""
        other = copy(view)
        said = {**self.record.said, step: {**self.record.said[step], party: payload}}
        other.record = Record(said, self.record.told, [])
        vars(other).pop(stale, None)
        return other


@lru_cache(maxsize=1)
def ceremony() -> CeremonyWords:
    """Three nodes, 256 bits."""
    ring = Ring()
    certificate: Any = ring.run()["node1"]
    record = Record()
    for sent in ring.sent:  # a later batch replaces an earlier one
        record.add(sent.envelope, b"", ring.roster)
    place = Place.read(Reader(record.said["S1"][1], "a place"))
    view = View(toy(), place, record)
    reader = Reader(record.said[HEADER][1], "a header")
    final_place, index = Place.read(reader), reader.unsigned(4)
    final = FinalView(toy(), final_place, index, reader.unsigned(toy().modulus_width), record)
    _ = view.tested, view.winner, final.seeds, final.factors, final.verification, final.small_openings
    return CeremonyWords(ring, certificate.certificate, record, [], view, final)
