"""A prepared bank, made once, and copies of it to serve."""

import shutil
from pathlib import Path

import pytest

from tests.bank_adapters.served_bank.caller import Served, prepare


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("prepared") / "bank"
    prepare(directory, "--page-rows", 5)
    return directory


@pytest.fixture
def directory(prepared, tmp_path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "bank"))


@pytest.fixture(scope="module")
def bank(prepared, tmp_path_factory):
    """One bank without faults for a whole module: its tests use references of their own."""
    copy = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("served") / "bank"))
    with Served(copy) as served:
        yield served


@pytest.fixture
def caller(bank):
    return bank.caller()
