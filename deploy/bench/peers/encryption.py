"""A public Paillier library under our stop-watch: `python encryption.py phe|tno|pypaillier`.

Runs in the peers' own environment and imports nothing of Tacita. One JSON object per line: first
{"modulus": hex} → {"library", "version"}; then {"operation", "repeats"} → {"seconds": CPU seconds of one call},
where {"operation": "check", …} returns ciphertexts instead, which Tacita decrypts and compares.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any


class Phe:
    """python-paillier: c = (1 + mN)·r^N."""

    package = "phe"

    def __init__(self, modulus: int) -> None:
        import phe

        self._key = phe.PaillierPublicKey(modulus)

    def encrypt(self, plaintext: int) -> Any:
        return self._key.encrypt(plaintext)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def multiply(self, a: Any, scalar: int) -> Any:
        return a * scalar

    def value(self, a: Any) -> int:
        return int(a.ciphertext(be_secure=False))


class Tno:
    """tno.mpc.encryption_schemes.paillier: c = (1 + mN)·r^N."""

    package = "tno.mpc.encryption_schemes.paillier"

    def __init__(self, modulus: int) -> None:
        from tno.mpc.encryption_schemes import paillier

        warnings.simplefilter("ignore")  # it warns whenever a freshly randomised ciphertext is added
        self._scheme = paillier.Paillier(paillier.paillier.PaillierPublicKey(modulus, modulus + 1), None)

    def encrypt(self, plaintext: int) -> Any:
        return self._scheme.encrypt(plaintext)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def multiply(self, a: Any, scalar: int) -> Any:
        return a * scalar

    def value(self, a: Any) -> int:
        return int(a.peek_value())


class Pypaillier:
    """pypaillier: c = (1 + mN)·h_s^r with r of |N|/2 bits, in Rust; its exponent is checked, not assumed."""

    package = "pypaillier"

    def __init__(self, modulus: int) -> None:
        import paillier

        self._library = paillier
        self._key = paillier.PublicKey.from_n(modulus.to_bytes((modulus.bit_length() + 7) // 8, "big"))
        if self._key.exponent_bits != modulus.bit_length() // 2:
            raise SystemExit(f"pypaillier uses exponents of {self._key.exponent_bits} bits")

    def encrypt(self, plaintext: int) -> Any:
        return self._library.encrypt_integers(self._key, [plaintext])[0]

    def add(self, a: Any, b: Any) -> Any:
        return self._library.add_many(self._key, [a, b])

    def multiply(self, a: Any, scalar: int) -> Any:
        return self._library.multiply_integers_public(self._key, [a], [scalar])[0]

    def value(self, a: Any) -> int:
        return int.from_bytes(bytes(a)[1:], "big")  # the first byte is the scale


LIBRARIES: dict[str, Any] = {"phe": Phe, "tno": Tno, "pypaillier": Pypaillier}


def cpu(function: Any, repeats: int) -> float:
    """CPU seconds of one call, all threads together."""
    begun = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - begun) / repeats


def answer(library: Any, request: dict[str, Any]) -> dict[str, Any]:
    """One request."""
    a, b, scalar = (int(request[name], 16) for name in ("a", "b", "scalar"))
    first, second = library.encrypt(a), library.encrypt(b)
    total, product = library.add(first, second), library.multiply(first, scalar)  # also marks them as used, for tno
    operations = {
        "encrypt": lambda: library.encrypt(a),
        "add": lambda: library.add(first, second),
        "multiply": lambda: library.multiply(first, scalar),
    }
    if request["operation"] == "check":
        results = {"encrypt": first, "add": total, "multiply": product}
        return {name: format(library.value(c), "x") for name, c in results.items()}
    return {"seconds": cpu(operations[request["operation"]], request["repeats"])}


def main() -> None:
    """Serve standard input until it ends."""
    name = sys.argv[1]
    library = LIBRARIES[name](int(json.loads(sys.stdin.readline())["modulus"], 16))
    print(json.dumps({"library": name, "version": version(library.package)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(library, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
