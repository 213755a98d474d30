"""A forger who holds every key of the true roster and signs everything anew, but cannot break a proof."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gmpy2 import mpz

from tacita.crypto.encoding import Reader
from tacita.crypto.entropy import SeededEntropy
from tacita.crypto.signature import aggregate
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.stages import certify, commit, release
from tacita.protocols.stages.certify import Certificate
from tacita.protocols.stages.commit import BidObject
from tacita.protocols.stages.masks import PostedMasks
from tacita.protocols.stages.setup import Enrolled, Setup
from tacita.protocols.verify import verify

Cluster = Any
"""A scene, or a cluster of tests: whoever holds the keys of a roster."""


def reason(data: bytes, cluster: Cluster, terms: Mapping[str, Any] | None = None) -> str:
    """Why `verify` refuses this certificate; the test fails if it does not."""
    try:
        verify(data, cluster.roster, terms, allow_insecure_key=True)
    except VerificationFailed as error:
        return str(error)
    raise AssertionError("the certificate was accepted")


def accept(data: bytes, cluster: Cluster, terms: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """The outcome of a certificate that verifies."""
    return verify(data, cluster.roster, terms, allow_insecure_key=True).outcome


def setup_of(certificate: Certificate) -> Setup:
    """The public setup that a certificate claims."""
    return Setup.make(certificate.terms, certificate.roster, certificate.key, certificate.enrolled)


def sign_bids(certificate: Certificate, cluster: Cluster) -> Certificate:
    """Every participant signs its bid object as it stands now."""
    auction = setup_of(certificate).auction_id
    bids = {}
    for name, bid in certificate.bids.items():
        message = certify.bid_signature_message(auction, name, commit.object_hash(bid.public, bid.envelopes))
        bids[name] = replace(bid, signature=cluster.bidder(name).sign("bid", message))
    return replace(certificate, bids=bids)


def sign_consents(certificate: Certificate, cluster: Cluster) -> Certificate:
    """Every participant consents to the terms, pattern and host that stand there now."""
    consents = [
        Enrolled.sign(cluster.bidder(e.name), e.name, e.pattern, e.host, certificate.terms)
        for e in certificate.enrolled
    ]
    return replace(certificate, enrolled=tuple(consents))


def facts(certificate: Certificate) -> tuple[bytes, bytes]:
    """(freeze digest, session id) that follow from the parts."""
    auction = setup_of(certificate).auction_id
    hashes = {name: commit.object_hash(bid.public, bid.envelopes) for name, bid in certificate.bids.items()}
    freeze = certify.freeze_digest(auction, hashes)
    parts = {name: (part.coin, part.nonce) for name, part in certificate.nodes.items()}
    return freeze, certify.session_id(auction, freeze, parts, certificate.attempt)


def ciphertexts_of(certificate: Certificate) -> list[Any]:
    """The output ciphertexts that the parts give, without checking any proof."""
    setup = setup_of(certificate)
    key = setup.key.encryption

    def read(data: bytes, skip: int, count: int) -> tuple[Any, ...]:
        reader = Reader(data, "a forgery")
        reader.fixed(skip)
        return tuple(mpz(reader.unsigned(key.ciphertext_bytes)) for _ in range(count))

    width = (setup.parameters.group.bits + 7) // 8
    bids = {}
    for name, bid in certificate.bids.items():
        fields = setup.instance.field_count(name)
        skip = width + (fields + setup.attempts) * key.ciphertext_bytes  # the fields and the blinds
        masks = read(bid.public, skip, len(setup.masked_by(name)))
        bids[name] = BidObject(0, (), (), masks, None, (), ())  # type: ignore[arg-type]
    count = len(setup.output_values)
    masked = [PostedMasks(read(certificate.nodes[n].masks, 0, count), 0) for n in setup.roster.names]
    return release.output_ciphertexts(setup, certificate.opened, masked, bids)


def posted(setup: Setup, certificate: Certificate, node: str) -> PostedMasks:
    """A node's mask ciphertexts."""
    reader, key = Reader(certificate.nodes[node].masks, "masks"), setup.key.encryption
    return PostedMasks(tuple(mpz(reader.unsigned(key.ciphertext_bytes)) for _ in setup.output_values), 0)


def ticket_of(certificate: Certificate) -> bytes:
    """The ticket that the parts give."""
    freeze, session = facts(certificate)
    return release.ticket(setup_of(certificate), session, freeze, certificate.root, ciphertexts_of(certificate))


def sign_ticket(certificate: Certificate, cluster: Cluster) -> Certificate:
    """All nodes sign freeze digest and ticket, with both keys."""
    freeze, _ = facts(certificate)
    ticket = ticket_of(certificate)
    nodes = {
        name: replace(
            part,
            freeze=cluster.identities[name].sign("freeze", freeze),
            ticket=cluster.identities[name].sign("ticket", ticket),
        )
        for name, part in certificate.nodes.items()
    }
    multi = aggregate([cluster.multi[name].sign(ticket) for name in certificate.roster.names])
    return replace(certificate, nodes=nodes, aggregate=multi)


def decrypt_again(certificate: Certificate, cluster: Cluster) -> Certificate:
    """t+1 nodes decrypt what the ticket says now, with valid proofs."""
    ciphertexts, ticket = ciphertexts_of(certificate), ticket_of(certificate)
    setup, partials = setup_of(certificate), {}
    for name in certificate.partials:
        share = cluster.shares[setup.roster.index(name)]
        entropy = SeededEntropy(f"forger/{name}")
        partials[name] = release.decrypt_partially(setup, ticket, name, share, ciphertexts, entropy)
    return replace(certificate, partials=partials)


def sign_all(certificate: Certificate, cluster: Cluster, decrypt: bool = True) -> bytes:
    """Everything that keys can do."""
    signed = sign_ticket(sign_bids(certificate, cluster), cluster)
    return (decrypt_again(signed, cluster) if decrypt else signed).encode()
