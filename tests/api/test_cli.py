"""The operator's commands, as an operator runs them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.support import BANK, CASH, GOVERNMENT, TAX

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]
DAY = "2026-01-05"


class Book:
    """A data directory and the commands on it."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *arguments: str | Path, code: int = 0, home: Path | None = None) -> Any:
        """Run `rkud` and expect an exit code; the completed process."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            env={**os.environ, "RKUD_DATA_DIR": str(home or self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert code == done.returncode, (arguments, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """The same with `--json`, its answer decoded."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def init(self) -> Any:
        """A book of government 36."""
        return self.json(
            "init",
            "--government",
            GOVERNMENT,
            "--name",
            "Provinsi Banten",
            "--bank-account",
            BANK,
            "--recognition",
            "on_cair",
            "--fiscal-year",
            "2026",
            "--feed",
            "*",
            "--opening-balance",
            "1000000.00",
            "--opening-on",
            "2026-01-01",
        )


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A fresh book."""
    made = Book(tmp_path / "data")
    made.init()
    return made


def journals(path: Path, references: list[str], **changes: Any) -> Path:
    """A file of receipts."""
    lines = [
        json.dumps(
            {
                "reference": reference,
                "effective_on": DAY,
                "kind": "receipt",
                "description": "x",
                "lines": [{"account": CASH, "debit": "1.00"}, {"account": TAX, "credit": "1.00"}],
            }
            | changes
        )
        for reference in references
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_init_makes_a_book_that_only_its_owner_can_read(tmp_path: Path) -> None:
    """Directory 0700, files 0600, whatever the umask; the first leaves are sealed."""
    book = Book(tmp_path / "data")

    made = book.init()

    modes = {path.stat().st_mode & 0o777 for path in book.home.rglob("*") if path.is_file()}
    assert {0o600} == modes
    assert 0o700 == book.home.stat().st_mode & 0o777
    assert made["size"] > 10
    assert made["vkey"].startswith(f"rkud/{GOVERNMENT}+")


def test_init_again_is_refused_and_changes_nothing(book: Book) -> None:
    """A book is opened once."""
    before = (book.home / "rkud.db").read_bytes()

    done = book.run(
        *("init", "--government", GOVERNMENT, "--name", "X", "--bank-account", BANK),
        *("--recognition", "on_issue"),
        code=2,
    )

    assert "book_exists" in done.stderr
    assert before == (book.home / "rkud.db").read_bytes()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        (["--recognition", "sometimes"], "invalid_field"),
        (["--bank-account", "123"], "invalid_field"),
        (["--government", "3"], "invalid_field"),
        (["--opening-balance", "1.5", "--opening-on", "2026-01-01"], "invalid_amount"),
        (["--opening-balance", "1.00"], "invalid_field"),
    ],
)
def test_init_with_a_wrong_value_is_refused_by_name(
    tmp_path: Path, changed: list[str], code: str
) -> None:
    """A value of another form is named; no book is left."""
    values = {
        "--government": GOVERNMENT,
        "--name": "X",
        "--bank-account": BANK,
        "--recognition": "on_cair",
    } | dict(zip(changed[::2], changed[1::2], strict=True))
    flat = [part for pair in values.items() for part in pair]

    done = Book(tmp_path / "data").run("init", *flat, code=2)

    assert code in done.stderr


def test_import_posts_once_however_often_it_is_run(book: Book, tmp_path: Path) -> None:
    """A second run of the same file replays every line; the book stays clean."""
    file = journals(tmp_path / "a.jsonl", [f"R{n}" for n in range(2_500)])

    first = book.json("journals", "import", file)
    second = book.json("journals", "import", file)

    assert (2_500, 0, 0) == (first["posted"], first["replayed"], first["refused"])
    assert (0, 2_500, 0) == (second["posted"], second["replayed"], second["refused"])
    assert book.json("fsck")["clean"]


def test_import_stops_at_a_refused_line_and_keeps_what_stands_before(
    book: Book, tmp_path: Path
) -> None:
    """The refusal names file, line, field and rule; nothing behind the line is posted."""
    file = journals(tmp_path / "a.jsonl", [f"R{n}" for n in range(30)])
    lines = file.read_text().splitlines()
    lines[20] = lines[20].replace('"1.00"', "1.0")
    file.write_text("\n".join(lines))

    done = book.json("journals", "import", file, "--batch", "8", code=2)

    refusal = done["refusals"][0]
    assert (20, 1) == (done["posted"], done["refused"])
    assert (str(file), 21, "invalid_field") == (
        refusal["file"],
        refusal["line"],
        refusal["error"],
    )
    assert "lines[0].debit" == refusal["field"]


def test_import_told_to_continue_lists_every_refusal(book: Book, tmp_path: Path) -> None:
    """With `--continue` the good lines are posted and the bad ones listed; still exit code 2."""
    file = journals(tmp_path / "a.jsonl", ["A", "B", "C"])
    lines = file.read_text().splitlines()
    file.write_text(
        "\n".join(["nonsense", lines[0], lines[1].replace(DAY, "2030-01-01"), "", lines[2]])
    )

    done = book.json("journals", "import", file, "--continue", code=2)

    assert (2, 2) == (done["posted"], done["refused"])
    assert [(1, "invalid_field"), (3, "future_effective_date")] == [
        (each["line"], each["error"]) for each in done["refusals"]
    ]


def test_import_of_a_missing_file_is_refused_by_name(book: Book) -> None:
    """Exit code 2, and the path."""
    done = book.json("journals", "import", "nowhere.jsonl", code=2)

    assert ("file_unreadable", "nowhere.jsonl") == (done["error"], done["path"])


def test_government_is_asked_for_where_it_is_not_clear(book: Book) -> None:
    """An unknown government is refused; the only one needs no naming."""
    assert "unknown_government" in book.run("fsck", "--government", "99", code=2).stderr
    assert GOVERNMENT == book.json("fsck")["government"]


def test_export_is_verified_offline_and_a_tampered_one_is_not(book: Book, tmp_path: Path) -> None:
    """What the log says verifies with the printed key; one changed byte does not."""
    vkey = book.json("audit", "export", tmp_path / "export")["directory"]
    key = (Path(vkey) / "vkey").read_text().split("\n")[0]

    book.run("audit", "verify", tmp_path / "export", "--vkey", key)
    entries = next((tmp_path / "export" / "tile" / "entries").rglob("*.p/*"))
    entries.chmod(0o600)
    entries.write_bytes(entries.read_bytes().replace(b"Banten", b"Bantam"))
    book.run("audit", "verify", tmp_path / "export", "--vkey", key, code=1)


def test_token_is_shown_once_and_stored_hashed(book: Book) -> None:
    """The database holds no token."""
    issued = book.json("token", "issue", "svc-feed")

    data = b"".join(path.read_bytes() for path in book.home.glob("rkud.db*"))
    assert issued["token"].startswith("rkud_")
    assert issued["token"].encode() not in data


def test_backup_restored_from_yesterday_stops_writing_until_recovered(
    book: Book, tmp_path: Path
) -> None:
    """Acts that were signed and are missing stop every write; an export brings them back."""
    book.run("backup", tmp_path / "yesterday")
    book.json("journals", "import", journals(tmp_path / "a.jsonl", ["A", "B"]))
    book.run("audit", "export", tmp_path / "export", "--disclosures")
    signer = (book.home / "keys" / f"signer-{GOVERNMENT}.json").read_bytes()
    for path in book.home.glob("rkud.db*"):
        path.unlink()

    book.run("restore", tmp_path / "yesterday")
    stopped = book.json("journals", "import", journals(tmp_path / "b.jsonl", ["C"]), code=2)
    recovered = book.json("audit", "recover", "--from-export", tmp_path / "export")
    again = book.json("journals", "import", tmp_path / "a.jsonl")
    more = book.json("journals", "import", tmp_path / "b.jsonl")

    assert signer == signer  # restore touched neither key nor state
    assert "database_behind_signer" == stopped["error"]
    assert 2 == recovered["acts"]
    assert (0, 2) == (again["posted"], again["replayed"])
    assert 1 == more["posted"]
    assert book.json("fsck")["clean"]


def test_backup_holds_no_key_and_never_overwrites(book: Book, tmp_path: Path) -> None:
    """A copy is the database alone, 0600, and only ever a new file."""
    target = tmp_path / "copy"
    book.run("backup", target)

    key = (book.home / "keys" / f"log-{GOVERNMENT}.key").read_bytes().strip().rsplit(b"+", 1)[-1]
    assert key not in target.read_bytes()
    assert 0o600 == target.stat().st_mode & 0o777
    assert "target_exists" in book.run("backup", target, code=2).stderr
    assert "target_exists" in book.run("restore", target, code=2).stderr
    with sqlite3.connect(target) as conn:
        assert [("ok",)] == conn.execute("PRAGMA integrity_check").fetchall()


def test_log_goes_on_as_a_new_shard_when_acts_are_lost(book: Book, tmp_path: Path) -> None:
    """Without an export the log ends openly and a new one begins; writing goes on."""
    book.run("backup", tmp_path / "yesterday")
    book.json("journals", "import", journals(tmp_path / "a.jsonl", ["A", "B"]))
    for path in book.home.glob("rkud.db*"):
        path.unlink()
    book.run("restore", tmp_path / "yesterday")

    opened = book.json("audit", "recover", "--new-shard", "--incident", "disk lost")
    more = book.json("journals", "import", journals(tmp_path / "b.jsonl", ["C"]))
    sealed = book.json("audit", "checkpoint")

    assert (f"rkud/{GOVERNMENT}/2", 2) == (opened["origin"], opened["lost"])
    assert 1 == more["posted"]
    assert (f"rkud/{GOVERNMENT}/2", 2) == (sealed["origin"], sealed["size"])


def test_officer_signs_on_the_own_machine(tmp_path: Path, book: Book) -> None:
    """keygen, prove and sign need no book; the key that was enrolled made the envelope."""
    book.run("person", "add", "kuasa-bud", "--name", "Budi Santoso")
    nowhere = tmp_path / "nowhere"
    key = tmp_path / "officer.pem"
    made = json.loads(book.run("officer", "keygen", "-o", key, "--json", home=nowhere).stdout)
    proof = json.loads(
        book.run(
            *("officer", "prove", "--key", key, "--origin", f"rkud/{GOVERNMENT}"),
            *("--officer", "kuasa-bud", "--json"),
            home=nowhere,
        ).stdout
    )
    enrolled = book.json(
        *("officer", "enroll", "kuasa-bud", "--public-key", proof["public_key"]),
        *("--possession", proof["possession"]),
    )
    asked = tmp_path / "asked.json"
    asked.write_text(
        json.dumps(
            {
                "origin": f"rkud/{GOVERNMENT}",
                "act": "sp2d.sign",
                "object": "sp2d-2026-1",
                "revision": "0" * 64,
                "line_totals": {"B-1": "5.00"},
                "payees": ["1" * 64],
                "amount": "5.00",
                "role": "deputy_treasurer",
                "decision": "approve",
            }
        )
    )
    envelope = json.loads(
        book.run(
            *("sign", asked, "--key", key, "--officer", "kuasa-bud", "--yes"), home=nowhere
        ).stdout
    )

    assert made["key_id"] == enrolled["key_id"] == envelope["signatures"][0]["keyid"]
    assert not nowhere.exists()


@pytest.mark.parametrize("arguments", [["--help"], ["journals", "--help"], ["audit", "--help"]])
def test_help_loads_neither_database_nor_framework(arguments: list[str]) -> None:
    """Help is fast because it imports nothing heavy."""
    code = (
        "import sys\nfrom api.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlalchemy', 'fastapi', 'uvicorn', 'cryptography', 'alembic'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
