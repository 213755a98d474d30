"""One honest certificate, one changed byte or spelling: every reader must refuse it, and without a crash."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

from tacita.crypto.entropy import SeededEntropy, random_below
from tacita.crypto.proofs import decryption, quadratic
from tacita.deploy.attack.certificates import accept, reason
from tacita.protocols import verify as verify_module
from tacita.protocols.faults import VerificationFailed
from tacita.protocols.party import Result
from tacita.protocols.stages import certify
from tacita.protocols.verify import verify
from tests.adversary.honest import TERMS, A1Cluster

Honest = tuple[A1Cluster, Result]
FLIPS_PER_REGION = 48
REGION = re.compile(rb'"[a-z0-9_]+":')


@pytest.fixture(scope="module", autouse=True)
def _known_proofs() -> Iterator[None]:
    """Remember which (statement, proof) pairs hold, so that thousands of variants cost only what they change."""
    held: set[Any] = set()

    def once(check: Any) -> Any:
        def remembered(parameters: Any, *rest: Any) -> None:
            if (id(check), rest) not in held:
                check(parameters, *rest)
                held.add((id(check), rest))

        return remembered

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quadratic, "verify", once(quadratic.verify))
        patch.setattr(decryption, "verify", once(decryption.verify))
        for name in ("check_key", "check_quorums"):
            patch.setattr(verify_module, name, lru_cache(maxsize=64)(getattr(verify_module, name)))
        yield


@pytest.fixture(params=["public", "private"])
def honest(request: pytest.FixtureRequest) -> Honest:
    found: Honest = request.getfixturevalue(request.param)
    return found


def refused(data: bytes, cluster: A1Cluster) -> bool:
    """True if `verify` refuses; anything but its own error is a crash and fails the test."""
    try:
        verify(data, cluster.roster, allow_insecure_key=True)
    except VerificationFailed:
        return True
    return False


def another(byte: int, draw: int) -> int:
    """A different character that keeps the text well formed where that is possible."""
    for alphabet in (b"0123456789abcdef", b"ghijklmnopqrstuvwxyz"):
        if byte in alphabet:
            others = [b for b in alphabet if b != byte]
            return others[draw % len(others)]
    return byte ^ (1 << draw % 8)


def test_the_honest_certificates_are_accepted(honest: Honest) -> None:
    cluster, result = honest
    release = "private" if result.private else "public"
    assert accept(result.certificate, cluster, TERMS[release])["policy"] == "auction"


def test_every_flipped_byte_is_refused_in_every_region(honest: Honest) -> None:
    cluster, result = honest
    data, entropy = result.certificate, SeededEntropy("flips")
    starts = [match.start() for match in REGION.finditer(data)] + [len(data)]
    positions = {p for start in starts for p in range(max(0, start - 2), min(len(data), start + 4))}
    for start, end in zip([0, *starts], starts, strict=False):
        positions |= {start + random_below(entropy, end - start) for _ in range(FLIPS_PER_REGION) if end > start}
    assert len(positions) >= 1500
    for position in sorted(positions):
        changed = bytearray(data)
        changed[position] = another(changed[position], random_below(entropy, 1 << 16))
        assert refused(bytes(changed), cluster), (position, data[max(0, position - 40) : position + 8])


def test_every_single_bit_of_a_few_hundred_bytes_is_refused(honest: Honest) -> None:
    cluster, result = honest
    data, entropy = result.certificate, SeededEntropy("bits")
    for _ in range(400):
        position, bit = random_below(entropy, len(data)), random_below(entropy, 8)
        changed = bytearray(data)
        changed[position] ^= 1 << bit
        assert refused(bytes(changed), cluster), (position, bit)


def test_truncated_lengthened_and_spliced_files_are_refused(honest: Honest) -> None:
    cluster, result = honest
    data, entropy = result.certificate, SeededEntropy("cuts")
    cuts = [0, 1, len(data) - 1, len(data) - 2] + [random_below(entropy, len(data)) for _ in range(100)]
    variants = [data[:cut] for cut in cuts] + [data[cut:] for cut in cuts if cut]
    variants += [data[:cut] + b"0" + data[cut:] for cut in cuts] + [data[:cut] + data[cut + 2 :] for cut in cuts[1:-2]]
    variants += [data + b"\n", data + b" ", b" " + data, data + data, b"\xef\xbb\xbf" + data, data[:-1], data + b"\0"]
    for encoding in ("utf-16", "utf-32", "utf-16-le"):
        variants.append(data.decode().encode(encoding))
    for variant in variants:
        assert refused(variant, cluster)


def test_other_spellings_of_the_same_content_are_refused(honest: Honest) -> None:
    cluster, result = honest
    data = result.certificate
    tree = json.loads(data)
    spellings = {
        "spaces": json.dumps(tree, sort_keys=True).encode() + b"\n",
        "indented": json.dumps(tree, sort_keys=True, indent=1).encode() + b"\n",
        "unsorted": json.dumps(dict(reversed(tree.items())), separators=(",", ":")).encode() + b"\n",
        "unicode escape": data.replace(b'"root"', b'"\\u0072oot"'),
        "escaped slash": data.replace(b'"memory:0"', b'"memory\\u003a0"'),
        "upper-case hex": data.replace(tree["root"].encode(), tree["root"].upper().encode()),
        "upper-case modulus": data.replace(tree["key"]["modulus"].encode(), tree["key"]["modulus"].upper().encode()),
        "leading zero": data.replace(b'"modulus":"', b'"modulus":"0'),
        "0x": data.replace(b'"modulus":"', b'"modulus":"0x'),
        "plus": data.replace(b'"modulus":"', b'"modulus":"+'),
        "underscore": data.replace(b'"modulus":"', b'"modulus":"' + tree["key"]["modulus"][:1].encode() + b"_", 1),
        "spaces in hex": data.replace(b'"root":"', b'"root":" '),
        "float for integer": data.replace(b'"parties":3', b'"parties":3.0'),
        "exponent": data.replace(b'"parties":3', b'"parties":3e0'),
        "negative zero": data.replace(b'"epoch":0', b'"epoch":-0'),
        "duplicate key": data.replace(b'{"aggregate"', b'{"root":"00","aggregate"'),
        "duplicate equal key": data[:-2] + b',"root":"' + tree["root"].encode() + b'"}\n',
        "crlf": data[:-1] + b"\r\n",
        "other format": data.replace(b"tacita-certificate-1", b"tacita-certificate-2"),
        "additional key": data[:-2] + b',"zzz":0}\n',
    }
    for name, spelling in spellings.items():
        assert spelling != data, name
        assert refused(spelling, cluster), name


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"NaN\n",
        b'"a"\n',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b"1e999999999",
        b"-" + b"0" * 1000,
        b"\xff\xfe",
        b"{" + b'"format":"tacita-certificate-1",' * 1000 + b"}",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_json_is_refused_with_a_sentence(text: bytes, public: Honest) -> None:
    assert "certificate" in reason(text, public[0])


def test_a_file_larger_than_any_session_is_refused_before_it_is_parsed(
    public: Honest, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, result = public
    monkeypatch.setattr(certify, "MAX_BYTES", len(result.certificate) - 1)
    monkeypatch.setattr(certify, "read_json", lambda _: pytest.fail("it was parsed"))
    assert "more than any session produces" in reason(result.certificate, cluster)


SUBSTITUTES: list[Any] = [
    None, True, 0, -1, 1.5, 1e300, 2**70, "", "zz", "00", "-1", "é", " ", [], [0], {}, {"a": 0}, [[[]]], "f" * 20_000,
]  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, list):
        for i, value in enumerate(tree[:2]):
            yield from places(value, (*path, i))


def with_value(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = with_value(tree[path[0]], path[1:], value)
    return copy


def test_any_value_of_another_kind_is_refused_at_every_place(honest: Honest) -> None:
    cluster, result = honest
    tree = json.loads(result.certificate)
    for path in places(tree):
        for value in SUBSTITUTES:
            changed = with_value(tree, path, value)
            text = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            assert text == result.certificate or refused(text, cluster), (path, value)
