"""Security parameters: one frozen object, never loose integers and never negotiated on the wire."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SecurityLevel:
    """Bit lengths every proof and key is built with."""

    modulus_bits: int
    """|N|: 2048 is about 112-bit, 3072 about 128-bit security."""
    challenge_bits: int = 128
    """Fiat–Shamir challenges and batching coefficients."""
    hiding_bits: int = 128
    """Statistical distance exponent of every response mask."""
    share_hiding_bits: int = 80
    """kappa: statistical mask of a value that is opened under an integer mask."""


STANDARD = SecurityLevel(2048)
LONG_TERM = SecurityLevel(3072)
CHALLENGE_BITS = STANDARD.challenge_bits
HIDING_BITS = STANDARD.hiding_bits
MASK_BITS = STANDARD.share_hiding_bits
MAX_ATTEMPTS = 3
"""How often a session may compute on the same inputs. Every attempt costs each bid object a blind of its own
(ciphertext, range proof, shares), and the statistical masks hide all attempts together."""
ALLOWED_MODULUS_BITS = (STANDARD.modulus_bits, LONG_TERM.modulus_bits)
