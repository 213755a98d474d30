"""What a check in crypto/ can find wrong; each says what it proves about the bytes it was given.

    CryptoError
    ├── InvalidEncoding     the bytes are not the one canonical encoding of such an object
    ├── InvalidCiphertext   not a ciphertext of this key (range, unit, Jacobi symbol)
    ├── InvalidProof        the statement is not shown to hold
    ├── InvalidSignature    the signer did not sign these bytes
    ├── InvalidKey          a public key that must not be used
    ├── RangeViolation      a public bound is broken, or would let a value wrap around
    └── EntropyFailure      this machine's randomness is not fit to be used

protocols/faults.py turns the ones that a peer caused into a fault with culprit and evidence.
"""


class CryptoError(Exception):
    """A check failed; the message is a sentence without secrets."""


class InvalidEncoding(CryptoError):
    """The sender's bytes are not a canonical encoding: no honest encoder makes them."""


class InvalidCiphertext(CryptoError):
    """The sender's integer is not a ciphertext that an honest encryptor can make under this key."""


class InvalidProof(CryptoError):
    """The prover did not show the statement that the verifier built for itself."""


class InvalidSignature(CryptoError):
    """The named signer's key did not sign these bytes."""


class InvalidKey(CryptoError):
    """The key or parameter set does not pass the checks that every user of it must make."""


class RangeViolation(CryptoError):
    """A value or a public interval is outside what the encoding can hold."""


class EntropyFailure(CryptoError):
    """The random source repeats itself or stopped; nothing secret may be made from it."""
