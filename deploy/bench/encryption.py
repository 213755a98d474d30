"""Paillier encryption, addition and multiplication by a constant, beside phe, tno and pypaillier.

All libraries use the same modulus and the same numbers, and all times are CPU time, because pypaillier has threads
of its own. Each peer runs in its own process under the peers' interpreter. Before anything is timed, the peers'
ciphertexts are decrypted with our key and compared.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib.resources import files as package_files
from pathlib import Path
from statistics import median
from typing import Any

from tacita.crypto.entropy import SystemEntropy, random_bits
from tacita.crypto.integers import power
from tacita.crypto.paillier import EncryptionKey, encryption_key
from tacita.crypto.threshold import KeyShare, ThresholdKey, combine, deal, partial_decrypt
from tacita.deploy.bench.measure import Note, cpu_seconds, interleaved, ratio
from tacita.protocols.faults import CallerMistake, VerificationFailed

PEERS = ("phe", "tno", "pypaillier")
OPERATIONS = {"encrypt": 24, "add": 2000, "multiply": 60}
"""Calls per round of each operation."""
OPERAND_BITS = 64
"""Bits of the plaintexts and of the public factor."""
PEER_SECONDS = 600.0
"""A peer that takes longer is ended."""


class Peer:
    """One library behind a pipe; see peers/encryption.py for the messages."""

    def __init__(self, python: Path, name: str, modulus: int) -> None:
        script = Path(str(package_files("tacita") / "deploy" / "bench" / "peers" / "encryption.py"))
        self._process = subprocess.Popen(
            [str(python), str(script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._watch = threading.Timer(PEER_SECONDS, self._process.kill)
        self._watch.daemon = True
        self._watch.start()
        self.name = name
        self.version = str(self._ask({"modulus": format(modulus, "x")})["version"])

    def ask(self, operation: str, repeats: int, numbers: dict[str, int]) -> dict[str, Any]:
        """One request with hexadecimal operands."""
        operands = {name: format(x, "x") for name, x in numbers.items()}
        return self._ask({"operation": operation, "repeats": repeats, **operands})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return dict(json.loads(self._process.stdout.readline()))
        except (OSError, ValueError):
            raise CallerMistake(f"the peer {self.name} does not run; make its environment with make bench") from None

    def close(self) -> None:
        """End the process."""
        self._watch.cancel()
        self._process.kill()
        self._process.communicate()


def run(peers: Path | None, bits: int, rounds: int, note: Note) -> dict[str, Any]:
    """Median CPU milliseconds per operation and the peers' ratios to ours.

    Args:
        peers: the peers' python, or None to measure ours alone.
        bits: length of the modulus.
        rounds: rounds A B A B of which medians are taken.
        note: progress.

    Raises:
        VerificationFailed: a peer's ciphertext does not decrypt to what it should.
    """
    entropy = SystemEntropy()
    public, shares = deal(bits, 3, 1, entropy)
    numbers = {name: random_bits(entropy, OPERAND_BITS) | 1 for name in ("a", "b", "scalar")}
    # The table of powers of h_s is made once per key and process; it is reported beside the warm time.
    fresh = EncryptionKey(public.modulus)
    begun = time.process_time()
    fresh.encrypt(numbers["a"], entropy)
    first = time.process_time() - begun
    mine = _operations(public, numbers)
    others: list[Peer] = []
    try:
        if peers is not None:
            for name in PEERS:
                others.append(Peer(peers, name, public.modulus))
                check(others[-1], public, shares, numbers)
        results: dict[str, Any] = {}
        for operation, repeats in OPERATIONS.items():
            note(f"Paillier, {bits} bits: {operation}")
            competitors: dict[str, Callable[[], float]] = {"tacita": partial(cpu_seconds, mine[operation], repeats)}
            competitors |= {peer.name: partial(_timed, peer, operation, repeats, numbers) for peer in others}
            for run in competitors.values():
                run()  # tables, caches and imports
            seconds = interleaved(competitors, rounds)
            results[operation] = {
                "milliseconds": {name: round(1e3 * median(row), 4) for name, row in seconds.items()},
                "ratio": {p.name: round(ratio(seconds[p.name], seconds["tacita"]), 2) for p in others},
            }
    finally:
        for peer in others:
            peer.close()
    return {
        "bits": bits,
        "rounds": rounds,
        "first_encryption_milliseconds": round(1e3 * first, 1),
        "versions": {peer.name: peer.version for peer in others},
        "checked": [peer.name for peer in others],
        "operations": results,
    }


def _timed(peer: Peer, operation: str, repeats: int, numbers: dict[str, int]) -> float:
    return float(peer.ask(operation, repeats, numbers)["seconds"])


def _operations(public: ThresholdKey, numbers: dict[str, int]) -> dict[str, Callable[[], object]]:
    """The product's own calls; sums carry their public bounds along."""
    key, entropy = encryption_key(public.modulus), SystemEntropy()
    a, b = (key.receive(key.encrypt(numbers[n], entropy)[0], 0, 1 << OPERAND_BITS) for n in ("a", "b"))
    scalar = numbers["scalar"]
    return {
        "encrypt": lambda: key.encrypt(numbers["a"], entropy),
        "add": lambda: key.add([a, b]),
        "multiply": lambda: power(a.value, scalar, key.square),
    }


def check(peer: Peer, public: ThresholdKey, shares: list[KeyShare], numbers: dict[str, int]) -> None:
    """The peer's ciphertexts must decrypt, by two of our three shares, to what they should hold."""
    a, b, scalar = numbers["a"], numbers["b"], numbers["scalar"]
    expected = {"encrypt": a, "add": a + b, "multiply": a * scalar}
    answered = peer.ask("check", 1, numbers)
    for operation, plaintext in expected.items():
        # Squared: classical encryption also makes ciphertexts of Jacobi symbol −1, which our nodes refuse to decrypt.
        doubled = power(int(answered[operation], 16), 2, public.encryption.square)
        partials = {share.index: partial_decrypt(public, share, doubled) for share in shares[:2]}
        if int(combine(public, partials)) != 2 * plaintext:
            raise VerificationFailed(f"{peer.name}: the ciphertext of '{operation}' decrypts to another number")
