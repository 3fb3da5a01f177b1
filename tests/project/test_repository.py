"""What holds for the repository as a whole, whatever the code does."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "audit", "bank_adapters", "ledger", "reconciliation")
LOCKS = (
    *("requirements.lock", "requirements-dev.lock", "requirements-build.lock"),
    *("requirements-fuzz.lock", "requirements-oracles.lock"),
)

# A home or a folder that exists on the machine of whoever wrote it and on no other.
MACHINE_PATH = re.compile(r"(?<![\w.$}-])/(?:home|root|Users|work|mnt|opt|private)/[\w.-]+")


def text_files() -> list[Path]:
    """Files that git has or would add; in a copy without git, all that .gitignore doesn't name."""
    try:
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.split(b"\0")
        paths = [ROOT / name.decode() for name in names if name]
    except (FileNotFoundError, subprocess.CalledProcessError):
        ignored = [".git", *(ROOT / ".gitignore").read_text().replace("/", "").split()]
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(
                fnmatch(part, pattern)
                for part in path.relative_to(ROOT).parts
                for pattern in ignored
            )
        ]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def pinned(lock: str) -> dict[str, str]:
    """Package to version, with its marker, of every pin in a lock file."""
    lines = (ROOT / lock).read_text().splitlines()
    pins = (line.split("==", 1) for line in lines if re.match(r"[A-Za-z0-9]", line))
    return {name: rest.rstrip("\\ ") for name, rest in pins}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_file_names_no_address(lock: str) -> None:
    """A lock file names packages and hashes, never where to fetch them."""
    lines = (ROOT / lock).read_text().splitlines()

    options = [line for line in lines if "://" in line or line.startswith("-")]

    assert [] == options
    assert len(lines) > 1


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_file_has_a_hash_for_every_pin(lock: str) -> None:
    """Each requirement is one exact version with at least one SHA-256."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / lock).read_text().rstrip("\n"))

    bare = [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block]

    assert [] == bare
    assert len(blocks) == len(pinned(lock))


def test_lock_file_of_the_tests_agrees_with_the_product_s() -> None:
    """Tests and comparisons run on the very versions that the product is installed with."""
    product, tests = pinned("requirements.lock"), pinned("requirements-dev.lock")
    oracles = pinned("requirements-oracles.lock")

    assert product == {name: tests.get(name) for name in product}
    # The marker of a package depends on who asks for it; its version may not.
    assert {name: rest.split(" ;")[0] for name, rest in product.items()} == {
        name: oracles[name].split(" ;")[0] for name in product
    }


def test_lock_file_covers_every_declared_dependency() -> None:
    """Whatever pyproject.toml asks for is pinned."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["optional-dependencies"]["dev"],
        "requirements-fuzz.lock": project["optional-dependencies"]["fuzz"],
        "requirements-oracles.lock": project["optional-dependencies"]["oracles"],
    }

    missing = {
        f"{lock}: {name}"
        for lock, requirements in asked.items()
        for name in (re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0] for each in requirements)
        if re.sub(r"[._-]+", "-", name).lower() not in pinned(lock)
    }

    assert set() == missing


def test_files_name_no_machine_s_paths() -> None:
    """No file names a folder of somebody's machine."""
    files = text_files()

    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files
        if (match := MACHINE_PATH.search(path.read_text(encoding="utf-8", errors="replace")))
    ]

    assert [] == found
    assert ROOT / "Makefile" in files


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see " + "/home" + "/somebody/ledger", True),
        ("'" + "/root" + "/.cache'", True),
        ("$HOME/work/ledger", False),
        ("GET /v1/governments/36", False),
        ("a/home/b", False),
    ],
)
def test_machine_path_pattern_tells_folders_from_routes(text: str, found: bool) -> None:
    """The search above sees a machine's folder, and not a route or a relative path."""
    assert (MACHINE_PATH.search(text) is not None) == found


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_marked_as_typed(package: str) -> None:
    """Whoever imports a package of ours gets its types (PEP 561)."""
    assert (ROOT / package / "py.typed").is_file()


def test_changelog_has_a_place_for_the_next_change() -> None:
    """The changelog begins with what isn't released yet."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert "[Unreleased]" == headings[0]


def test_licence_is_apache_2() -> None:
    """The licence in the file is the one that the package declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = " ".join((ROOT / "LICENSE").read_text().split())

    assert "Apache-2.0" == project["license"]
    assert words.startswith("Apache License Version 2.0, January 2004")


def test_readme_commands_exist() -> None:
    """Every make target that the README shows is in the Makefile."""
    text = (ROOT / "README.md").read_text()
    # Code only: a fenced block, an indented line, or between backticks.
    code = re.findall(r"^```.*?^```|^ {4}.*?$|`[^`\n]+`", text, re.MULTILINE | re.DOTALL)
    shown = {target for each in code for target in re.findall(r"\bmake ([a-z-]+)", each)}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {"run", "test"} <= shown
    assert shown <= targets


def test_makefile_targets_are_documented_or_internal() -> None:
    """`make help` lists every phony target but the helper that looks for PostgreSQL."""
    text = (ROOT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)[0].split())
    documented = set(re.findall(r"^([a-z-]+):.*##", text, re.MULTILINE))

    assert {"postgres"} == phony - documented


def test_imports_keep_to_the_layers() -> None:
    """The import contracts of pyproject.toml hold."""
    linter = Path(sys.executable).with_name("lint-imports")

    checked = subprocess.run(
        [sys.executable, str(linter), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == checked.returncode, checked.stdout + checked.stderr
