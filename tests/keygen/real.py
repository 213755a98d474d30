"""Real node processes in a key ceremony, and the test-only opening of the key they made."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import combinations
from math import gcd
from pathlib import Path

from gmpy2 import is_prime, mpz, powmod

from tacita.crypto.entropy import SystemEntropy, random_below
from tacita.crypto.threshold import combine, lagrange, partial_decrypt
from tacita.deploy.manifest import Manifest
from tacita.node.config import Folder
from tacita.protocols.keygen.parameters import Parameters

TACITA = (sys.executable, "-m", "tacita.cli")
SECONDS = 280


def start(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    command, environment = [*TACITA, *map(str, arguments)], {**os.environ, **(env or {})}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str], seconds: float = SECONDS) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, err


def done(*arguments: object, env: Mapping[str, str] | None = None) -> dict:
    """A command that must succeed; its JSON."""
    code, said, err = finish(start(*arguments, "--format", "json", env=env))
    assert code == 0, (code, said, err)
    return json.loads(said)


def keygen(out: Path, nodes: int = 3, bits: int = 2048) -> dict:
    """`tacita keygen`; what it prints."""
    code, said, err = finish(start("keygen", "--nodes", nodes, "--bits", bits, "--out", out, "--format", "json"))
    assert code == 0, err
    return json.loads(said)


def node_process(cluster: Path, name: str, seconds: float = 30.0) -> int:
    """The process that runs a node of this cluster, found by its arguments."""
    wanted = f"{cluster}/nodes/{name}"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                except OSError:
                    continue
                if wanted in arguments and "start" in arguments and int(entry.name) != os.getpid():
                    return int(entry.name)
        time.sleep(0.02)
    raise AssertionError(f"{name} does not run")


def wait_for_fact(journal: Path, kind: str, process: subprocess.Popen[str]) -> bool:
    """Until a node's journal holds a fact of this kind; False if the command ends before."""
    while process.poll() is None:
        where = f"file:{journal}?mode=ro"
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(where, uri=True)) as database:
            if database.execute("SELECT 1 FROM facts WHERE kind = ?", (kind,)).fetchone():
                return True
        time.sleep(0.005)
    return False


def folders_of(cluster: Path) -> list[Folder]:
    """The data folders of the nodes that hold the key."""
    return [Folder(node.folder) for node in Manifest.read(cluster).nodes]


def factor(cluster: Path) -> tuple[int, int]:
    """p and q from t+1 shares: the decryption exponent is a multiple of φ(N). Nobody else may ever do this."""
    folders = folders_of(cluster)
    key = folders[0].key()
    shares = {s.index: s.secret for s in (folder.share() for folder in folders)}
    quorum = sorted(shares)[: key.threshold + 1]
    exponent = abs(sum(lagrange(quorum, i, key.delta) * mpz(shares[i]) for i in quorum))
    twos = (exponent & -exponent).bit_length() - 1
    while True:
        x = powmod(random_below(SystemEntropy(), key.modulus), exponent >> twos, key.modulus)
        for _ in range(twos):
            y = x * x % key.modulus
            if y == 1 and x not in (1, key.modulus - 1):
                p = gcd(int(x) - 1, key.modulus)
                return p, key.modulus // p
            x = y


def check(cluster: Path, nodes: int, bits: int) -> None:
    """Everything that must hold for a key of real processes."""
    folders = folders_of(cluster)
    certificates = [folder.certificate() for folder in folders]
    assert len(folders) == nodes and len({c.identifier for c in certificates}) == 1
    key, parameters = certificates[0].key, Parameters.standard(bits, nodes)
    p, q = factor(cluster)
    assert p * q == key.modulus and is_prime(p, 25) and is_prime(q, 25)
    assert key.modulus.bit_length() == bits
    assert p % parameters.fixed == q % parameters.fixed == parameters.fixed - 1
    assert gcd(p - 1, q - 1) == 2
    entropy = SystemEntropy()
    ciphertext = key.encryption.encrypt(-42, entropy)[0]
    partials = {}
    for folder in folders:
        share = folder.share()
        partials[share.index] = partial_decrypt(key, share, ciphertext)
        for secret in ("key-share.json", "passphrase", "journal.sqlite", "identity.json"):
            path = folder.path / secret
            assert not path.exists() or path.stat().st_mode & 0o077 == 0
        plain = (folder.path / "key-share.json").read_text() + (folder.path / "key.json").read_text()
        assert format(share.secret, "x").lstrip("-") not in plain
    for quorum in combinations(partials, key.threshold + 1):
        assert combine(key, {i: partials[i] for i in quorum}) == -42
