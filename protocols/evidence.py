"""Evidence as bytes: binary inside an abort message, canonical JSON in a file that a stranger takes to the judge.

Nothing is believed here. A file holds the name of a check, the signed messages in hex, the context that these refer to
by hash, and the digest of the roster whose nodes signed; who is guilty of what is the judge's word alone (judge.py).
"""

from collections.abc import Mapping
from typing import Any

from tacita.crypto.encoding import FILE_VALUES, Reader, Writer, read_json
from tacita.crypto.errors import InvalidEncoding
from tacita.protocols.faults import Evidence
from tacita.protocols.roster import Roster
from tacita.protocols.terms import canonical_json

FORMAT = "tacita-evidence-1"
MAX_BYTES = 256 << 20
MAX_MESSAGE = 49 << 20
"""One signed message: the largest payload and its envelope."""
MAX_CONTEXT = 48 << 20
MAX_MESSAGES = 512
MAX_CHECK = 32
"""Length of a check's name."""


def encode(evidence: Evidence, roster: Roster) -> bytes:
    """As the payload of an abort message."""
    writer = Writer().text(FORMAT).fixed(roster.digest, 32).text(evidence.check).blob(evidence.context)
    for data in evidence.signed:
        writer.blob(data)
    return writer.to_bytes()


def decode(payload: bytes, roster: Roster) -> Evidence:
    """The inverse of encode; refuses evidence about another roster. Raises InvalidEncoding."""
    reader, signed = Reader(payload, "evidence"), list[bytes]()
    if reader.text(MAX_CHECK) != FORMAT or reader.fixed(32) != roster.digest:
        raise InvalidEncoding("the evidence is about the nodes of another roster, or of another version")
    check, context = reader.text(MAX_CHECK), reader.blob(MAX_CONTEXT)
    while len(signed) < MAX_MESSAGES and reader.left:
        signed.append(reader.blob(MAX_MESSAGE))
    reader.finish()
    return Evidence(check, tuple(signed), context)


def to_file(evidence: Evidence, roster: Roster) -> bytes:
    """The file that `tacita judge` reads."""
    tree = {
        "format": FORMAT,
        "check": evidence.check,
        "roster": roster.digest.hex(),
        "context": read_json(evidence.context, FILE_VALUES) if evidence.context else None,
        "signed": [data.hex() for data in evidence.signed],
    }
    return canonical_json(tree) + b"\n"


def from_file(data: bytes, roster: Roster) -> Evidence:
    """The inverse; refuses evidence about another roster. Raises InvalidEncoding."""
    if len(data) > MAX_BYTES:
        raise InvalidEncoding(f"the evidence has {len(data)} bytes, more than any session produces")
    try:
        tree = read_json(data, FILE_VALUES)
        evidence = _read(tree, roster)
        if to_file(evidence, roster) != data:
            raise ValueError
        return evidence
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidEncoding("the file is not evidence in its canonical form") from None


def _read(tree: Mapping[str, Any], roster: Roster) -> Evidence:
    if (
        not isinstance(tree, Mapping)
        or set(tree) != {"format", "check", "roster", "context", "signed"}
        or tree["format"] != FORMAT
    ):
        raise ValueError
    if tree["roster"] != roster.digest.hex():
        raise InvalidEncoding("the evidence is about the nodes of another roster")
    if not isinstance(tree["check"], str) or len(tree["check"]) > MAX_CHECK or len(tree["signed"]) > MAX_MESSAGES:
        raise ValueError
    context = b"" if tree["context"] is None else canonical_json(tree["context"])
    return Evidence(tree["check"], tuple(bytes.fromhex(text) for text in tree["signed"]), context)
