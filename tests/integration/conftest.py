"""Clusters of real node processes, founded once per test run; each makes its key in a real ceremony."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tacita.deploy.local import open_cluster
from tests.integration import samples
from tests.integration.running import Running, succeeded


@pytest.fixture(scope="session")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clusters")


@pytest.fixture(scope="session")
def running(clusters: Path) -> Iterator[Running]:
    """Three nodes that stay up; most tests run their sessions here."""
    open_cluster(clusters / "running", 3)
    cluster = Running(clusters / "running")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def idle(clusters: Path) -> Path:
    """A founded cluster whose nodes do not run: `tacita run` starts and stops them."""
    open_cluster(clusters / "idle", 3)
    return clusters / "idle"


@pytest.fixture(scope="session")
def a1(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of A1 with a session name that tests can look up at the nodes."""
    folder = tmp_path_factory.mktemp("a1")
    sample = samples.named(samples.A1, "reference-a1")
    succeeded(running.run(sample.write(folder / "in"), folder / "out"))
    return folder / "out"
