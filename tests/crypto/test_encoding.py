"""One value has one encoding, at a width that the reader knows; everything else is refused."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacita.crypto.encoding import Reader, Writer, byte_width, read_json
from tacita.crypto.errors import InvalidEncoding


@given(st.integers(0, 2**256 - 1), st.integers(-(2**255), 2**255 - 1), st.binary(max_size=50), st.text(max_size=20))
def test_what_is_written_is_read_back(unsigned, signed, blob, text):
    data = Writer().unsigned(unsigned, 32).signed(signed, 32).fixed(blob, len(blob)).blob(blob).text(text).to_bytes()
    reader = Reader(data, "a test object")
    assert reader.unsigned(32) == unsigned
    assert reader.signed(32) == signed
    assert reader.fixed(len(blob)) == blob
    assert reader.blob(50) == blob
    assert reader.text(80) == text
    reader.finish()


@given(st.binary(min_size=8, max_size=8))
def test_every_encoding_of_an_integer_is_the_canonical_one(data):
    assert Writer().unsigned(Reader(data, "x").unsigned(8), 8).to_bytes() == data
    assert Writer().signed(Reader(data, "x").signed(8), 8).to_bytes() == data


def test_integers_have_the_stated_width_whatever_their_size():
    assert Writer().unsigned(1, 64).to_bytes() == bytes(63) + b"\1"
    assert Writer().signed(-1, 3).to_bytes() == b"\xff\xff\xff"


@pytest.mark.parametrize("value", [-1, 256])
def test_an_integer_that_does_not_fit_is_not_written(value):
    with pytest.raises(OverflowError):
        Writer().unsigned(value, 1)


def test_fixed_bytes_of_another_size_are_not_written():
    with pytest.raises(ValueError, match="expected 32 bytes"):
        Writer().fixed(b"short", 32)


READS = {
    "unsigned": lambda reader: reader.unsigned(4),
    "signed": lambda reader: reader.signed(4),
    "fixed": lambda reader: reader.fixed(4),
    "blob": lambda reader: reader.blob(100),
    "text": lambda reader: reader.text(100),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("size", range(4))
def test_bytes_that_are_cut_short_are_refused(read, size):
    with pytest.raises(InvalidEncoding, match="cut short"):
        read(Reader(bytes(size), "a test object"))


def test_every_prefix_of_a_message_is_refused():
    whole = Writer().unsigned(7, 4).blob(b"bid").text("alice").to_bytes()
    for size in range(len(whole)):
        reader = Reader(whole[:size], "a message")
        with pytest.raises(InvalidEncoding):
            _ = reader.unsigned(4), reader.blob(10), reader.text(10)


def test_trailing_bytes_are_refused():
    reader = Reader(b"\0\0\0\7\0", "a test object")
    assert reader.unsigned(4) == 7
    with pytest.raises(InvalidEncoding, match="1 bytes too many"):
        reader.finish()


def test_a_field_longer_than_the_reader_allows_is_refused_before_it_is_read():
    data = Writer().blob(bytes(11)).to_bytes()
    with pytest.raises(InvalidEncoding, match="11 bytes where at most 10"):
        Reader(data, "a test object").blob(10)
    assert Reader(data, "a test object").blob(11) == bytes(11)


def test_a_length_of_four_gigabytes_is_refused():
    with pytest.raises(InvalidEncoding, match="at most 100"):
        Reader(b"\xff\xff\xff\xff", "a test object").blob(100)


@pytest.mark.parametrize("data", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80"], ids=["not UTF-8", "overlong", "surrogate"])
def test_text_that_is_not_utf_8_is_refused(data):
    with pytest.raises(InvalidEncoding, match="not UTF-8"):
        Reader(Writer().blob(data).to_bytes(), "a test object").text(100)


@pytest.mark.parametrize(("bits", "width"), [(0, 0), (1, 1), (8, 1), (9, 2), (2048, 256)])
def test_the_width_holds_the_bits(bits, width):
    assert byte_width(bits) == width
    assert ((1 << bits) - 1).bit_length() <= 8 * width


def test_json_of_a_stranger_is_parsed_or_refused_whatever_the_recursion_limit() -> None:
    """A module may raise Python's limit; Python's own parser then overflows the C stack and ends the process."""
    code = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from tacita.crypto.encoding import read_json\n"
        "hostile = [b'[' * 10**6, b'{\"a\":' * 10**6, b'\"' + b'[' * 10**6, b'\"\\\\' * 10**6,"
        "           b']' * 10 + b'[' * 10**6]\n"
        "for data in hostile:\n"
        "    try:\n"
        "        read_json(data)\n"
        "    except ValueError:\n"
        "        continue\n"
        "    raise SystemExit('accepted')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_json_is_read_as_python_reads_it() -> None:
    for text in ('{"a": "[[[[\\"]]", "b": [1, -2.5, null, true, {"c": ""}]}', '""', "7", "[" * 32 + "]" * 32):
        assert read_json(text.encode()) == json.loads(text)
    for text in ("[" * 33 + "]" * 33, "[1", "{'a': 1}", "", '"\\', "\xff"):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is a refusal
            read_json(text.encode("latin-1"))
