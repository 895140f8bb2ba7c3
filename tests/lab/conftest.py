"""Fixtures of the lab tests: `make lab` runs them, as root."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

from lab.rawcall import RawCall
from lab.world import World


def pytest_configure(config: pytest.Config) -> None:
    """Says at once what is missing."""
    config.addinivalue_line("markers", "alone: a test of figures or of much traffic, beside which no other test runs")
    if os.geteuid() != 0:
        pytest.exit("the lab needs root: it makes network namespaces", returncode=1)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A home with two phones and two remote phones, all registered, for the tests of one file."""
    with World("phone1", "phone2", "remote", "remote2") as made:
        yield made


@pytest.fixture
def bare() -> Iterator[World]:
    """A home without phones, for one test."""
    with World() as made:
        yield made


@pytest.fixture
def call(world: World) -> Iterator[RawCall]:
    """A scripted call that is not set up yet."""
    made = RawCall(world)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def share_of_the_machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests run two at a time; one that is marked `alone` waits until no other runs, and all that come later wait for it."""
    # Of the run that all its workers belong to (pytest-xdist), or of this process.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    here = tmp_path_factory.getbasetemp().parent if run else tmp_path_factory.getbasetemp()
    wanted = fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH
    with (here / f"machine{run}").open("w") as machine:
        with (here / f"queue{run}").open("w") as queue:
            fcntl.flock(queue, wanted)
            fcntl.flock(machine, wanted)
        yield


@pytest.fixture(autouse=True)
def siproxd_lives(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test with a lab: siproxd runs on and has not panicked."""
    # Asked for beforehand, so that it is still there afterwards.
    shared: World | None = request.getfixturevalue("world") if "world" in request.fixturenames else None
    yield
    if shared:
        shared.siproxd.assert_alive()
