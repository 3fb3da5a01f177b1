"""
The inspector's tool: verify an export of the log, and prove or check single entries of it.

Needs Python and `cryptography`; no database, no settings, no network.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from audit.directory import LogDirectory
from audit.disclosure import read_disclosures
from audit.errors import AuditError, ExportDirectoryError
from audit.note import CosignatureVerifier, Ed25519Verifier, parse_vkey
from audit.proof import parse_proof, verify_proof
from audit.proving import prove_from_export
from audit.verify import verify

__all__ = ["main"]

_EXIT: Final = """\
exit codes:
  0  nothing is wrong with what was checked
  1  something is wrong, and the output says what
  2  used wrongly, or a file or key could not be read
"""

_VERIFY: Final = """\
Verify an export of a log: that its entries are those that the log's key signed,
that every checkpoint ever published continues the one before, and that the
balances and orders follow from the entries alone.

Everything is read from DIR; nothing there is believed. The key must come from
elsewhere: from paper, from the gazette, from an earlier visit.
"""
_VERIFY_MORE: Final = """\
The output has four parts: PROVEN, CASH BY THE LOG, NOT CHECKED (and why), and
WRONG, where each line names entry (leaf), journal and file. The last line is
the verdict. Only without a WRONG part may the export be relied on.

{exit}
example:
  {prog} verify export-2026-11 \\
      --vkey rkud/36+20be0c8f+AS0f... \\
      --checkpoint kept/2026-06-30.checkpoint
"""
_PROVE: Final = """\
Cut one entry and the proof that it is in the log out of an export, so that one
act can be shown to somebody without the rest. Writes FILE (C2SP tlog-proof) and
FILE.leaf (the entry's bytes); neither may exist.
"""
_PROVE_MORE: Final = """\
Nothing is verified here: whoever gets the two files checks them with `check`.

exit codes:
  0  both files are written
  2  used wrongly, no such entry, or a file could not be read or written

example:
  {prog} prove export-2026-11 623 -o act.tlog-proof
"""
_CHECK: Final = """\
Check one entry against its proof, with the log's key and without the log.
"""
_CHECK_MORE: Final = """\
PROVEN says that the entry is number N of the log that the key signed. It does
not say that the entry is true, nor that the log has no other version.

exit codes:
  0  proven
  1  not proven, and the output says why
  2  used wrongly, or a file or key could not be read

example:
  {prog} check act.tlog-proof act.tlog-proof.leaf \\
      --vkey rkud/36+20be0c8f+AS0f...
"""


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m audit") -> int:
    """Run the tool; the exit code. SystemExit after `--help` and on wrong use."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=__doc__,
        epilog=_EXIT + f"\nEach command explains itself: {prog} verify --help\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, short, text, more, add in (
        ("verify", "verify an export", _VERIFY, _VERIFY_MORE, _add_verify),
        ("prove", "cut one entry and its proof out of an export", _PROVE, _PROVE_MORE, _add_prove),
        ("check", "check one entry against its proof", _CHECK, _CHECK_MORE, _add_check),
    ):
        one = commands.add_parser(
            name,
            help=short,
            description=text,
            epilog=more.replace("{prog}", prog).replace("{exit}", _EXIT),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add(one)
    given = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = given.run
    try:
        return run(given)
    except (AuditError, OSError, ValueError) as error:
        code = error.code if isinstance(error, AuditError) else "unreadable"
        if getattr(given, "json", False):
            print(json.dumps({"error": code, "message": str(error)}))
        print(f"{code}: {error}", file=sys.stderr)
        return 2


def _keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vkey",
        action="append",
        required=True,
        metavar="VKEY",
        help="the log's key (name+id+key), as you got it from elsewhere; again for a second key, and"
        " for each shard of a log that was recovered",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="the key of a witness whose signatures on checkpoints are to be verified; again for more",
    )


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", type=Path, metavar="DIR", help="what `rkud audit export` wrote"
    )
    _keys(parser)
    parser.add_argument(
        "--checkpoint",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="a checkpoint that you kept from earlier, or got from somebody else: the log must"
        " continue it; again for more",
    )
    parser.add_argument(
        "--log-only",
        action="store_true",
        help="verify entries and signatures only: no replay of the books",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the verdict as JSON for programs"
    )
    parser.set_defaults(run=_verify)


def _verify(given: argparse.Namespace) -> int:
    verdict = verify(
        given.directory,
        given.vkey,
        witnesses=given.witness,
        checkpoints=[path.read_bytes() for path in given.checkpoint],
        books=not given.log_only,
        progress=_progress() if sys.stderr.isatty() and not given.json else None,
    )
    if given.json:
        print(json.dumps(verdict.to_dict(), ensure_ascii=True, indent=1))
    else:
        print(verdict.to_text(_width()), end="")
    return verdict.exit_code


def _width() -> int:
    """Columns of the terminal; 0, one line an item, where a program reads."""
    return (
        shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else 0
    )


def _progress() -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        if done == total or done % (256 * 40) == 0:
            end = "\n" if done == total else ""
            print(f"\r{done} of {total} entries", end=end, file=sys.stderr, flush=True)

    return show


def _add_prove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", type=Path, metavar="DIR", help="what `rkud audit export` wrote"
    )
    parser.add_argument("index", type=int, metavar="INDEX", help="number of the entry, from 0")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="where the proof is written, usually NAME.tlog-proof",
    )
    parser.set_defaults(run=_prove)


def _prove(given: argparse.Namespace) -> int:
    proven = prove_from_export(LogDirectory(given.directory), given.index)
    paths = proven.write(given.output)
    print("\n".join(str(path) for path in paths))
    return 0


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("proof", type=Path, metavar="PROOF", help="the .tlog-proof file")
    parser.add_argument("leaf", type=Path, metavar="LEAF", help="the entry's bytes, its .leaf file")
    _keys(parser)
    parser.add_argument(
        "--disclosures",
        type=Path,
        metavar="FILE",
        help="private values of this entry (JSON lines): whether they are what it commits to",
    )
    parser.set_defaults(run=_check)


def _check(given: argparse.Namespace) -> int:
    keys = [key for key in map(parse_vkey, given.vkey) if isinstance(key, Ed25519Verifier)]
    cosigners = map(parse_vkey, given.witness)
    witnesses = [key for key in cosigners if isinstance(key, CosignatureVerifier)]
    if not keys:
        raise ExportDirectoryError("--vkey", "none of the keys is a log's")
    entry = given.leaf.read_bytes()
    try:
        proof = parse_proof(given.proof.read_bytes())
        signed = verify_proof(proof, entry, keys, witnesses=witnesses, extensions=True)
    except AuditError as error:
        print(f"NOT PROVEN, {error.code}: {error}")
        return 1
    tree = signed.checkpoint
    print(f"PROVEN: the entry is number {proof.index} of log {tree.origin},")
    print(f"        as signed at {tree.size} entries, root {tree.root.hex()}")
    for witness in signed.witnesses:
        print(f"        witnessed by {witness.name}")
    print("NOT CHECKED: what the entry says is true; that the log had no other version")
    return 0 if given.disclosures is None else _check_disclosures(given.disclosures, entry)


def _check_disclosures(path: Path, entry: bytes) -> int:
    with path.open("rb") as file:
        try:
            found = list(read_disclosures(file))
        except AuditError as error:
            print(f"NOT PROVEN, {error.code}: {error}")
            return 1
    for one in found:
        if one.commitment.encode() not in entry:
            print(f"NOT PROVEN: the entry does not commit to the value of {one.field!r}")
            return 1
        print(f"DISCLOSED: {one.field} = {json.dumps(one.value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
