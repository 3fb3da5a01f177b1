"""The operator's commands, as an operator runs them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.commands import DAY, Book, journals
from tests.api.support import BANK, GOVERNMENT


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
        (["--opening-balance", "1.00", "--opening-on", "9998-01-01"], "future_effective_date"),
        (["--opening-balance", "1.00", "--opening-on", "2001-01-01"], "fiscal_year_not_open"),
        (["--feed", "a b"], "invalid_field"),
        (["--feed", "Opening"], "invalid_field"),
    ],
)
def test_init_with_a_wrong_value_is_refused_by_name(
    tmp_path: Path, changed: list[str], code: str
) -> None:
    """A value of another form is named; nothing is made, no directory either."""
    values = {
        "--government": GOVERNMENT,
        "--name": "X",
        "--bank-account": BANK,
        "--recognition": "on_cair",
    } | dict(zip(changed[::2], changed[1::2], strict=True))
    flat = [part for pair in values.items() for part in pair]

    done = Book(tmp_path / "deep" / "data").run("init", *flat, code=2)

    assert done.stderr.startswith(f"rkud: {code}: ")
    assert [] == list(tmp_path.iterdir())


def test_init_of_a_file_that_is_no_database_is_refused_and_leaves_it(tmp_path: Path) -> None:
    """Whatever stood there before stands there after."""
    book = Book(tmp_path / "data")
    book.home.mkdir(mode=0o700)
    (book.home / "rkud.db").write_text("not a database")
    (book.home / "rkud.db").chmod(0o600)

    init = ("--government", "36", "--name", "X", "--bank-account", BANK, "--recognition", "on_cair")

    refused = [
        book.run(*arguments, code=2).stderr
        for arguments in (
            ("init", *init),
            ("fsck",),
            ("serve",),
        )
    ]

    assert {"rkud: database_unavailable: the database can't be used: file is not a database\n"} == (
        set(refused)
    )
    assert ["rkud.db"] == [path.name for path in book.home.iterdir()]
    assert "not a database" == (book.home / "rkud.db").read_text()


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
    assert [(1, "malformed_json"), (3, "future_effective_date")] == [
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
    (behind,) = book.json("fsck", code=1)["findings"]
    recovered = book.json("audit", "recover", "--from-export", tmp_path / "export")
    again = book.json("journals", "import", tmp_path / "a.jsonl")
    more = book.json("journals", "import", tmp_path / "b.jsonl")

    assert signer == signer  # restore touched neither key nor state
    assert "database_behind_signer" == stopped["error"]
    assert "database_behind_signer" == behind["code"]
    assert "rkud audit recover" in behind["message"]
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


def test_restore_of_a_file_that_is_no_backup_is_refused_and_makes_nothing(
    book: Book, tmp_path: Path
) -> None:
    """The refusal says what the file is instead; no directory is left."""
    (tmp_path / "text").write_text("hello")
    (tmp_path / "archive").write_bytes(b"PGDMP\x01\x0e")
    with sqlite3.connect(tmp_path / "other") as conn:
        conn.execute("CREATE TABLE t (a)")
    conn.close()
    book.run("backup", tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:9_000])
    new = Book(tmp_path / "new")

    said = {
        name: new.run("restore", tmp_path / name, code=2).stderr
        for name in ("text", "archive", "other", "cut", "nowhere")
    }

    assert "rkud: not_a_backup: " in said["text"]
    assert "it holds no SQLite database" in said["text"]
    assert "it is of PostgreSQL" in said["archive"]
    assert "holds no book" in said["other"]
    assert "rkud: not_a_backup: " in said["cut"]
    assert "rkud: file_unreadable: " in said["nowhere"]
    assert not new.home.exists()


def statement(path: Path, opening: str = "1000000,00", lines: str = "") -> Path:
    """An MT940 file of one day that closes as it opens."""
    path.write_text(
        f":20:X\r\n:25:{BANK.partition(':')[2]}\r\n:28C:1/1\r\n:60F:C260105IDR{opening}\r\n"
        f"{lines}:62F:C260105IDR{opening}\r\n-\r\n"
    )
    return path


def test_reconcile_before_any_statement_says_so(book: Book) -> None:
    """No empty date is shown; the way on is named."""
    done = book.run("reconcile", code=2)

    assert done.stderr == (
        f"rkud: no_statement: no statement of {BANK} was admitted yet:"
        " rkud statement import does that\n"
    )


def test_reconcile_writes_a_new_file_of_matches_or_nothing_at_all(
    book: Book, tmp_path: Path
) -> None:
    """What can't be written is found before the run is kept; a file is replaced only when asked."""
    book.run("statement", "import", statement(tmp_path / "day.sta"), "--account", BANK)
    there = tmp_path / "there.csv"
    there.write_text("mine")

    nowhere = book.json("reconcile", "--matches-csv", tmp_path / "no" / "x.csv", code=2)
    taken = book.json("reconcile", "--matches-csv", there, code=2)
    folder = book.json("reconcile", "--matches-csv", tmp_path, "--force", code=2)
    untouched = there.read_text()
    forced = book.json("reconcile", "--matches-csv", there, "--force")
    fresh = book.json("reconcile", "--matches-csv", tmp_path / "new.csv")

    assert ["file_unreadable", "target_exists", "file_unreadable"] == [
        each["error"] for each in (nowhere, taken, folder)
    ]
    assert "mine" == untouched
    assert [1, 2] == [forced["run"], fresh["run"]]
    assert there.read_text().startswith("match_id,status,stage,")
    assert (tmp_path / "new.csv").read_text() == there.read_text()
    assert 0o600 == there.stat().st_mode & 0o777
    assert [] == [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_refused_run_leaves_no_file_of_matches(book: Book, tmp_path: Path) -> None:
    """A file that was opened for a run that was refused is gone."""
    book.run("reconcile", "--matches-csv", tmp_path / "new.csv", code=2)

    assert not (tmp_path / "new.csv").exists()


def test_ids_are_listed_where_they_are_asked_for(book: Book) -> None:
    """Grants, keys, tokens and policies are found by a list command."""
    token = book.json("token", "issue", "svc-feed")
    ended = book.json("token", "issue", "svc-feed")
    book.run("token", "revoke", ended["token_id"])
    book.run("policy", "set", "feed", "transfer", "--from", "2026-01-01")
    grant = next(p for p in book.json("person", "list") if p["person"] == "svc-feed")["grants"][0]
    book.run("grant", "end", grant["id"], "--on", "9998-01-01")

    assert [token["token_id"]] == [each["token_id"] for each in book.json("token", "list")]
    assert [] == book.json("officer", "list")
    assert {"policy": "feed", "valid_from": "2026-01-01", "value": "transfer"} in book.json(
        "policy", "list"
    )


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

    listed = {"key_id": made["key_id"], "person": "kuasa-bud", "revoked": False}
    assert made["key_id"] == enrolled["key_id"] == envelope["signatures"][0]["keyid"]
    assert [listed] == book.json("officer", "list")
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


def test_statement_is_superseded_by_proposal_and_listed(book: Book, tmp_path: Path) -> None:
    """The file is kept aside and proposed; what is told during the day is listed as awaiting."""
    fee = ":61:2601050105D1,00NTRFNONREF\r\n:86:BIAYA\r\n"
    report = tmp_path / "now.mt942"
    report.write_text(
        f":20:X\r\n:25:{BANK.partition(':')[2]}\r\n:28C:1/1\r\n:34F:IDR0,\r\n{fee}-\r\n"
    )
    taken = book.run("statement", "import", report)
    awaiting = book.json("statement", "awaiting")
    book.run("statement", "import", statement(tmp_path / "day.sta"))
    again = statement(tmp_path / "again.sta", lines=f"{fee}{fee.replace('D1', 'C1')}")

    half = book.run("statement", "import", again, "--supersedes", "1", code=2)
    proposed = book.json(
        "statement", "import", again, "--supersedes", "1", "--reason", "Ralat bank"
    )
    listed = book.json("statement", "list")
    shown = book.run("statement", "list").stdout
    missing = book.run("statement", "awaiting").stdout

    assert "0 new lines, 1 statements, 1 provisional lines" in taken.stdout
    assert [("awaiting", "-1.00")] == [(each["state"], each["amount"]) for each in awaiting]
    assert "--supersedes and --reason belong together" in half.stderr
    assert "statement.superseded" == proposed["act"]
    assert ["admitted", "quarantined"] == [row["status"] for row in listed["statements"]]
    assert ["intraday"] == [row["kind"] for row in listed["deliveries"]]
    assert "awaiting_decision" in shown
    assert "not_booked" in missing
