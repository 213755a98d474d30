"""A second verifier, written from the specification with Python's integers and hashlib only; it imports no tacita.

`verify_<algorithm>(group, test)` returns None or raises Invalid. Slow and simple on purpose; IntQuad has its own file.
"""

import hashlib
from collections.abc import Sequence
from math import factorial, prod
from typing import Any

CHALLENGE, HIDING = 128, 128


class Invalid(Exception):
    """The vector does not hold."""


def require(condition: bool) -> None:
    """Stop with the verdict "invalid"."""
    if not condition:
        raise Invalid


def number(text: str) -> int:
    """A hexadecimal integer with a sign."""
    return int(text, 16)


def jacobi(a: int, n: int) -> int:
    """The Jacobi symbol (a/n) for an odd n > 0."""
    a, result = a % n, 1
    while a:
        while a % 2 == 0:
            a //= 2
            if n % 8 in (3, 5):
                result = -result
        a, n = n, a
        if a % 4 == n % 4 == 3:
            result = -result
        a %= n
    return result if n == 1 else 0


class Transcript:
    """state ← SHA256(state ‖ len16(label) ‖ label ‖ type ‖ len64(data) ‖ data)."""

    def __init__(self, protocol: str, context: dict[str, str] | None = None) -> None:
        self.state = hashlib.sha256(b"tacita/v1/" + protocol.encode()).digest()
        if context is not None:
            self.absorb("session", bytes.fromhex(context["session"]))
            for field in ("round", "prover", "object"):
                self.absorb(field, context[field])

    def absorb(self, label: str, value: int | str | bytes) -> None:
        """One typed field."""
        if isinstance(value, bytes):
            kind, data = b"b", value
        elif isinstance(value, str):
            kind, data = b"s", value.encode()
        else:
            kind, data = b"-" if value < 0 else b"+", b""
            if value:
                data = abs(value).to_bytes(-(-abs(value).bit_length() // 8), "big")
        name = label.encode()
        field = len(name).to_bytes(2, "big") + name + kind + len(data).to_bytes(8, "big") + data
        self.state = hashlib.sha256(self.state + field).digest()

    def absorb_all(self, label: str, values: Sequence[int | str | bytes]) -> None:
        """The length, then each element."""
        for value in (len(values), *values):
            self.absorb(label, value)

    def challenges(self, name: str, count: int, bits: int = CHALLENGE) -> list[int]:
        """Name, count and bits, then one masked block per challenge."""
        self.absorb("challenge", name)
        self.absorb("count", count)
        self.absorb("bits", bits)
        size = -(-bits // 8)
        stream = hashlib.shake_256(self.state).digest(count * size)
        return [int.from_bytes(stream[k * size :][:size], "big") % 2**bits for k in range(count)]

    def digest(self) -> bytes:
        """The identifier of everything so far."""
        return hashlib.sha256(self.state + b"digest").digest()


def identifier(protocol: str, **fields: int | str | bytes) -> bytes:
    """The digest of labelled fields in the given order."""
    transcript = Transcript(protocol)
    for label, value in fields.items():
        transcript.absorb(label, value)
    return transcript.digest()


def canonical(x: int, modulus: int) -> int:
    """min(x, modulus − x)."""
    return min(x % modulus, -x % modulus)


def hash_to_unit(modulus: int, label: str, index: int = 0) -> int:
    """The first SHAKE block of |modulus| + 256 bits whose residue has symbol +1 and exceeds 1, up to sign."""
    seed = identifier("hash-to-unit", label=label, index=index, modulus=modulus)
    size, counter = -(-(modulus.bit_length() + 256) // 8), 0
    while True:
        block = hashlib.shake_256(seed + counter.to_bytes(4, "big")).digest(size)
        x = int.from_bytes(block, "big") % modulus
        if x > 1 and jacobi(x, modulus) == 1:
            return canonical(x, modulus)
        counter += 1


def h_s(n: int) -> int:
    """(−x²)^N mod N²."""
    x = hash_to_unit(n, "h_s")
    return pow(-x * x % n, n, n * n)


def encryption_id(n: int, n_c: int) -> bytes:
    """enc_id of the Paillier modulus and the commitment modulus."""
    group = Transcript("commitment-group")
    for label, value in (("modulus", n_c), ("h", hash_to_unit(n_c, "h")), ("g*", hash_to_unit(n_c, "g*"))):
        group.absorb(label, value)
    lengths = {"R": n.bit_length() // 2, "R_c": n_c.bit_length() + HIDING}
    return identifier("encryption-parameters", N=n, h_s=h_s(n), **lengths, group=group.digest())


def require_ciphertext(c: int, n: int) -> None:
    """0 < c < N², Jacobi symbol +1 modulo N."""
    require(0 < c < n * n and jacobi(c, n) == 1)


def require_commitment(c: int, n_c: int) -> None:
    """Canonical, Jacobi symbol +1 modulo N_c."""
    require(0 < c <= (n_c - 1) // 2 and jacobi(c, n_c) == 1)


class Fields:
    """Fixed-width fields of a proof."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, width: int, signed: bool = False) -> int:
        """The next field."""
        require(len(self.data) >= width)
        head, self.data = self.data[:width], self.data[width:]
        return int.from_bytes(head, "big", signed=signed)

    def finish(self) -> None:
        """Nothing may be left."""
        require(not self.data)


def octets(bits: int) -> int:
    """Bytes for so many bits."""
    return -(-bits // 8)


def verify_transcript(group: dict[str, Any], test: dict[str, Any]) -> None:
    """Operations lead to the stated challenges and digest."""

    def value(kind: str, text: str) -> int | str | bytes:
        return {"bytes": bytes.fromhex, "integer": number, "text": str}[kind](text)

    transcript, drawn = Transcript(test["protocol"], test["context"]), []
    for name, label, *rest in test["operations"]:
        if name == "absorb":
            transcript.absorb(label, value(*rest))
        elif name == "absorb_all":
            transcript.absorb_all(label, [value(*item) for item in rest[0]])
        else:
            drawn.append(transcript.challenges(label, *rest))
    require(drawn == [[number(x) for x in row] for row in test["challenges"]])
    require(transcript.digest().hex() == test["digest"])


def verify_hash_to_unit(group: dict[str, Any], test: dict[str, Any]) -> None:
    """The stated unit is the hashed one."""
    require(hash_to_unit(number(group["modulus"]), test["label"], test["index"]) == number(test["value"]))


def verify_encryption(group: dict[str, Any], test: dict[str, Any]) -> None:
    """Membership and, if an opening is there, c = (1 + mN)·h_s^r with |m| < N/2."""
    n, c = number(group["N"]), number(test["ciphertext"])
    require_ciphertext(c, n)
    if "plaintext" in test:
        m, r = number(test["plaintext"]), number(test["randomness"])
        require(2 * abs(m) < n)
        require(c == (1 + m * n) * pow(h_s(n), r, n * n) % (n * n))


def verify_knowledge(group: dict[str, Any], test: dict[str, Any]) -> None:
    """e = H(…, (1 + zN)·h_s^s·c^−e)."""
    n, c, fields = number(group["N"]), number(test["ciphertext"]), Fields(bytes.fromhex(test["proof"]))
    limit = n.bit_length() // 2 + CHALLENGE + HIDING + 1
    e, z, s = fields.take(16), fields.take(octets(n.bit_length())), fields.take(octets(limit))
    fields.finish()
    require(z < n and s < 2**limit)
    require_ciphertext(c, n)
    transcript = Transcript("knowledge", test["context"])
    transcript.absorb("parameters", encryption_id(n, number(group["N_c"])))
    transcript.absorb("ciphertext", c)
    transcript.absorb("A", (1 + z * n) * pow(h_s(n), s, n * n) * pow(c, -e, n * n) % (n * n))
    require(transcript.challenges("e", 1) == [e])


def verify_decryption(group: dict[str, Any], test: dict[str, Any]) -> None:
    """e = H(…, v^z·v_i^−e, X^z·W^−e) with X = (∏c^ρ)⁴, W = (∏w^ρ)²."""
    key, i = group["key"], test["index"]
    n, parties = number(key["N"]), key["parties"]
    square, delta, v = n * n, factorial(parties), number(key["v"])
    cs, ws = ([number(x) for x in test[name]] for name in ("ciphertexts", "partials"))
    require(1 <= i <= parties and 0 < len(cs) == len(ws))
    mask = key["sigma"] + delta.bit_length() + CHALLENGE + HIDING
    fields = Fields(bytes.fromhex(test["proof"]))
    e, z = fields.take(16), fields.take(octets(mask + 2), signed=True)
    fields.finish()
    require(abs(z) < 2 ** (mask + 1))
    for x in (*cs, *ws):
        require_ciphertext(x, n)
    verification = [number(x) for x in key["verification"]]
    transcript = Transcript("decryption", test["context"])
    transcript.absorb("key", decryption_id(key, verification, number(group["N_c"])))
    transcript.absorb("index", i)
    transcript.absorb("v", v)
    transcript.absorb("v_i", verification[i - 1])
    transcript.absorb_all("c", cs)
    transcript.absorb_all("w", ws)
    rho = transcript.challenges("rho", len(cs)) if len(cs) > 1 else [1]
    x = pow(prod(pow(c, r, square) for c, r in zip(cs, rho, strict=True)), 4, square)
    w = pow(prod(pow(c, r, square) for c, r in zip(ws, rho, strict=True)), 2, square)
    transcript.absorb("A", pow(v, z, square) * pow(verification[i - 1], -e, square) % square)
    transcript.absorb("B", pow(x, z, square) * pow(w, -e, square) % square)
    require(transcript.challenges("e", 1) == [e])


def decryption_id(key: dict[str, Any], verification: list[int], n_c: int) -> bytes:
    """dec_id: everything a decryption proof depends on."""
    transcript = Transcript("decryption-key")
    transcript.absorb("enc", encryption_id(number(key["N"]), n_c))
    values = {**key, "delta": factorial(key["parties"])}
    values |= {name: number(key[name]) for name in ("kappa", "mu", "v")}
    for name in ("parties", "threshold", "delta", "kappa", "mu", "sigma", "v", "epoch", "provenance"):
        transcript.absorb(name, values[name])
    transcript.absorb_all("verification", verification)
    return transcript.digest()


def verify_combine(group: dict[str, Any], test: dict[str, Any]) -> None:
    """u = ∏ w_i^{2λ_i} = 1 + 4κMN over the first t+1 nodes."""
    key = group["key"]
    n, t, delta = number(key["N"]), key["threshold"], factorial(key["parties"])
    partials = {int(i): number(w) for i, w in test["partials"].items()}
    require(all(1 <= i <= key["parties"] for i in partials))
    require(len(partials) > t)
    points, u = sorted(partials)[: t + 1], 1
    for i in points:
        others = [j for j in points if j != i]
        weight = delta * prod(others) // prod(j - i for j in others)
        u = u * pow(partials[i], 2 * weight, n * n) % (n * n)
    require(u % n == 1)
    m = (u - 1) // n * pow(4 * number(key["kappa"]), -1, n) % n
    require((m if 2 * m < n else m - n) == number(test["plaintext"]))
