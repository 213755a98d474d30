"""N = p·q: degree-t sharings of p and q modulo P, and one opening of their product, masked by a sharing of zero."""

from collections.abc import Sequence

from tacita.crypto.integers import Integer
from tacita.protocols.keygen.parameters import Parameters
from tacita.protocols.keygen.seeds import Draws
from tacita.protocols.keygen.sieve import Columns
from tacita.protocols.keygen.vectors import add_columns, horner


def deal(parameters: Parameters, party: int, values: Sequence[Integer], draws: Draws) -> list[list[Integer]]:
    """S2: shares modulo P of p_i and q_i; party 1 adds the public part C."""
    public = parameters.public_part(party)
    secret = [value + public for value in values] if public else list(values)
    return [horner([secret, *draws.product], j, parameters.field) for j in parameters.everyone]


def opening(parameters: Parameters, party: int, received: Columns, zeros: Sequence[Integer]) -> list[Integer]:
    """S4: λ_i·f_p(i)·f_q(i) + zero share modulo P, for one of the 2t+1 openers."""
    field, weight = parameters.field, parameters.field_weights[party - 1]
    sums = add_columns(received)
    return [
        (weight * ((p % field) * (q % field) % field) + zero) % field
        for p, q, zero in zip(sums[::2], sums[1::2], zeros, strict=True)
    ]


def moduli(parameters: Parameters, openings: Columns) -> list[Integer]:
    """N of every candidate."""
    return [value % parameters.field for value in add_columns(openings)]


def well_formed(parameters: Parameters, modulus: Integer) -> bool:
    """What honest openings always give: exactly 2k bits and N = 1 mod F, because p = q = −1 mod F."""
    return bool(modulus.bit_length() == parameters.bits and modulus % parameters.fixed == 1)
