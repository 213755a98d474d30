"""What a refresh and a resharing have in common: meet, deal verifiably, test, sign, and survive a crash in between.

The next share is on disk before this node signs the next key, and the old share is erased only when all signatures are
there. After a crash the nodes take over a complete certificate, or sign again what all of them hold, or begin anew.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tacita.crypto.commitment import commitment_group
from tacita.crypto.encoding import Writer, read_json
from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import CryptoError, InvalidKey
from tacita.crypto.integers import Integer
from tacita.crypto.proofs import decryption
from tacita.crypto.signature import SigningKey
from tacita.crypto.threshold import KeyShare, ThresholdKey, combine, partial_decrypt
from tacita.crypto.transcript import Context, Transcript, digest
from tacita.protocols import messages
from tacita.protocols.channel import Channel
from tacita.protocols.faults import (
    BadPartialDecryption,
    InvalidEncodingFault,
    LocalFault,
    ParamMismatch,
    ProtocolFault,
    SuspectFault,
    TacitaError,
    VerificationFailed,
)
from tacita.protocols.keygen import dealing
from tacita.protocols.keygen.certificate import KeyCertificate, check_signature
from tacita.protocols.keygen.dealing import Dealing
from tacita.protocols.keygen.final_view import coin_ciphertext
from tacita.protocols.keygen.gathering import greet
from tacita.protocols.keygen.memory import KeyStore
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

ROUNDS = ("dealing", "shares")
OpenChannel = Callable[[bytes, bytes], Channel]


@dataclass(frozen=True)
class Renewed:
    """The next key and this node's share of it; a node that leaves the roster holds none."""

    certificate: KeyCertificate
    share: KeyShare | None = field(repr=False)


@dataclass(frozen=True)
class Member:
    """One node in a renewal; everything outside is injected here."""

    node: str
    everybody: Roster
    """Old and new nodes."""
    receivers: Roster
    """Who holds the key afterwards."""
    parent: KeyCertificate
    identity: SigningKey = field(repr=False)
    entropy: Entropy
    store: KeyStore
    kind: str = "refresh"

    @property
    def number(self) -> int | None:
        """This node's number among the receivers."""
        return self.receivers.index(self.node) + 1 if self.node in self.receivers.names else None


def pending_place(parent: KeyCertificate, receivers: Roster) -> bytes:
    """Where a node's store keeps a renewal that is not complete."""
    return digest("key-pending", ("parent", parent.identifier), ("to", receivers.digest))


def read_pending(data: bytes | None) -> tuple[KeyCertificate, KeyShare | None] | None:
    """What is kept there: the certificate without signatures, and this node's next share if it receives one."""
    if data is None:
        return None
    tree = read_json(data)
    share = KeyShare(tree["index"], int(tree["secret"], 16)) if tree["index"] else None
    return KeyCertificate.read(tree["certificate"]), share


class Renewal:
    """One node's channel and the steps that are the same in both protocols."""

    def __init__(self, member: Member, open_channel: OpenChannel) -> None:
        self.member, self.open_channel = member, open_channel
        self.channel: Channel | None = None
        self._pending = pending_place(member.parent, member.receivers)

    async def abort(self, error: BaseException) -> None:
        """Tell the others, with evidence if there is some."""
        if self.channel is not None:
            await asyncio.shield(self.channel.abort(error.evidence if isinstance(error, ProtocolFault) else None))

    async def meet(self, public: Dealing) -> Renewed | None:
        """Agree on what is renewed; the finished renewal if an earlier attempt came that far."""
        member = self.member
        fields = ("kind", member.kind), ("parent", member.parent.identifier), ("to", member.receivers.digest)
        place = ("kind", member.kind), ("modulus", member.parent.key.modulus), ("to", member.receivers.digest)
        self.channel = first = self.open_channel(digest("key-renewal", *place), b"")
        label = await greet(first, member.entropy)
        self.channel = channel = self.open_channel(label, first.root)
        channel.follow(first)
        roster = member.everybody
        channel.judge = lambda evidence: dealing.verdict(public, ROUNDS, roster, member.receivers, evidence)
        pending, complete = self.pending(), member.store.recall("key/certificate", self._pending)
        mine = {
            "what": digest("key-renewal-hello", *fields, ("bounds", public.share_bound)).hex(),
            "pending": pending[0].identifier.hex() if pending else "",
            "certificate": complete.hex() if complete else "",
            "holds": member.parent.encode().hex(),
        }
        others = {}
        for name, payload in (await channel.broadcast("hello", canonical_json(mine))).items():
            others[name] = messages.canonical_tree(name, payload, set(mine))
            if others[name]["what"] != mine["what"]:
                return self._apart(name, str(others[name]["holds"]), pending)
        for name, hello in others.items():
            if hello["certificate"]:
                return self._adopt(name, str(hello["certificate"]), pending)
        holders = [hello["pending"] for name, hello in others.items() if name in member.receivers.names]
        if holders[0] and len(set(holders)) == 1:
            return await self.sign(*(pending or (member.parent, None)))
        # Nobody can complete what not all hold: it is dropped for good before anything new is signed.
        member.store.forget("key/pending", self._pending)
        return None

    def _apart(self, name: str, data: str, pending: tuple[KeyCertificate, KeyShare | None] | None) -> Renewed:
        """A node crashed when the others had finished: it catches up, and nothing new is dealt this time."""
        parent = self.member.parent
        with contextlib.suppress(VerificationFailed, ValueError):
            other = KeyCertificate.read(read_json(bytes.fromhex(data)))
            if other.origin.parent == parent.identifier:
                return self._adopt(name, data, pending)
            if parent.origin.parent == other.identifier:
                return Renewed(parent, None)
        raise ParamMismatch(name, "it renews another key, or for another roster")

    def settle(self) -> None:
        """The renewed key is in its file: the journal's copies go."""
        for kind in ("key/pending", "key/certificate"):
            self.member.store.forget(kind, self._pending)

    def pending(self) -> tuple[KeyCertificate, KeyShare | None] | None:
        """What an earlier attempt left."""
        return read_pending(self.member.store.recall("key/pending", self._pending))

    def _adopt(self, name: str, data: str, pending: tuple[KeyCertificate, KeyShare | None] | None) -> Renewed:
        try:
            certificate = KeyCertificate.read(read_json(bytes.fromhex(data)))
            certificate.verify(self.member.receivers)
        except (VerificationFailed, ValueError) as error:
            raise ProtocolFault(name, f"the certificate it shows does not verify ({error})") from None
        if pending is None or pending[0].identifier != certificate.identifier:
            raise LocalFault("the others finished a renewal that this node holds no share of; run a new ceremony")
        self.member.store.remember("key/certificate", self._pending, certificate.encode())
        return Renewed(certificate, pending[1])

    async def deal(
        self, publics: Mapping[str, Dealing], coefficients: Sequence[Integer] | None
    ) -> tuple[dict[str, list[Integer]], dict[str, Integer]]:
        """(commitments of every dealer, what each dealt to this node); raises a fault with evidence."""
        member, channel = self.member, self._channel()
        mine = publics[member.node].commit(coefficients) if coefficients is not None else b""
        committed = {}
        for name, data in (await channel.broadcast(ROUNDS[0], mine)).items():
            if name in publics:
                try:
                    committed[name] = publics[name].read(data)
                except CryptoError as error:
                    raise InvalidEncodingFault(name, str(error)) from None
        payloads = {}
        for peer in channel.peers:
            receives = coefficients is not None and peer in member.receivers.names
            number = member.receivers.index(peer) + 1 if receives else 0
            payloads[peer] = publics[member.node].share(coefficients or (), number) if receives else b""
        received = await channel.exchange(ROUNDS[1], payloads)
        if coefficients is not None and member.number is not None:
            received[member.node] = publics[member.node].share(coefficients, member.number)
        shares: dict[str, Integer] = {}
        for name, public in publics.items():
            if member.number is not None:
                shares[name] = self._open(public, name, received[name], committed[name], member.number)
        return committed, shares

    def _open(self, public: Dealing, name: str, data: bytes, committed: Sequence[Integer], number: int) -> Integer:
        try:
            return public.open(data, committed, number)
        except CryptoError as error:
            channel = self._channel()
            signed = channel.signed(ROUNDS[0], name), channel.signed(ROUNDS[1], name)
            raise dealing.complaint(name, str(error), signed) from None

    def _channel(self) -> Channel:
        assert self.channel is not None
        return self.channel

    async def close(self) -> None:
        """Stay until everybody holds the certificate, or is gone: who leaves early may take its last words along."""
        with contextlib.suppress(TacitaError):
            await self._channel().broadcast("stored", b"")

    # ---- the end ----------------------------------------------------------------------------------------------

    def keep(self, certificate: KeyCertificate, share: KeyShare | None) -> None:
        """On disk before anything is signed."""
        secret = {"index": share.index, "secret": format(share.secret, "x")} if share else {"index": 0, "secret": "0"}
        data = canonical_json({"certificate": certificate.tree(), **secret})
        self.member.store.remember("key/pending", self._pending, data)

    async def sign(self, certificate: KeyCertificate, share: KeyShare | None) -> Renewed:
        """A test decryption by every quorum, then all receivers' signatures."""
        member, channel = self.member, self._channel()
        await self._decrypt(certificate.key, share)
        mine = certificate.sign(member.identity) if share else b""
        signatures = {}
        for name, data in (await channel.broadcast("sign", mine)).items():
            if name in member.receivers.names:
                identity = member.receivers.nodes[member.receivers.index(name)].identity
                try:
                    check_signature(certificate, name, identity, data)
                except VerificationFailed as error:
                    raise ProtocolFault(name, str(error)) from None
                signatures[name] = data
        certificate = certificate.completed(signatures)
        certificate.verify(member.receivers)
        member.store.remember("key/certificate", self._pending, certificate.encode())
        return Renewed(certificate, share)

    async def _decrypt(self, key: ThresholdKey, share: KeyShare | None) -> None:
        member, mine = self.member, b""
        plaintext, ciphertext = coin_ciphertext(key)
        width = key.encryption.ciphertext_bytes
        if share is not None:
            partial = int(partial_decrypt(key, share, ciphertext))
            statement = decryption.Statement(share.index, (ciphertext,), (partial,))
            context = self._context(member.node)
            proof = decryption.prove(key, commitment_group(), context, statement, share, member.entropy)
            mine = Writer().unsigned(partial, width).to_bytes() + proof.encode(key)
        partials = {}
        for name, data in (await self._channel().broadcast("decrypt", mine)).items():
            if name not in member.receivers.names:
                continue
            number = member.receivers.index(name) + 1
            statement = decryption.Statement(number, (ciphertext,), (int.from_bytes(data[:width], "big"),))
            try:
                proof = decryption.Proof.decode(key, data[width:])
                decryption.verify(key, commitment_group(), self._context(name), statement, proof)
            except CryptoError as error:
                raise BadPartialDecryption(name, f"its test decryption does not verify ({error})") from None
            partials[number] = statement.partials[0]
        try:
            right = combine(key, partials) == plaintext
        except InvalidKey:
            right = False
        if not right:
            raise SuspectFault(member.everybody.names, "the renewed key does not decrypt; the old one stays in use")

    def _context(self, name: str) -> Context:
        return Context(self._channel().session, "key-renewal", name, "test decryption")

    def transcript(self) -> bytes:
        """Digest of everything that was broadcast so far."""
        return Transcript("key-renewal").absorb("root", self._channel().root).digest()
