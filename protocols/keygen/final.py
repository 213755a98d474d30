"""From the audited winner to a self-certified key at one party: S8 and K0 to K5 (docs/ceremony.md).

S8      commit to τ_i and the coin, open the coin; 127 more rounds of the biprimality test; no prime, no power
K0      no prime r > 47 divides both p−1 and q−1
K1, K2  share φ and β over the integers; open θ under a sharing of zero
K3, K4  share the products again with degree t; commit to and open the verification keys, which certify themselves
K5      a test decryption by every quorum
A step that fails without a culprit raises Discard: the winner is opened then, and whoever lied is blamed.
"""

import asyncio
from collections.abc import Callable

from gmpy2 import mpz

from tacita.crypto.commitment import commitment_group
from tacita.crypto.encoding import Writer
from tacita.crypto.entropy import Entropy
from tacita.crypto.errors import InvalidKey
from tacita.crypto.integers import Integer
from tacita.crypto.proofs import decryption
from tacita.crypto.threshold import KeyShare, ThresholdKey, check_share, partial_decrypt
from tacita.protocols.faults import LocalFault
from tacita.protocols.keygen import biprime
from tacita.protocols.keygen.blame import Blame
from tacita.protocols.keygen.derivation import SMALL_BYTES, Deriver
from tacita.protocols.keygen.final_view import (
    HEADER,
    Discard,
    FinalView,
    coin_ciphertext,
    decryption_context,
    header,
)
from tacita.protocols.keygen.memory import Winner
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.seeds import SEED_BYTES
from tacita.protocols.keygen.talk import Talk
from tacita.protocols.keygen.vectors import pack


class Final:
    """One party's work on the winner."""

    def __init__(self, parameters: Parameters, talk: Talk, winner: Winner, entropy: Entropy) -> None:
        self.parameters, self.talk, self.me, self.winner = parameters, talk, talk.me, winner
        self.entropy = entropy
        self.view = FinalView(parameters, talk.place, winner.index, winner.modulus, talk.record)
        self.seed = entropy.token(SEED_BYTES)
        p, q = mpz(winner.p), mpz(winner.q)
        self.deriver = Deriver(self.view.sharing, self.me, self.seed, p, q)
        self.pairs: dict[int, bytes] = {}
        self.resigns: bytes | None = None
        """Identifier of a modulus that this node signed before a crash and may test and sign once more."""

    async def certify_modulus(self) -> None:
        """S8 and K0: N is a product of two primes as it must be; raises Blame or Discard."""
        await self._more_rounds()
        await self._common_factors()

    # ---- S8 ---------------------------------------------------------------------------------------------------

    async def _more_rounds(self) -> None:
        talk, view, modulus = self.talk, self.view, self.view.modulus
        signed = talk.memory.signed()
        if signed is not None and signed != self.resigns:
            raise LocalFault("this node has signed the key of this ceremony; it makes no second one")
        talk.memory.theta_seed(talk.place.epoch, self.winner.batch, self.seed)
        part = self.entropy.token(32)
        commitment = talk.place.commitment("S8 coin", self.me, part, b"")
        await talk.say(HEADER, header(talk.place, self.winner.index, modulus, self.parameters, self.seed, commitment))
        _ = view.seeds
        await talk.say("S8 coin", part)
        e = biprime.exponent(self.parameters, self.me, self.deriver.p, self.deriver.q)
        bases, factors = view.bases(), []
        for g in bases:
            factors.append(biprime.secret_factor(g, e, modulus))
            await asyncio.sleep(0)
        await talk.open("S8 commit", "S8 open", pack(factors, self.parameters.modulus_width))
        for k, g in enumerate(bases):
            rounds = [view.factors[i][k] for i in self.parameters.everyone]
            if not biprime.passes(modulus, g, rounds, biprime.public_factor(g, modulus)):
                raise Discard("the winner fails another round of the biprimality test")
            await asyncio.sleep(0)
        if not biprime.two_factors_at_least(modulus):
            raise Discard("the winner is a prime or a power")

    # ---- private messages -------------------------------------------------------------------------------------

    async def _tell(self, step: str, message: Callable[[int], bytes]) -> dict[int, tuple[bytes, list[Integer]]]:
        """Announce the digests of a private message, then send it; what the others sent, checked."""
        talk, sharing, me = self.talk, self.view.sharing, self.me
        payloads = {j: message(j) for j in self.parameters.everyone if j != me}
        await talk.say(step, b"".join(sharing.private_digest(step, me, j, data) for j, data in payloads.items()))
        result = {}
        for i, data in (await talk.tell(f"{step}/private", payloads)).items():
            try:
                result[i] = self.view.private(step, i, me, data)
            except Blame as blame:
                if blame.party == i:  # otherwise this is an honest message, and its content a secret
                    talk.show(f"{step}/private", i)
                raise
        return result

    # ---- K0 ---------------------------------------------------------------------------------------------------

    async def _common_factors(self) -> None:
        deriver, me = self.deriver, self.me
        received = await self._tell("K0", deriver.small_share)
        self.pairs = {j: seed if j < me else deriver.pair_seed(j) for j, (seed, _) in received.items()}
        if not self.view.sharing.primes:
            return
        mine = b""
        if me in self.parameters.openers:
            shares = [*(values for _, values in received.values()), deriver.small_values(me)]
            mine = pack(deriver.small_opening(shares, self.pairs), SMALL_BYTES)
        await self.talk.open("K0 commit", "K0 open", mine)
        prime = self.view.common_prime()
        if prime is not None:
            raise Discard(f"{prime} divides p−1 and q−1")

    # ---- K1 to K4 ---------------------------------------------------------------------------------------------

    async def derive_key(self) -> tuple[ThresholdKey, KeyShare]:
        """K1 to K4: the self-certified key and this node's share; raises Blame or Discard."""
        parameters, deriver, talk, me = self.parameters, self.deriver, self.talk, self.me
        opening = me in parameters.openers
        # K1
        received = await self._tell("K1", deriver.first_share)
        shares = [*(values for _, values in received.values()), list(deriver.pair_shares(me))]
        weight = deriver.weight(sum(f for f, _ in shares), sum(g for _, g in shares)) if opening else mpz(0)
        # K2: a seed that has masked an opening masks no second one (R8)
        if not talk.memory.use_theta_seed(self.seed, talk.place.epoch, self.winner.batch):
            raise LocalFault("the seed of this epoch has been used before; begin another epoch")
        theta = pack([deriver.theta(weight, self.pairs)], parameters.modulus_width) if opening else b""
        await talk.open("K2", "K2 open", theta)
        # K3
        received = await self._tell("K3", lambda j: deriver.second_share(weight, j) if opening else b"")
        long_shares = [value for _, values in received.values() for value in values]
        share = sum(long_shares) + (deriver.long_share(weight, me) if opening else 0)
        # K4
        verification = deriver.verification_key(share)
        await talk.open("K4", "K4 open", pack([verification], 2 * parameters.modulus_width))
        result = KeyShare(me, int(share))
        try:
            key = self.view.key()
        except InvalidKey as error:
            raise Discard(str(error)) from None
        check_share(key, result)
        return key, result


async def decrypt_together(view: FinalView, talk: Talk, key: ThresholdKey, share: KeyShare, entropy: Entropy) -> None:
    """K5: decrypt a public ciphertext, with proofs; raises Blame or Discard."""
    _, ciphertext = coin_ciphertext(key)
    partial = partial_decrypt(key, share, ciphertext)
    statement = decryption.Statement(share.index, (ciphertext,), (int(partial),))
    context = decryption_context(talk.place, share.index)
    proof = decryption.prove(key, commitment_group(), context, statement, share, entropy)
    writer = Writer().unsigned(partial, key.encryption.ciphertext_bytes)
    await talk.say("K5", writer.fixed(data := proof.encode(key), len(data)).to_bytes())
    try:
        view.check_decryptions(key)
    except InvalidKey as error:
        raise Discard(str(error)) from None
