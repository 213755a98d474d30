"""Private numbers stay with their owner: no other node has them on disk, in memory, or ever received them."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import canary
from tests.integration.injection import RECORD, inject
from tests.integration.running import Running, background, children, finished, outcome, read_until, succeeded
from tests.integration.scanner import Scanner, folder_pieces, memory_pieces

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recording")


@pytest.fixture(scope="module")
def watched(idle: Path, recording: Path) -> Iterator[Running]:
    """Three nodes that write down every frame that they receive."""
    patches = {
        name: inject(recording / f"patch-{name}", "tacita.node.transport", RECORD.format(path=str(recording / name)))
        for name in canary.HOSTS.values()
    }
    cluster = Running(idle, patches)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def test_no_other_node_ever_holds_an_input(watched: Running, recording: Path, tmp_path: Path) -> None:
    sample = canary.sample("canary-public", "public", 100)
    scanner = Scanner(canary.private_inputs(sample))
    arguments = sample.write(tmp_path)
    seen_in_memory: dict[str, set[str]] = {name: set() for name in watched.names}
    seen_in_engines: set[str] = set()

    def look() -> None:
        for name in watched.names:
            node = watched.processes[name].pid
            seen_in_memory[name] |= scanner.find(memory_pieces(node))
            for engine in children(node):
                seen_in_engines.update(scanner.find(memory_pieces(engine)))

    command = ("run", "auction", *arguments, "--cluster", watched.folder, "--out", tmp_path / "out")
    with background(*command) as (run, mark):
        said = read_until(run, "solve")
        look()
        while run.poll() is None:
            look()
        succeeded(finished(run, mark, said))
    look()
    for bidder, host in canary.HOSTS.items():
        # The positive control: at the owner the scanner finds them, on disk and in memory.
        assert bidder in canary.owners(scanner.find(folder_pieces(watched.data(host))))
        assert bidder in canary.owners(seen_in_memory[host])
        for other in set(watched.names) - {host}:
            seen = seen_in_memory[other] | scanner.find(folder_pieces(watched.data(other)))
            assert {label for label in seen if label.startswith(f"{bidder}:")} == set()
    assert seen_in_engines == set(), "an engine process gets shares, never inputs"
    certificate = json.loads((tmp_path / "out" / "certificate.json").read_text())
    for bidder, host in canary.HOSTS.items():
        public = bytes.fromhex(certificate["bids"][bidder]["public"])
        for other in set(watched.names) - {host}:
            assert public in (recording / other).read_bytes(), "the control: the bid object did arrive"
    assert canary.owners(scanner.find((recording / name).read_bytes() for name in watched.names)) == set()


def test_private_outcomes_are_known_to_their_owner_alone(watched: Running, recording: Path, tmp_path: Path) -> None:
    sample = canary.sample("canary-private", "private", 90)
    out = tmp_path / "out"
    ran = succeeded(watched.run(sample.write(tmp_path), out))
    files = {name: out / "private" / f"{name}.json" for name in canary.HOSTS}
    results = {name: json.loads(path.read_text()) for name, path in files.items()}
    assert all(result["bidder"] == name for name, result in results.items())
    assert all(set(result) == {"policy", "bidder", "allocation", "payment"} for result in results.values())
    assert not {"allocation", "payment", "price", "supply", "welfare"} & set(outcome(out))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    assert stat.S_IMODE((out / "private").stat().st_mode) == 0o700

    scanner = Scanner(canary.private_outputs(sample, results) | canary.private_inputs(sample))
    assert scanner.find([ran.out.encode(), ran.err.encode()]) == set()
    assert "security abort, key dealerless, inputs_bound yes" in ran.out and "welfare" not in ran.out
    assert stat.S_IMODE((out / "auction.png").stat().st_mode) == 0o600, "the picture shows everybody's demand"
    public = [(out / name).read_bytes() for name in ("outcome.json", "certificate.json", "auction.png")]
    assert scanner.find(public) == set()
    for bidder, host in canary.HOSTS.items():
        for other in watched.names:
            there = list((watched.result(other, "canary-private") / "private").glob(f"{bidder}.json"))
            assert [stat.S_IMODE(p.stat().st_mode) for p in there] == ([0o600] if other == host else [])
            on_disk = scanner.find(folder_pieces(watched.data(other)))
            in_memory = scanner.find(memory_pieces(watched.processes[other].pid))
            assert (bidder in canary.owners(on_disk)) == (other == host)
            assert other == host or bidder not in canary.owners(in_memory)
    assert canary.owners(scanner.find((recording / name).read_bytes() for name in watched.names)) == set()
