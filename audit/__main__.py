"""
The inspector's tool: `python -m audit verify DIR --vkey VKEY`.

Needs Python and `cryptography`; no database, no settings, no network. Exit code 0: nothing is wrong
with what was checked; 1: something is; 2: the tool was used wrongly or could not read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from audit.directory import LogDirectory
from audit.disclosure import read_disclosures
from audit.errors import AuditError, ExportDirectoryError
from audit.note import CosignatureVerifier, Ed25519Verifier, parse_vkey
from audit.proof import parse_proof, verify_proof
from audit.proving import prove_from_export
from audit.verify import verify

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m audit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (_add_verify, _add_prove, _add_check):
        add(commands)
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
        help="the log's key, as you got it from elsewhere (again for a second key or shard)",
    )
    parser.add_argument("--witness", action="append", default=[], help="a witness's key")


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("verify", help="verify an export")
    parser.add_argument("directory", type=Path)
    _keys(parser)
    parser.add_argument(
        "--checkpoint",
        action="append",
        type=Path,
        default=[],
        help="a checkpoint that you kept: the log must continue it",
    )
    parser.add_argument("--log-only", action="store_true", help="do not replay the books")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
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
        print(verdict.to_text(), end="")
    return verdict.exit_code


def _progress() -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        if done == total or done % (256 * 40) == 0:
            end = "\n" if done == total else ""
            print(f"\r{done} of {total} entries", end=end, file=sys.stderr, flush=True)

    return show


def _add_prove(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("prove", help="cut one entry and its proof out of an export")
    parser.add_argument("directory", type=Path)
    parser.add_argument("index", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True, help="FILE.tlog-proof")
    parser.set_defaults(run=_prove)


def _prove(given: argparse.Namespace) -> int:
    proven = prove_from_export(LogDirectory(given.directory), given.index)
    paths = proven.write(given.output)
    print("\n".join(str(path) for path in paths))
    return 0


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("check", help="check one entry against its proof")
    parser.add_argument("proof", type=Path)
    parser.add_argument("leaf", type=Path)
    _keys(parser)
    parser.add_argument("--disclosures", type=Path, help="private values of this entry")
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
