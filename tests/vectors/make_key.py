"""Makes insecure_key.json once. The key is INSECURE on purpose: its factors are published in this folder."""

import json
from pathlib import Path

from tacita.crypto import threshold
from tacita.crypto.entropy import SeededEntropy

PATH = Path(__file__).with_name("insecure_key.json")


def main() -> None:
    """Deal a 512-bit key with safe primes to three nodes and write it with its factors and shares."""
    primes: list[int] = []
    drawn = threshold.safe_prime

    def remember(bits: int, entropy: SeededEntropy) -> int:
        primes.append(int(drawn(bits, entropy)))
        return primes[-1]

    threshold.safe_prime = remember
    key, shares = threshold.deal(512, 3, 1, SeededEntropy("insecure test key"))
    p, q = primes[-2:]
    assert p * q == key.modulus
    fields = {
        "comment": "INSECURE: the factors are public. For tests only.",
        "p": hex(p),
        "q": hex(q),
        "parties": key.parties,
        "threshold": key.threshold,
        "kappa": hex(key.kappa),
        "mu": hex(key.mu),
        "sigma": key.sigma,
        "v": hex(key.v),
        "verification": [hex(value) for value in key.verification],
        "epoch": key.epoch,
        "provenance": key.provenance,
        "shares": [hex(share.secret) for share in shares],
    }
    PATH.write_text(json.dumps(fields, indent=1) + "\n")


if __name__ == "__main__":
    main()
