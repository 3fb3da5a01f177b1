"""Offline verification: what passes, and every way of tampering that must not."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.engine import make_engine, reading
from audit.canonical import canonical
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.directory import LogDirectory
from audit.errors import MalformedKeyError
from audit.export import export
from audit.merkle import leaf_hash, root_of
from audit.note import CosignatureVerifier, Note, Signature, cosign, parse_note, sign_note
from audit.replay import Replay
from audit.tiles import ENTRIES, Tile, decode_bundle, encode_bundle, entry_bundles, hash_tiles
from audit.verdict import Verdict
from audit.verify import verify
from ledger.book_export import BookExport
from tests.audit.logs import ORIGIN, VKEY, log_key, new_signer, post_journals, sealed
from tests.builders import CASH, EXPENSE, GOVERNMENT, answer, journal, line, post, run
from tests.databases import Database


@dataclass
class Log:
    """A log as bytes that a test may rewrite and sign again, as a thief of the key could."""

    directory: Path
    entries: list[bytes]
    origin: str = ORIGIN

    def rewrite(self, *, sizes: tuple[int, ...] = ()) -> None:
        """Write entries, tiles and checkpoints anew, signed with the log's own key."""
        shutil.rmtree(self.directory / "tile")
        for old in self.directory.glob("checkpoint*"):
            old.unlink()
        hashes = [leaf_hash(entry) for entry in self.entries]
        for tile, data in [*hash_tiles(hashes), *entry_bundles(self.entries)]:
            path = self.directory / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for size in (*sizes, len(hashes)):
            note = sign_checkpoint(
                Checkpoint(self.origin, size, root_of(hashes[:size])), [log_key(self.origin)]
            )
            (self.directory / f"checkpoint.{size}").write_bytes(note)
        (self.directory / "checkpoint").write_bytes(note)

    def change(self, index: int, **members: Any) -> None:
        """Change members of a leaf's data (or of the leaf, with a leading underscore)."""
        leaf = json.loads(self.entries[index])
        for name, value in members.items():
            if name.startswith("_"):
                leaf[name[1:]] = value
            else:
                leaf["data"][name] = value
        self.entries[index] = canonical(leaf)


FIRST = 17  # leaf of journal 1, the opening balance; journal n is leaf n + 16
SIZE = 18 + 272


@pytest.fixture(scope="module")
def pristine(_sqlite_opened: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with three checkpoints, 273 journals and one reversal's worth of history."""
    folder = tmp_path_factory.mktemp("verify")
    path = folder / "rkud.db"
    shutil.copyfile(_sqlite_opened, path)
    engine = make_engine(f"sqlite:///{path}")
    signer = new_signer(folder / "keys")
    sealed(engine, signer)
    post_journals(engine, 1, 100)
    sealed(engine, signer)
    post_journals(engine, 101, 172)
    sealed(engine, signer)
    with reading(engine) as conn:
        export(
            conn,
            folder / "out",
            GOVERNMENT,
            vkeys=[VKEY],
            books=BookExport(),
            disclosures=True,
        )
    engine.dispose()
    return folder / "out"


@pytest.fixture
def log(pristine: Path, tmp_path: Path) -> Log:
    """A copy of the export to tamper with."""
    directory = tmp_path / "out"
    shutil.copytree(pristine, directory)
    entries: list[bytes] = []
    for name in ("000", "001.p/34"):
        data = (directory / "tile/entries" / name).read_bytes()
        entries += decode_bundle(data, 256 if name == "000" else 34)
    assert SIZE == len(entries)
    return Log(directory, entries)


def codes(log: Log, **options: Any) -> set[str]:
    """Codes of what verification finds wrong."""
    return {failure.code for failure in verify(log.directory, [VKEY], **options).failures}


# --- what passes ---------------------------------------------------------------------------------


def test_verify_of_an_untouched_export_says_what_was_proven_and_what_was_not(log: Log) -> None:
    """The verdict speaks of entries, checkpoints, balances and disclosures, in words."""
    verdict = verify(log.directory, [VKEY])
    text = verdict.to_text()

    assert [] == verdict.failures
    assert 0 == verdict.exit_code
    assert "the 290 entries are exactly those that the log's key signed" in text
    assert "each of 3 signed checkpoints continues the one before" in text
    assert "273 journals are numbered without a gap" in text
    assert "137:0000000000: Rp 999728000.00" in text
    assert "no witness has signed" in text
    assert "VERDICT: nothing is wrong with what was checked" in text
    assert json.loads(json.dumps(verdict.to_dict()))["figures"]["checkpoints"] == 3


def test_verify_log_only_does_not_speak_of_books(log: Log) -> None:
    """What was not looked at is said, not passed over."""
    verdict = verify(log.directory, [VKEY], books=False)

    assert verdict.ok
    assert "the books: you asked for the log only" in verdict.not_checked
    assert "journals" not in verdict.figures


def test_verify_accepts_a_kept_checkpoint_that_the_log_continues(log: Log) -> None:
    """An inspector's own old note is one more published size."""
    note = (log.directory / "checkpoint.118").read_bytes()
    (log.directory / "checkpoint.118").unlink()

    assert set() == codes(log, checkpoints=[note])


def test_verify_names_the_witness_that_cosigned(log: Log) -> None:
    """A witness's valid line is proof that it saw the log up to there; a bad one fails the note."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([5]) * 32)
    witness = CosignatureVerifier("witness.example", key.public_key().public_bytes_raw())
    note = parse_note((log.directory / "checkpoint").read_bytes())
    good = cosign(note.text, witness.name, key, at=1_800_000_000)
    (log.directory / "checkpoint").write_bytes(sign_note(note.text, [log_key()], others=[good]))
    verdict = verify(log.directory, [VKEY], witnesses=[witness.vkey])
    bad = Signature(good.name, good.key_id, good.blob[:-1] + bytes([good.blob[-1] ^ 1]))
    (log.directory / "checkpoint").write_bytes(sign_note(note.text, [log_key()], others=[bad]))

    assert verdict.ok
    assert "witness witness.example has seen the log up to entry 290" in verdict.proven
    assert {"invalid_signature"} == codes(log, witnesses=[witness.vkey])


def test_verify_lists_what_was_not_disclosed_and_fails_what_was_changed(log: Log) -> None:
    """A missing disclosure is listed, a false one is wrong."""
    path = log.directory / "disclosures.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    missing = verify(log.directory, [VKEY])
    path.write_bytes(b"".join(lines).replace(b"Belanja", b"belanja", 1))

    assert missing.ok
    assert any(
        "1 private values were not disclosed and not erased" in t for t in missing.not_checked
    )
    assert {"commitment_mismatch"} == codes(log)


# --- tampering with files -------------------------------------------------------------------------


def _flip(name: str, at: int = -30) -> Callable[[Log], None]:
    def change(log: Log) -> None:
        path = log.directory / name
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(bytes(data))

    return change


def _forge(name: str) -> Callable[[Log], None]:
    """One bit of the signature itself."""

    def change(log: Log) -> None:
        path = log.directory / name
        note = parse_note(path.read_bytes())
        (one,) = note.signatures
        bad = Signature(one.name, one.key_id, one.blob[:-1] + bytes([one.blob[-1] ^ 1]))
        path.write_bytes(Note(note.text, (bad,)).to_bytes())

    return change


def _cut(name: str, by: int = 1) -> Callable[[Log], None]:
    def change(log: Log) -> None:
        path = log.directory / name
        path.write_bytes(path.read_bytes()[:-by])

    return change


def _grow(name: str) -> Callable[[Log], None]:
    def change(log: Log) -> None:
        path = log.directory / name
        path.write_bytes(path.read_bytes() + b"\x00")

    return change


def _drop(name: str) -> Callable[[Log], None]:
    return lambda log: (log.directory / name).unlink()


def _swap_entries(log: Log) -> None:
    log.entries[20], log.entries[21] = log.entries[21], log.entries[20]
    (log.directory / "tile/entries/000").write_bytes(encode_bundle(log.entries[:256]))


def _swap_entries_and_tile(log: Log) -> None:
    _swap_entries(log)
    path = log.directory / "tile/0/000"
    path.write_bytes(b"".join(leaf_hash(entry) for entry in log.entries[:256]))


def _link(log: Log) -> None:
    path = log.directory / "tile/0/000"
    copy = log.directory.parent / "elsewhere"
    path.rename(copy)
    path.symlink_to(copy)


ATTACHMENT = "books/attachments/8d9abd36e089c850c359aa6eae48b98e6f9603b94e4bce78d7a91fa686bf0f6e"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_forge("checkpoint"), "invalid_signature"),
        (_flip("checkpoint", 9), "invalid_signature"),
        (_forge("checkpoint.118"), "invalid_signature"),
        (_flip("checkpoint.118", 9), "invalid_signature"),
        (_cut("checkpoint"), "malformed_note"),
        (_cut("checkpoint.18"), "malformed_note"),
        (_drop("checkpoint"), "checkpoint_missing"),
        (_drop(f"checkpoint.{SIZE}"), "checkpoint_missing"),
        (_flip("tile/entries/000"), "entry_changed"),
        (_flip("tile/entries/000", 0), "malformed_tile"),
        (_flip("tile/entries/001.p/34"), "entry_changed"),
        (_cut("tile/entries/000"), "malformed_tile"),
        (_grow("tile/entries/001.p/34"), "malformed_tile"),
        (_drop("tile/entries/000"), "file_missing"),
        (_flip("tile/0/000"), "tile_changed"),
        (_flip("tile/0/001.p/34"), "tile_changed"),
        (_cut("tile/0/000"), "malformed_tile"),
        (_drop("tile/0/000"), "file_missing"),
        (_flip("tile/1/000.p/1"), "tile_changed"),
        (_drop("tile/1/000.p/1"), "file_missing"),
        (_swap_entries, "entry_changed"),
        (_swap_entries_and_tile, "root_differs"),
        (_link, "unreadable_file"),
        (lambda log: (log.directory / "tile/0/007").write_bytes(b"x"), "unexpected_file"),
        (lambda log: (log.directory / "tile/x").write_bytes(b"x"), "unexpected_file"),
        (_flip("books/balances.jsonl", 400), "malformed_claim"),
        (_cut("books/balances.jsonl", 40), "malformed_claim"),
        (_flip(ATTACHMENT), "attachment_changed"),
        (_drop(ATTACHMENT), "attachment_missing"),
        (_cut("disclosures.jsonl"), "malformed_disclosure"),
    ],
)
def test_verify_of_a_file_that_was_touched_fails_by_name(
    log: Log, change: Callable[[Log], None], code: str
) -> None:
    """Each kind of file, flipped, cut, grown, dropped or swapped."""
    change(log)
    verdict = verify(log.directory, [VKEY])

    assert code in {failure.code for failure in verdict.failures}
    assert 1 == verdict.exit_code
    assert "NOT TO BE RELIED ON" in verdict.to_text()


def test_verify_of_a_changed_entry_names_leaf_journal_and_reference(log: Log) -> None:
    """One byte of one amount: exactly that leaf is named, everything else stands."""
    log.entries[100] = log.entries[100].replace(b'"1000.00"', b'"1900.00"')
    (log.directory / "tile/entries/000").write_bytes(encode_bundle(log.entries[:256]))
    verdict = verify(log.directory, [VKEY])
    first = verdict.failures[0]

    assert ("entry_changed", 100, 84) == (first.code, first.leaf, first.journal)
    assert "reference J-83" in first.message
    # What it says now is not what was signed: nothing is concluded from it, and nobody else accused.
    assert 1 == verdict.failure_count


def test_verify_finds_flips_of_any_byte_of_any_tile(log: Log) -> None:
    """A walk over entry and hash tiles: whatever byte is flipped, the verdict is not a pass."""
    for name in ("tile/entries/000", "tile/entries/001.p/34", "tile/0/000", "tile/1/000.p/1"):
        path = log.directory / name
        data = path.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 12)):
            path.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
            assert not verify(log.directory, [VKEY], books=False).ok, (name, at)
        path.write_bytes(data)

    assert verify(log.directory, [VKEY]).ok


def test_verify_with_the_key_of_another_log_proves_nothing(log: Log) -> None:
    """Another name, or another key of the same name: not a word is proven."""
    for other in (log_key("rkud/51"), log_key(seed=9)):
        verdict = verify(log.directory, [other.verifier.vkey])

        assert [] == verdict.proven
        assert 1 == verdict.exit_code


def test_verify_does_not_trust_the_key_in_the_export(log: Log) -> None:
    """A thief who signs the whole log anew and puts the own key beside it gains nothing."""
    thief = log_key(seed=9)
    for path in log.directory.glob("checkpoint*"):
        text = parse_note(path.read_bytes()).text
        path.write_bytes(sign_note(text, [thief]))
    (log.directory / "vkey").write_text(thief.verifier.vkey + "\n")

    assert {"untrusted_note"} == codes(log)


def test_verify_with_a_malformed_key_is_wrong_use(log: Log) -> None:
    """A key that was mistyped is said to be no key."""
    with pytest.raises(MalformedKeyError):
        verify(log.directory, [VKEY[:-2]])


# --- with the log's own key ------------------------------------------------------------------------


def test_verify_of_a_re_signed_truncation_is_found_only_with_a_kept_checkpoint(log: Log) -> None:
    """Who holds the key can cut the tail; nothing inside tells, an older checkpoint does."""
    kept = (log.directory / "checkpoint").read_bytes()
    del log.entries[200:]
    log.rewrite(sizes=(18, 118))
    (log.directory / "books/balances.jsonl").unlink()

    assert set() == codes(log, books=False)
    assert {"log_was_longer"} == codes(log, books=False, checkpoints=[kept])


def test_verify_of_a_re_signed_past_is_found_with_a_kept_checkpoint(log: Log) -> None:
    """A leaf put in at 50 and everything signed anew: the root of a kept checkpoint differs."""
    kept = (log.directory / "checkpoint.118").read_bytes()
    log.entries[50] = log.entries[50].replace(b"J-33", b"J-3X")
    log.rewrite(sizes=(18, 118))

    assert set() == codes(log, books=False)
    assert {"fork"} == codes(log, books=False, checkpoints=[kept])
    (log.directory / "checkpoint.118").unlink()
    assert {"root_differs"} == codes(log, books=False, checkpoints=[kept])


def test_verify_of_a_signed_larger_checkpoint_left_behind_is_a_truncation(log: Log) -> None:
    """Two signed sizes, and the log ends at the smaller one."""
    larger = (log.directory / f"checkpoint.{SIZE}").read_bytes()
    del log.entries[200:]
    log.rewrite()
    (log.directory / f"checkpoint.{SIZE}").write_bytes(larger)

    assert {"log_was_longer"} == codes(log, books=False)


def _leaf(index: int, **members: Any) -> Callable[[Log], None]:
    return lambda log: log.change(index, **members)


def _bytes(index: int, old: bytes, new: bytes) -> Callable[[Log], None]:
    def change(log: Log) -> None:
        assert old in log.entries[index]
        log.entries[index] = log.entries[index].replace(old, new, 1)

    return change


def _remove(log: Log) -> None:
    del log.entries[60]


def _repeat(log: Log) -> None:
    log.entries.insert(61, log.entries[60])


J = FIRST + 43  # leaf of journal 44, J-43
OUT = ["PPKD", "FIN", CASH, "-1000.00", "137:0000000000"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        # bytes that JSON readers disagree on
        (_bytes(J, b'"batch_no":""', b'"batch_no":"","batch_no":""'), "not_canonical"),
        (_bytes(J, b'"batch_no":""', b'"batch_no": ""'), "not_canonical"),
        (_bytes(J, b'"kind":"uji"', b'"kind":"\\u0075ji"'), "not_canonical"),
        (_bytes(J, b'"period":11', b'"period":11.0'), "not_canonical"),
        (_bytes(J, b'"v":1}', b'"v":1} '), "not_canonical"),
        (_bytes(J, b'{"act":', b'\xef\xbb\xbf{"act":'), "not_canonical"),
        (lambda log: log.entries.__setitem__(J, b"[]"), "malformed_leaf"),
        (_leaf(J, _extra=1), "malformed_leaf"),
        (_leaf(J, _at="2026-11-21 03:15:30"), "malformed_leaf"),
        (_leaf(J, extra="x"), "malformed_journal"),
        (_leaf(J, lines="x"), "malformed_journal"),
        (_leaf(J, period="11"), "malformed_journal"),
        # order
        (_remove, "journal_number"),
        (_repeat, "journal_number"),
        (_repeat, "reference_twice"),
        (_leaf(J, journal=45), "journal_number"),
        (_leaf(J, reference="J-1"), "reference_twice"),
        (_leaf(J, _batch=1), "leaf_order"),
        (_leaf(J, _batch=9), "leaf_order"),
        (_leaf(J, _at="2025-01-01T00:00:00.000000Z"), "leaf_order"),
        (_leaf(J, _government="51"), "other_government"),
        # a journal's own rules
        (_leaf(J, lines=[["PPKD", "FIN", EXPENSE, "999.99"], OUT]), "unbalanced_journal"),
        (_leaf(J, lines=[["PPKD", "BUD", EXPENSE, "1000.00"], OUT]), "unbalanced_journal"),
        (_leaf(J, lines=[["PPKD", "FIN", "8.9", "1000.00"], OUT]), "wrong_line"),
        (_leaf(J, lines=[["PPKD", "FIN", "8.1", "1000.00"], OUT]), "wrong_line"),
        (_leaf(J, lines=[["NOBODY", "FIN", EXPENSE, "1000.00"], OUT]), "wrong_line"),
        (_leaf(J, lines=[["PPKD", "FIN", EXPENSE, "1000.00"], OUT[:4]]), "wrong_line"),
        (_leaf(J, lines=[["PPKD", "FIN", EXPENSE, "1000.00"], [*OUT[:4], "1:2"]]), "wrong_line"),
        (_leaf(J, lines=[["PPKD", "FIN", EXPENSE, "1000.00", ""], OUT]), "wrong_line"),
        (
            _leaf(J, lines=[["PPKD", "FIN", "1.1.13.01.01.0001", "1000.00", "", "PPKD"], OUT]),
            "reciprocal_mismatch",
        ),
        (_leaf(J, line_count=3), "line_count"),
        (_leaf(J, fiscal_year=2027), "wrong_period"),
        (_leaf(J, effective_on="2026-10-20"), "wrong_period"),
        (_leaf(J, effective_on="2026-11-31"), "wrong_period"),
        (_leaf(J, source="manual"), "same_person"),
        (_leaf(J, source="magic"), "wrong_source"),
        (_leaf(J, _by="nobody"), "unknown_person"),
        (_leaf(J, _by="admin-1"), "not_granted"),
        (_leaf(J, reverses=999), "wrong_reversal"),
        (_leaf(J, reverses=43), "wrong_reversal"),
        (_leaf(J, source="document", document_id="sp2d-1"), "wrong_journal"),
        # what was booked against what is claimed
        (
            _leaf(J, lines=[["PPKD", "FIN", EXPENSE, "900.00"], [*OUT[:3], "-900.00", OUT[4]]]),
            "claim_differs",
        ),
        (_leaf(J, effective_on="2026-11-19"), "claim_differs"),
    ],
)
def test_verify_of_a_forged_leaf_that_is_signed_all_the_same_fails_in_the_books(
    log: Log, change: Callable[[Log], None], code: str
) -> None:
    """With the log's own key anything can be signed; the rules of the books still hold it up."""
    change(log)
    log.rewrite()
    verdict = verify(log.directory, [VKEY])
    named = [failure for failure in verdict.failures if failure.code == code]

    assert set() == codes(log, books=False)
    assert named
    assert code.startswith("claim") or any(failure.leaf is not None for failure in named)


def test_verify_of_an_unknown_kind_of_leaf_says_that_it_is_too_old(log: Log) -> None:
    """A later version's acts are not passed over in silence."""
    log.change(3, _v=2)
    log.rewrite()
    verdict = verify(log.directory, [VKEY])

    assert any("this verifier is too old for" in text for text in verdict.not_checked)


# --- the two ways of reading a journal ----------------------------------------------------------------


def test_replay_reads_plain_journals_by_pattern_and_by_json_alike(
    pristine: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick way is only quicker: with it switched off, every sum and figure is the same."""

    def replay() -> tuple[Verdict, Replay]:
        verdict = Verdict()
        made = Replay(LogDirectory(pristine), verdict, ORIGIN)
        made.feed(0, log.entries)
        made.finish(SIZE)
        return verdict, made

    quick, by_pattern = replay()
    monkeypatch.setattr("audit.replay._match_journal", lambda _: None)
    slow, by_json = replay()

    assert quick.ok
    assert quick.to_dict() == slow.to_dict()
    assert [(d.date, d.debits, d.credits) for d in by_pattern.sums.days] == [
        (d.date, d.debits, d.credits) for d in by_json.sums.days
    ]


def test_replay_of_escaped_and_foreign_texts_takes_the_long_way(
    opened_sqlite: Database, tmp_path: Path
) -> None:
    """References with quotes, backslashes, brackets and letters beyond ASCII verify like others."""
    engine = make_engine(opened_sqlite.url)
    signer = new_signer(tmp_path / "keys")
    for n, reference in enumerate(('a"b', "a\\b", "a]b", "é", "日本", "a/b")):
        sent = journal(
            reference,
            lines=[
                line(EXPENSE, debit="10.00", fund_source=reference),
                line(CASH, credit="10.00"),
            ],
        )
        answer(run(engine, *post(sent))[0])
        assert n < 6
    sealed(engine, signer)
    with reading(engine) as conn:
        export(conn, tmp_path / "out", GOVERNMENT, vkeys=[VKEY], books=BookExport())
    engine.dispose()
    verdict = verify(tmp_path / "out", [VKEY])

    assert [] == verdict.failures
    assert 7 == verdict.figures["journals"]


# --- the command ------------------------------------------------------------------------------------


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m audit` as an inspector would."""
    return subprocess.run(
        [sys.executable, "-m", "audit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_exit_codes_tell_pass_failure_and_wrong_use(log: Log, tmp_path: Path) -> None:
    """0 nothing wrong, 1 something wrong, 2 the tool could not do what was asked."""
    fine = command("verify", log.directory, "--vkey", VKEY, "--json")
    kept = tmp_path / "kept"
    kept.write_bytes(b"x")
    bad_key = command("verify", log.directory, "--vkey", "x", "--json")
    nowhere = command("verify", tmp_path / "none", "--vkey", VKEY)
    _flip("tile/entries/000")(log)
    wrong = command("verify", log.directory, "--vkey", VKEY, "--checkpoint", kept)

    assert (0, True) == (fine.returncode, json.loads(fine.stdout)["ok"])
    assert (2, "malformed_key") == (bad_key.returncode, json.loads(bad_key.stdout)["error"])
    assert 2 == nowhere.returncode
    assert 1 == wrong.returncode
    assert "malformed_note" not in wrong.stderr
    assert "WRONG" in wrong.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "verify",
            [
                "DIR",
                "--vkey",
                "--witness",
                "--checkpoint",
                "--log-only",
                "--json",
                "0  ",
                "1  ",
                "2  ",
            ],
        ),
        ("prove", ["DIR", "INDEX", "-o", "0  ", "2  "]),
        ("check", ["PROOF", "LEAF", "--vkey", "--witness", "--disclosures", "0  ", "1  ", "2  "]),
    ],
)
def test_command_help_explains_options_exit_codes_and_gives_an_example(
    name: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that may be given is explained, in eighty columns."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = command(name, "--help").stdout

    assert [] == [word for word in [*words, "exit codes:", "example:"] if word not in shown]
    assert f"\n  python -m audit {name} " in shown
    assert [] == [text for text in shown.splitlines() if len(text) > 80]


def test_command_of_the_server_shows_the_same_help() -> None:
    """`rkud audit verify --help` is the tool's own, under the name that was typed."""
    shown = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "audit", "verify", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert shown.startswith("usage: rkud audit verify ")
    assert "rkud audit verify export-2026-11" in shown
    assert "exit codes:" in shown


def test_command_breaks_lines_to_the_terminal_and_not_for_programs(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a width nothing is wider than it but the root; without one each item is one line."""
    _flip("tile/entries/000")(log)
    monkeypatch.delenv("COLUMNS", raising=False)
    whole = command("verify", log.directory, "--vkey", VKEY).stdout
    monkeypatch.setenv("COLUMNS", "80")
    broken = command("verify", log.directory, "--vkey", VKEY).stdout

    assert [] == [text for text in broken.splitlines() if len(text) > 80]
    assert " ".join(whole.split()) == " ".join(broken.split())
    assert len(whole.splitlines()) < len(broken.splitlines())


def test_command_proves_one_entry_and_checks_it_alone(log: Log, tmp_path: Path) -> None:
    """The proof, the entry and the key are all that another person needs."""
    out = tmp_path / "entry.tlog-proof"
    made = command("prove", log.directory, 100, "-o", out)
    fine = command("check", out, f"{out}.leaf", "--vkey", VKEY)
    other = command("check", out, f"{out}.leaf", "--vkey", log_key(seed=9).verifier.vkey)
    Path(f"{out}.leaf").write_bytes(log.entries[101])
    wrong = command("check", out, f"{out}.leaf", "--vkey", VKEY)
    again = command("prove", log.directory, 100, "-o", out)
    beyond = command("prove", log.directory, SIZE, "-o", tmp_path / "beyond")

    assert (0, 0, 1, 1, 2, 2) == (
        made.returncode,
        fine.returncode,
        other.returncode,
        wrong.returncode,
        again.returncode,
        beyond.returncode,
    )
    assert "PROVEN: the entry is number 100 of log rkud/36" in fine.stdout
    assert "NOT PROVEN" in wrong.stdout


def test_checkpoint_verifies_with_openssl(log: Log, tmp_path: Path) -> None:
    """The signature is plain Ed25519 over the note's text: a tool that nobody here wrote accepts it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    note = parse_note((log.directory / "checkpoint").read_bytes())
    raw = base64.b64decode(VKEY.split("+", 2)[2])[1:]
    # RFC 8410: the fixed head of an Ed25519 public key in DER.
    (tmp_path / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    (tmp_path / "signature").write_bytes(note.signatures[0].blob)

    def check(text: str) -> int:
        (tmp_path / "text").write_text(text)
        command = (
            "pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature"
        )
        return subprocess.run(
            [openssl, *command.split()], cwd=tmp_path, capture_output=True, check=False
        ).returncode

    assert 0 == check(note.text)
    assert 1 == check(note.text.replace("290", "291"))


def test_verifier_imports_nothing_but_the_standard_library_and_cryptography() -> None:
    """An inspector's laptop has no database driver, no web framework and perhaps no fcntl."""
    script = (
        # As on a machine without the encoder that the server uses for speed.
        "import sys; sys.modules['msgspec'] = None; before = set(sys.modules); import audit.__main__;"
        "import sysconfig; std = sys.stdlib_module_names;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}"
        " - set(std) - {'audit', 'cryptography', '_cffi_backend', '_openssl'}))"
        "; print('fcntl' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "[]\nFalse\n" == out.stdout


def test_verdict_shows_control_characters_of_a_log_escaped() -> None:
    """What stands in a leaf must not move the cursor of the inspector's terminal."""
    verdict = Verdict(origin="rkud/36", not_checked=["\x1b[2Jgone\u202e"])

    assert "\x1b" not in verdict.to_text()
    assert "\\x1b[2Jgone\\u202e" in verdict.to_text()


def test_tile_names_in_tests_are_those_of_the_log() -> None:
    """The table above speaks of files that exist."""
    assert "tile/entries/001.p/34" == Tile(ENTRIES, 1, SIZE - 256).path
