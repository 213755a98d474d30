"""Small programs to attack, and wire changes for them."""

import hashlib

import numpy as np

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.deploy.attack.engines import HEADER, Run, Tamper
from tacita.protocols.mpc.demand import Demand
from tacita.protocols.mpc.engine import Engine
from tacita.protocols.mpc.reciprocal import reciprocal

LIMIT = 1 << 10
FIRST = 32
"""Errors go to one of so many first elements: a short session leaves the end of `verify`'s pool unused."""
READY = hashlib.sha256().digest_size


async def every_operation(engine: Engine) -> None:
    """Every operation that communicates, on two elements; products that are multiplied again before any opening."""
    a = await engine.from_cipher("a", 2, 0, -LIMIT, LIMIT)
    b = await engine.from_cipher("b", 2, 0, 1, LIMIT)
    ab = await engine.mul(a, b)
    await engine.to_cipher("abb", await engine.mul(ab, b))
    await engine.to_cipher("dot", await engine.dot(ab, a, np.array([0, 0]), 1))
    await engine.to_cipher("trunc", await engine.trunc(ab, 4))
    await engine.to_cipher("minimum", await engine.minimum(a, b))
    await engine.to_cipher("zero", await engine.select(await engine.is_zero(a), b, a))
    await engine.to_cipher("clip", await engine.clip(a, engine.zeros(2, 0), b, 2))
    await engine.to_cipher("reciprocal", await reciprocal(engine, b.as_scale(11), 6))


EVERY_INPUT = {"a": [-7, 1000], "b": [11, 3]}


def wrong_share(demand: Demand, sender: int, receiver: int, number: int, seed: str) -> Tamper:
    """A random error on one share of one message; a ready message gets one wrong bit."""
    width, entropy = (demand.prime.bit_length() + 7) // 8, SeededEntropy(seed)

    def tamper(i: int, j: int, n: int, data: bytes) -> bytes:
        if (i, j, n) != (sender, receiver, number):
            return data
        head, body = data[:HEADER], bytearray(data[HEADER:])
        if len(body) == READY:
            body[random_below(entropy, READY)] ^= 1 << random_below(entropy, 8)
            return head + bytes(body)
        place = width * random_below(entropy, min(FIRST, len(body) // width))
        share = int.from_bytes(body[place : place + width], "little")
        changed = (share + 1 + random_below(entropy, demand.prime - 1)) % demand.prime
        body[place : place + width] = changed.to_bytes(width, "little")
        return head + bytes(body)

    return tamper


def dropped(sender: int, receiver: int, number: int) -> Tamper:
    """One message never arrives."""
    return lambda i, j, n, data: None if (i, j, n) == (sender, receiver, number) else data


def messages(run: Run, sender: int, receiver: int) -> int:
    """How many messages one link carried."""
    return sum((i, j) == (sender, receiver) for i, j, _ in run.traffic)
