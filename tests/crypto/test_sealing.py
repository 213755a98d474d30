"""An envelope opens for one key and one purpose only, to one plaintext."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tacita.crypto import sealing
from tacita.crypto.errors import InvalidEncoding
from tacita.crypto.sealing import OVERHEAD, SealingKey, seal, unseal
from tests.crypto.helpers import refuses

PURPOSE = b"session 1, alice to bob, share of the key"


@pytest.fixture
def bob(entropy):
    return SealingKey(entropy.token(32))


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_the_recipient_reads_what_was_sealed(bob, entropy, size):
    plaintext = entropy.token(size)
    envelope = seal(bob.public, plaintext, PURPOSE, entropy)
    assert len(envelope) == size + OVERHEAD
    assert unseal(bob, envelope, PURPOSE) == plaintext


def test_two_envelopes_of_one_plaintext_share_nothing(bob, entropy):
    one, other = (seal(bob.public, b"bid", PURPOSE, entropy) for _ in range(2))
    assert one[:32] != other[:32]
    assert one[32:64] != other[32:64]
    assert one[64:] != other[64:]


def test_another_recipient_cannot_open_it(bob, entropy):
    envelope = seal(bob.public, b"bid", PURPOSE, entropy)
    with pytest.raises(InvalidEncoding):
        unseal(SealingKey(entropy.token(32)), envelope, PURPOSE)


@pytest.mark.parametrize("other", [b"", PURPOSE[:-1], PURPOSE + b"\0", PURPOSE.replace(b"bob", b"eve")])
def test_an_envelope_for_another_purpose_is_refused(bob, entropy, other):
    envelope = seal(bob.public, b"bid", PURPOSE, entropy)
    with pytest.raises(InvalidEncoding):
        unseal(bob, envelope, other)


def test_every_flipped_bit_is_noticed(bob, entropy):
    """The top bit of an X25519 key is ignored by the curve arithmetic; it still counts here."""
    envelope = seal(bob.public, b"bid", PURPOSE, entropy)
    for position in range(len(envelope) * 8):
        changed = bytearray(envelope)
        changed[position // 8] ^= 1 << position % 8
        assert refuses(unseal, bob, bytes(changed), PURPOSE, errors=InvalidEncoding), position


def test_every_shorter_or_longer_envelope_is_refused(bob, entropy):
    envelope = seal(bob.public, b"bid", PURPOSE, entropy)
    for size in range(len(envelope)):
        assert refuses(unseal, bob, envelope[:size], PURPOSE, errors=InvalidEncoding), size
    assert refuses(unseal, bob, envelope + b"\0", PURPOSE, errors=InvalidEncoding)


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)], ids=["zero", "one"])
def test_an_ephemeral_key_of_small_order_is_refused(bob, entropy, point):
    envelope = point + seal(bob.public, b"bid", PURPOSE, entropy)[32:]
    with pytest.raises(InvalidEncoding):
        unseal(bob, envelope, PURPOSE)


def test_an_envelope_whose_key_it_does_not_commit_to_is_refused(bob, entropy):
    """ChaCha20-Poly1305 alone would open this one: the ciphertext is right, the commitment in front is not."""
    ephemeral = X25519PrivateKey.from_private_bytes(entropy.token(32))
    public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(bob.public))
    key, commitment = sealing._keys(shared, public, bob.public, PURPOSE)
    body = ChaCha20Poly1305(key).encrypt(bytes(12), b"bid", PURPOSE)
    assert unseal(bob, public + commitment + body, PURPOSE) == b"bid"
    with pytest.raises(InvalidEncoding, match="commit"):
        unseal(bob, public + bytes(32) + body, PURPOSE)


def test_the_derived_key_depends_on_both_public_keys_and_the_purpose():
    base = sealing._keys(b"s" * 32, b"e" * 32, b"r" * 32, b"p")
    others = [
        sealing._keys(b"t" * 32, b"e" * 32, b"r" * 32, b"p"),
        sealing._keys(b"s" * 32, b"f" * 32, b"r" * 32, b"p"),
        sealing._keys(b"s" * 32, b"e" * 32, b"q" * 32, b"p"),
        sealing._keys(b"s" * 32, b"e" * 32, b"r" * 32, b"q"),
    ]
    assert len({base, *others}) == 5
    assert len({half for pair in (base, *others) for half in pair}) == 10


def test_the_secret_is_not_shown(bob):
    assert repr(bob.secret) not in repr(bob)
