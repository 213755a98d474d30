"""What the broadcasts after the audit mean, S8 to K5: read in the same way by every node and by a judge."""

from functools import cached_property
from hashlib import sha256
from itertools import combinations

from gmpy2 import mpz

from tacita.crypto.commitment import commitment_group, hash_to_unit
from tacita.crypto.encoding import Reader, Writer
from tacita.crypto.errors import CryptoError, InvalidKey
from tacita.crypto.integers import Integer, power
from tacita.crypto.paillier import encryption_key
from tacita.crypto.proofs import decryption
from tacita.crypto.threshold import DEALERLESS, ThresholdKey, check_key, combine, verification_base
from tacita.crypto.transcript import Context, Transcript
from tacita.protocols.faults import BadKeyShare, BadModulus, BadPartialDecryption, InvalidEncodingFault
from tacita.protocols.keygen import biprime
from tacita.protocols.keygen.blame import Blame, accused
from tacita.protocols.keygen.certificate import KeyCertificate, Origin, check_quorums
from tacita.protocols.keygen.derivation import SMALL_BYTES, TRIALS, Sharing, read_shares, read_small
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.statements import Place, decode_roots
from tacita.protocols.keygen.talk import Record, opened
from tacita.protocols.keygen.vectors import unpack
from tacita.protocols.roster import Roster

HEADER = "S8"
PRIVATE = ("K0", "K1", "K3")
STEPS = ("S8", "S8 coin", "S8 commit", "S8 open", "K0", "K0 commit", "K0 open", "K1", "K2", "K2 open", "K3", "K4",
         "K4 open", "K5")  # fmt: skip


class Discard(Exception):
    """The winner did not become a key; it is opened, and either somebody is blamed or the search goes on."""


def header(place: Place, index: int, modulus: Integer, parameters: Parameters, seed: bytes, coin: bytes) -> bytes:
    """S8: which winner, and commitments to τ_i and to a part of the coin."""
    writer = Writer().fixed(place.encode(), 40).unsigned(index, 4).unsigned(modulus, parameters.modulus_width)
    return writer.fixed(seed_commitment(seed), 32).fixed(coin, 32).to_bytes()


def seed_commitment(seed: bytes) -> bytes:
    """Fixes τ_i before the coin."""
    return sha256(b"tacita/kg/tau-commit" + seed).digest()


class FinalView:
    """The last phase as its broadcasts show it."""

    def __init__(self, parameters: Parameters, place: Place, index: int, modulus: Integer, record: Record) -> None:
        self.parameters, self.place, self.index, self.modulus = parameters, place, index, mpz(modulus)
        self.record = record
        self.sharing = Sharing(parameters, place, self.modulus)

    # ---- S8 ---------------------------------------------------------------------------------------------------

    @cached_property
    def seeds(self) -> dict[int, bytes]:
        """Commitments to τ; all headers must name the same winner."""
        result = {}
        for i, data in self.record.said[HEADER].items():
            reader = Reader(data, "a header")
            with accused(i, "its header"):
                place, index = Place.read(reader), reader.unsigned(4)
                modulus = reader.unsigned(self.parameters.modulus_width)
                result[i] = reader.fixed(32)
                reader.fixed(32)
                reader.finish()
            if (place, index, modulus) != (self.place, self.index, self.modulus):
                raise Blame(i, "it goes on with another candidate than the winner", InvalidEncodingFault)
        return result

    @cached_property
    def coin(self) -> bytes:
        """Everybody's part of the coin, committed to in the header."""
        transcript = Transcript("keygen-coin").absorb("place", self.place.encode())
        for i in self.parameters.everyone:
            part = self.record.said["S8 coin"][i]
            commitment = self.place.commitment("S8 coin", i, part, b"")
            if len(part) != 32 or commitment != self.record.said[HEADER][i][-32:]:
                raise Blame(i, "its part of the coin is not the one it committed to", BadModulus)
            transcript.absorb("part", part)
        return transcript.digest()

    def bases(self) -> list[Integer]:
        """The 127 bases that follow from the coin."""
        return [biprime.base(self.modulus, self.coin, k) for k in range(1, self.parameters.rounds)]

    @cached_property
    def factors(self) -> dict[int, list[Integer]]:
        """v_i of every base."""
        parameters, result = self.parameters, {}
        for i, data in opened(self.place, self.record, "S8 commit", "S8 open").items():
            with accused(i, "its factors of the biprimality test"):
                result[i] = unpack(data, parameters.modulus_width, parameters.rounds - 1, self.modulus)
            if not biprime.proper(self.modulus, result[i]):
                raise Blame(i, "a factor of the biprimality test is no unit below N", BadModulus)
        return result

    # ---- private messages -------------------------------------------------------------------------------------

    def digests(self, step: str) -> dict[int, dict[int, bytes]]:
        """Sender → receiver → announced digest."""
        result = {}
        for i, data in self.record.said[step].items():
            with accused(i, "its list of message digests"):
                result[i] = decode_roots(self.parameters, i, data)
        return result

    def private(self, step: str, sender: int, receiver: int, payload: bytes) -> tuple[bytes, list[Integer]]:
        """(pair seed, integers) of a private message; raises Blame."""
        parameters, sharing = self.parameters, self.sharing
        if sharing.private_digest(step, sender, receiver, payload) != self.digests(step)[sender][receiver]:
            raise Blame(sender, "a private message is not the one it announced", BadKeyShare)
        with accused(sender, "a private message"):
            if step == "K0":
                return read_small(sharing, sender, receiver, payload)
            if step == "K1":
                bounds = [parameters.phi_bound(sender), parameters.beta_bound]
                return b"", read_shares(sharing.width, [parameters.share_bound(b) for b in bounds], payload)
            count = 1 if sender in parameters.openers else 0
            bound = [parameters.share_bound(parameters.weight_bound)] * count
            return b"", read_shares(sharing.long_width, bound, payload) if count else []

    # ---- K0, K2, K4 -------------------------------------------------------------------------------------------

    @cached_property
    def small_openings(self) -> dict[int, list[Integer]]:
        """K0's openings, by opener."""
        result, primes = {}, self.sharing.primes
        for i, data in opened(self.place, self.record, "K0 commit", "K0 open").items():
            count = len(primes) * TRIALS if i in self.parameters.openers else 0
            with accused(i, "its opening of K0"):
                values = unpack(data, SMALL_BYTES, count, 1 << 8 * SMALL_BYTES)
            if count:
                result[i] = values
        return result

    def common_prime(self) -> int | None:
        """A prime that divides p−1 and q−1, as far as K0 can tell."""
        columns = [sum(column) for column in zip(*self.small_openings.values(), strict=True)]
        for n, r in enumerate(self.sharing.primes):
            if all(value % r == 0 for value in columns[n * TRIALS : (n + 1) * TRIALS]):
                return r
        return None

    @cached_property
    def theta_parts(self) -> dict[int, Integer]:
        """K2 of the openers."""
        result = {}
        for i, data in opened(self.place, self.record, "K2", "K2 open").items():
            count = 1 if i in self.parameters.openers else 0
            with accused(i, "its part of theta"):
                values = unpack(data, self.parameters.modulus_width, count, self.modulus)
            if count:
                result[i] = values[0]
        return result

    @property
    def theta(self) -> Integer:
        """θ = Δ³·φ·β mod N."""
        return sum(self.theta_parts.values()) % self.modulus

    @cached_property
    def verification(self) -> dict[int, Integer]:
        """K4 of everybody."""
        result, width = {}, 2 * self.parameters.modulus_width
        for i, data in opened(self.place, self.record, "K4", "K4 open").items():
            with accused(i, "its verification key"):
                result[i] = unpack(data, width, 1, self.modulus**2)[0]
        return result

    def key(self) -> ThresholdKey:
        """The self-certified key; raises InvalidKey if the verification keys do not decrypt the known ciphertext."""
        parameters, modulus = self.parameters, int(self.modulus)
        key = ThresholdKey(
            modulus=modulus,
            parties=parameters.parties,
            threshold=parameters.threshold,
            kappa=int(parameters.delta**3 * self.theta % modulus),
            mu=1,
            sigma=parameters.sigma,
            v=int(verification_base(encryption_key(modulus), 1)),
            verification=tuple(int(self.verification[i]) for i in parameters.everyone),
            epoch=0,
            provenance=DEALERLESS,
        )
        check_key(key)
        check_quorums(key)
        return key

    # ---- K5 ---------------------------------------------------------------------------------------------------

    def check_decryptions(self, key: ThresholdKey) -> None:
        """Every partial decryption verifies and every quorum finds the coin's plaintext; raises Blame or InvalidKey."""
        plaintext, ciphertext = coin_ciphertext(key)
        partials = {}
        for i, data in self.record.said["K5"].items():
            width = key.encryption.ciphertext_bytes
            statement = decryption.Statement(i, (ciphertext,), (int.from_bytes(data[:width], "big"),))
            try:
                proof = decryption.Proof.decode(key, data[width:])
                decryption.verify(key, commitment_group(), decryption_context(self.place, i), statement, proof)
            except CryptoError as error:
                raise Blame(i, f"its test decryption does not verify ({error})", BadPartialDecryption) from None
            partials[i] = statement.partials[0]
        for quorum in combinations(partials, key.threshold + 1):
            if combine(key, {i: partials[i] for i in quorum}) != plaintext:
                raise InvalidKey("a quorum does not decrypt the test ciphertext")

    def certificate(self, key: ThresholdKey, roster: Roster) -> KeyCertificate:
        """What everybody signs."""
        place, bits = self.place, self.parameters.secret_bound.bit_length()
        origin = Origin("ceremony", place.session, place.epoch, place.batch + 1, self.transcript(), bits)
        return KeyCertificate(key, origin, roster.digest)

    def transcript(self) -> bytes:
        """Digest of everything that was broadcast in this phase up to the verification keys."""
        transcript = Transcript("keygen-final").absorb("place", self.place.encode())
        for step in STEPS[:-1]:
            said = self.record.said.get(step, {})
            transcript.absorb_all(step, [said[i] for i in sorted(said)])
        return transcript.digest()


def decryption_context(place: Place, party: int) -> Context:
    """Where a proof of the test decryption belongs."""
    return Context(place.session, "keygen/K5", str(party), "test decryption")


def coin_ciphertext(key: ThresholdKey) -> tuple[Integer, Integer]:
    """A public plaintext below N/2 and its encryption with hashed randomness."""
    encryption = key.encryption
    seed = Transcript("keygen-test").absorb_all("verification", key.verification).digest()
    plaintext = int.from_bytes(seed, "big") % encryption.half
    root = hash_to_unit(encryption.modulus, "keygen test")
    return plaintext, encryption.with_plaintext(plaintext) * power(root, encryption.modulus, encryption.square) % (
        encryption.square
    )
