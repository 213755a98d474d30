"""Whether a node's data folder is fit for use: every check says what it saw, or what to do."""

import contextlib
import datetime
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from tacita.crypto.errors import InvalidKey
from tacita.crypto.security import ALLOWED_MODULUS_BITS
from tacita.crypto.threshold import DEALERLESS, KeyShare, ThresholdKey, check_key, check_share
from tacita.node import files
from tacita.node.config import MAKE_A_KEY, Folder, address
from tacita.node.identity import Identity, Pair
from tacita.node.journal import RESTORE
from tacita.node.keyfile import secret_path
from tacita.protocols.faults import LocalFault, MachineFault, TacitaError
from tacita.protocols.roster import Roster

OK, WARNING, FAILED = "ok", "warning", "failed"
SPARE_BYTES = 100 << 20
SPARE_DAYS = 30
PRIVATE_FILES = ("identity.json", "tls.json", "key-share.json", "journal.sqlite")
ADMIT_AGAIN = "let the founder run tacita node found again with the same enrolments, then tacita node admit everywhere"


@dataclass(frozen=True)
class Check:
    """One line of `tacita doctor`."""

    node: str
    name: str
    state: str
    """ok, warning or failed."""
    says: str
    """What was seen, or what to do."""
    exit_code: int = 0
    """Family of the failure."""


class Concern(Exception):
    """Something to look at that stops nothing."""


def check(node: str, name: str, look: Callable[[], str]) -> Check:
    """Run one check; `look` returns what it saw, raises Concern for a warning or TacitaError for a failure."""
    try:
        return Check(node, name, OK, look())
    except Concern as concern:
        return Check(node, name, WARNING, str(concern))
    except TacitaError as error:
        return Check(node, name, FAILED, str(error), error.exit_code)


def examine(path: Path, node: str, now: datetime.datetime) -> Iterator[Check]:
    """All checks that need nothing but the folder."""
    folder = Folder(path)
    if not path.is_dir():
        yield Check(node, "disk", FAILED, f"there is no folder {path}; restore it from a backup", LocalFault.exit_code)
        return
    yield check(node, "disk", lambda: _disk(path))
    yield check(node, "permissions", lambda: _permissions(path))
    yield check(node, "roster", lambda: _roster(folder))
    yield check(node, "certificates", lambda: _certificates(folder, now))
    yield check(node, "journal", lambda: _journal(path / "journal.sqlite"))
    yield check(node, "key", lambda: _key(folder))


# ---- disk ---------------------------------------------------------------------------------------------------------


def _disk(path: Path) -> str:
    probe = path / ".doctor"
    files.write(probe, b"")
    probe.unlink()
    free = shutil.disk_usage(path).free
    if free < SPARE_BYTES:
        raise Concern(f"only {free >> 20} MiB are free where {path} lies; make space before the next session")
    return f"{path} can be written, {free >> 30} GiB are free"


def _permissions(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise LocalFault(f"others can look into {path}; run chmod 700 on it and check who had access")
    for private in (*(path / name for name in PRIVATE_FILES), secret_path(path)):
        if private.exists():
            files.read_private(private, "file", 0)
    return "only the owner can read the folder and its secret files"


def _journal(path: Path) -> str:
    if not path.exists():
        return "none yet; the node makes it"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            damage = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise LocalFault(f"the journal {path} cannot be read ({error}); {RESTORE}") from None
    if damage != "ok":
        raise LocalFault(f"the journal {path} is damaged; {RESTORE}")
    return "readable and whole"


# ---- roster and certificates --------------------------------------------------------------------------------------


def _roster(folder: Folder) -> str:
    identity, roster = folder.identity(), folder.roster()
    check_own_keys(roster, identity)
    roster.check_possession()
    return f"{identity.name} is node {roster.index(identity.name) + 1} of {len(roster.nodes)}"


def check_own_keys(roster: Roster, identity: Identity) -> None:
    """The roster must list this node with its own keys; raises LocalFault."""
    address(roster, identity.name)
    mine = roster.nodes[roster.index(identity.name)]
    if (mine.identity, mine.sealing) != (identity.signing.public, identity.sealing.public):
        raise LocalFault("the roster lists other keys for this node; restore the folder's files from one backup")


def _certificates(folder: Folder, now: datetime.datetime) -> str:
    tls, name = folder.tls(), folder.identity().name
    authority = x509.load_pem_x509_certificate(tls.authority)
    ends = [_in_time("the certificate of the cluster's authority", authority, now)]
    for pair, expected in ((tls.own, name), (tls.operator, f"operator.{name}"[:64])):
        ends.append(_issued(pair, expected, authority, now))
    days = (min(ends) - now).days
    if days < SPARE_DAYS:
        raise Concern(f"a TLS certificate expires in {days} days; {ADMIT_AGAIN}")
    return f"issued by the cluster's authority for {name} and its operator, valid for {days} days"


def _issued(pair: Pair, expected: str, authority: x509.Certificate, now: datetime.datetime) -> datetime.datetime:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    try:
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
        fits = serialization.load_pem_private_key(pair.key, None).public_key() == certificate.public_key()
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        raise LocalFault(
            f"the TLS certificate of {expected} was not issued by the cluster's authority; {ADMIT_AGAIN}"
        ) from None
    if found != [expected] or not fits:
        raise LocalFault(f"the TLS certificate of {expected} is for another name or key; {ADMIT_AGAIN}")
    return _in_time(f"the TLS certificate of {expected}", certificate, now)


def _in_time(what: str, certificate: x509.Certificate, now: datetime.datetime) -> datetime.datetime:
    if now < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc
        raise MachineFault(f"{what} is valid from {begins:%Y-%m-%d %H:%M} UTC; set this machine's clock")
    if now > certificate.not_valid_after_utc:
        raise LocalFault(f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; {ADMIT_AGAIN}")
    return certificate.not_valid_after_utc


# ---- key ----------------------------------------------------------------------------------------------------------


def _key(folder: Folder) -> str:
    if not folder.has_key():
        raise Concern("the nodes have made no key yet; run tacita node key propose at one node, join at the others")
    certificate = folder.certificate()
    check_held(folder.roster(), folder.identity().name, certificate.key, folder.share())
    return f"{certificate.identifier.hex()[:16]}, epoch {certificate.key.epoch}, signed by all nodes; the share fits"


def check_held(roster: Roster, name: str, key: ThresholdKey, share: KeyShare) -> None:
    """Everything a key and a node's share must satisfy before they are used; raises LocalFault."""
    if key.provenance != DEALERLESS:
        raise LocalFault(f"this node's key was dealt: whoever did that could read every bid; {MAKE_A_KEY}")
    if share.index != roster.index(name) + 1:
        raise LocalFault("this node's key share belongs to another place in the roster; restore the right file")
    try:
        check_key(key)
        check_share(key, share)
    except InvalidKey as error:
        raise LocalFault(f"this node's key cannot be used: {error}") from None
    if key.encryption.bits not in ALLOWED_MODULUS_BITS:
        raise LocalFault(f"this node's key has {key.encryption.bits} bits; keys of 2048 or 3072 bits are accepted")
