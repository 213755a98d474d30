"""The second verifier's IntQuad: the equations of the specification, one power after the other."""

from math import prod
from typing import Any

from tests.vectors.verifier import (
    CHALLENGE,
    HIDING,
    Fields,
    Transcript,
    canonical,
    encryption_id,
    h_s,
    hash_to_unit,
    number,
    octets,
    require,
    require_ciphertext,
    require_commitment,
)


class Statement:
    """A statement of the vector file with its integers read."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.bits: list[int] = fields["bits"]
        self.quadratics = [
            (self._terms(q["products"]), self._terms(q["linear"]), number(q["constant"])) for q in fields["quadratics"]
        ]
        self.links = [
            (number(p["ciphertext"]), self._terms(p["terms"]), number(p["constant"]), p["tau"])
            for p in fields["paillier"]
        ]
        self.externals = [(number(c["commitment"]), c["terms"]) for c in fields["commitments"]]

    @staticmethod
    def _terms(rows: list[list[Any]]) -> list[tuple[Any, ...]]:
        return [(*indices, number(k)) for *indices, k in rows]

    def indices(self) -> list[int]:
        """Every witness and generator that is mentioned."""
        used = [i for products, linear, _ in self.quadratics for *ij, _ in products + linear for i in ij]
        used += [i for _, terms, _, _ in self.links for i, _ in terms]
        return used + [i for _, terms in self.externals for pair in terms for i in pair]

    def absorb(self, transcript: Transcript) -> None:
        """Bits, relations, links, external commitments."""
        transcript.absorb_all("bits", self.bits)
        transcript.absorb("quadratics", len(self.quadratics))
        for products, linear, constant in self.quadratics:
            transcript.absorb_all("products", [x for term in products for x in term])
            transcript.absorb_all("linear", [x for term in linear for x in term])
            transcript.absorb("constant", constant)
        transcript.absorb("paillier", len(self.links))
        for ciphertext, terms, constant, tau in self.links:
            transcript.absorb("Z", ciphertext)
            transcript.absorb("constant", constant)
            transcript.absorb_all("terms", [x for term in terms for x in term])
            transcript.absorb("tau", tau)
        transcript.absorb("commitments", len(self.externals))
        for commitment, terms in self.externals:
            transcript.absorb("C_l", commitment)
            transcript.absorb_all("terms", [x for pair in terms for x in pair])


def verify_intquad(group: dict[str, Any], test: dict[str, Any]) -> None:
    """Lengths, bounds, membership, then e = H(…, C_*, D, D_*, D_x, A)."""
    n, n_c = number(group["N"]), number(group["N_c"])
    square, statement = n * n, Statement(test["statement"])
    count = len(statement.bits)
    require(all(0 <= i < count for i in statement.indices()))
    slack = CHALLENGE + HIDING + (count + 4).bit_length()
    hidden, links, externals = n_c.bit_length() + HIDING, statement.links, statement.externals
    mask_p = max((tau for *_, tau in links), default=0) + CHALLENGE + slack + len(links).bit_length()
    mask_x = hidden + CHALLENGE + slack + len(externals).bit_length()
    mask_p, mask_x = mask_p if links else 0, mask_x if externals else 0

    # Bytes at fixed widths.
    fields = Fields(bytes.fromhex(test["proof"]))
    c, c_star = fields.take(octets(n_c.bit_length())), fields.take(octets(n_c.bit_length()))
    e = fields.take(CHALLENGE // 8)
    z = [fields.take(octets(b + slack + 2), signed=True) for b in statement.bits]
    z_r, z_star = fields.take(octets(hidden + slack + 1)), fields.take(octets(hidden + slack + 1))
    z_p, z_x = fields.take(octets(mask_p + 1)), fields.take(octets(mask_x + 1))
    fields.finish()

    # Bounds and membership.
    require(all(abs(x) < 2 ** (b + slack + 1) for x, b in zip(z, statement.bits, strict=True)))
    require(z_r < 2 ** (hidden + slack + 1) and z_star < 2 ** (hidden + slack + 1))
    require(z_p < 2 ** (mask_p + 1) and z_x < 2 ** (mask_x + 1))
    require((bool(links) or z_p == 0) and (bool(externals) or z_x == 0))
    for element in (c, c_star, *(commitment for commitment, _ in externals)):
        require_commitment(element, n_c)
    for ciphertext, *_ in links:
        require_ciphertext(ciphertext, n)

    # Coefficients.
    transcript = Transcript("intquad", test["context"])
    transcript.absorb("parameters", encryption_id(n, n_c))
    statement.absorb(transcript)
    transcript.absorb("C", c)
    gamma = transcript.challenges("gamma", len(statement.quadratics))
    gamma_link = transcript.challenges("gamma-link", len(links))
    delta = transcript.challenges("delta", len(externals))

    # Announcements.
    h, g_star = hash_to_unit(n_c, "h"), hash_to_unit(n_c, "g*")
    g = [hash_to_unit(n_c, "g", i) for i in range(count)]

    def element(*powers: tuple[int, int]) -> int:
        return canonical(prod(pow(base, exponent, n_c) for base, exponent in powers), n_c)

    f = sum(
        coefficient
        * (sum(k * z[i] * z[j] for i, j, k in products) + e * sum(k * z[i] for i, k in linear) + e * e * constant)
        for coefficient, (products, linear, constant) in zip(gamma, statement.quadratics, strict=True)
    )
    d = element((h, z_r), (c, -e), *zip(g, z, strict=True))
    d_star = element((g_star, f), (h, z_star), (c_star, -e))
    d_x = 1
    if externals:
        exponents = [0] * count
        for weight, (_, terms) in zip(delta, externals, strict=True):
            for j, i in terms:
                exponents[j] += weight * z[i]
        answered = [(commitment, -e * weight) for weight, (commitment, _) in zip(delta, externals, strict=True)]
        d_x = element((h, z_x), *zip(g, exponents, strict=True), *answered)
    plaintext = sum(
        weight * (e * constant + sum(k * z[i] for i, k in terms))
        for weight, (_, terms, constant, _) in zip(gamma_link, links, strict=True)
    )
    a = (1 + plaintext * n) * pow(h_s(n), z_p, square)
    for weight, (ciphertext, *_) in zip(gamma_link, links, strict=True):
        a = a * pow(ciphertext, -e * weight, square) % square
    transcript.absorb_all("announcements", [c_star, d, d_star, d_x, a % square])
    require(transcript.challenges("e", 1) == [e])
