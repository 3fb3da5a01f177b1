"""
Write a government's log to a directory, for an inspector: exact C2SP tlog-tiles, and the books.

    checkpoint                     the last published checkpoint
    checkpoint.<size>              every checkpoint ever published
    tile/<L>/<N>[.p/<W>]           hash tiles
    tile/entries/<N>[.p/<W>]       the leaves
    vkey                           the log's keys, for convenience only: trust your own copy
    policy                         the same as a C2SP tlog-policy
    books/README.txt               what follows, in words
    books/balances.jsonl           what the system claims its balances are
    books/attachments/<sha256>     what leaves name by hash
    disclosures.jsonl              private values, only when asked for
    shards/<n>/                    earlier logs of this government that ended, each as above

It writes what is there and judges nothing: verifying is the inspector's part. One snapshot, flat
memory. Running it again over an earlier export of the same log brings that one up to date;
`checkpoint` is written last, so what was interrupted can be run again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, select

from audit.canonical import Json, JsonInput, canonical_fast, parse_canonical
from audit.checkpoint import open_checkpoint, parse_checkpoint
from audit.checkpoints import Sealed, latest
from audit.database import checkpoint, private_value
from audit.disclosure import Disclosure
from audit.errors import (
    AuditError,
    ExportDirectoryError,
    NotCanonicalError,
    UnsealedActsError,
    UntrustedNoteError,
)
from audit.note import CosignatureVerifier, Ed25519Verifier, parse_note, parse_vkey
from audit.tiles import ENTRIES, LEVEL_HEIGHT, TILE_WIDTH, Tile, TileBuilder, encode_bundle
from audit.tiles_shell import Tree, entries, read_shards

__all__ = ["Books", "Exported", "export"]

_CHUNK: Final = 8 * TILE_WIDTH  # leaves in memory at once
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_CHECKPOINT: Final = re.compile(r"checkpoint\.(0|[1-9][0-9]*)")
_KNOWN: Final = {"books", "checkpoint", "disclosures.jsonl", "policy", "shards", "tile", "vkey"}


class Books(Protocol):
    """What the floors above give to an export: it knows leaves, they know what leaves stand for."""

    def has_attachments(self, kind: str, body: bytes) -> bool:
        """A quick look at whether a leaf may name content by hash."""

    def attachments(
        self, conn: Connection, government: str, kind: str, data: Mapping[str, Json]
    ) -> Iterable[tuple[str, bytes]]:
        """(SHA-256 as the leaf names it, content as the database has it), perhaps not equal."""

    def claims(self, conn: Connection, government: str) -> Iterator[dict[str, JsonInput]]:
        """The balances and counters that the system keeps, as lines of `balances.jsonl`."""


@dataclass(slots=True)
class Exported:
    """What was written. `root_matches`: whether the leaves lead to the signed root."""

    directory: Path
    origin: str
    size: int
    root: bytes
    checkpoints: int = 0
    attachments: int = 0
    claims: int = 0
    disclosures: int = 0
    root_matches: bool = True
    shards: list[Exported] = field(default_factory=list)


Progress = Callable[[int, int], None]


def export(
    conn: Connection,
    directory: Path,
    government: str,
    *,
    vkeys: Sequence[str],
    books: Books | None = None,
    sealed: Sealed | None = None,
    disclosures: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """
    Write the log of *government* as *conn*'s snapshot has it.

    The claims are those of the snapshot, so its last act must be sealed: open the snapshot, seal
    its size in another transaction (`seal(..., size=read_tree(snapshot, government).size)`) and give
    the result as *sealed*. Without it the last published checkpoint must cover every act.

    *vkeys* are all keys that ever signed this log. *progress* is called with (leaves done, all).

    Raises:
        BookMissingError: No book is kept for *government*.
        UnsealedActsError: The snapshot holds more acts than the checkpoint covers.
        ExportDirectoryError: Something else than an earlier export of this log is in the way.
        UntrustedNoteError, MalformedKeyError: The keys are not those of the log.
    """
    *ended, tree = read_shards(conn, government)
    last = sealed or latest(conn, government, tree.origin)
    if last is None or last.size != tree.size:
        raise UnsealedActsError(sealed_size=last.size if last else 0, size=tree.size)
    keys = [parse_vkey(vkey) for vkey in dict.fromkeys(vkeys)]
    writer = _Writer(directory)
    done = _export_tree(conn, writer, tree, keys, last, books, progress, writer)
    for n, shard in enumerate(ended, start=1):
        below = _Writer(directory / "shards" / str(n))
        done.shards.append(_export_ended(conn, below, shard, keys, books, writer))
    writer.write("books/README.txt", _README.encode())
    if books is not None:
        claims = books.claims(conn, government)
        head: dict[str, JsonInput] = {
            "t": "books",
            "version": 1,
            "government": government,
            "origin": tree.origin,
            "size": tree.size,
        }
        done.claims = writer.write_lines("books/balances.jsonl", _claim_lines(head, claims)) - 2
    if disclosures:
        done.disclosures = writer.write_lines(
            "disclosures.jsonl", _disclosure_lines(conn, government)
        )
    else:
        writer.remove("disclosures.jsonl")
    writer.write("checkpoint", last.note)
    writer.tidy()
    return done


def _export_tree(
    conn: Connection,
    writer: _Writer,
    tree: Tree,
    keys: Sequence[Ed25519Verifier | CosignatureVerifier],
    last: Sealed,
    books: Books | None,
    progress: Progress | None,
    beside: _Writer,
) -> Exported:
    own = [key for key in keys if key.name == tree.origin]
    if not own:
        raise UntrustedNoteError(tuple(f"{key.name}+{key.key_id.hex()}" for key in keys))
    open_checkpoint(
        last.note, own, extensions=True
    )  # the keys are this log's, or nothing is written
    published = _published(conn, tree)
    writer.check(tree, own, {**published, last.size: last.note})
    vkeys = [key.vkey for key in own]
    writer.write("vkey", "".join(f"{vkey}\n" for vkey in vkeys).encode())
    policy = "".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n"
    writer.write("policy", policy.encode())
    done = Exported(writer.directory, tree.origin, last.size, last.root)
    root = _write_tiles(conn, writer, tree, published, books, progress, done, beside)
    done.root_matches = root == last.root
    for size, note in {**published, last.size: last.note}.items():
        writer.write(f"checkpoint.{size}", note)
        done.checkpoints += 1
    return done


def _export_ended(
    conn: Connection,
    writer: _Writer,
    tree: Tree,
    keys: Sequence[Ed25519Verifier | CosignatureVerifier],
    books: Books | None,
    beside: _Writer,
) -> Exported:
    """A shard that ended: what is left of its leaves, and every checkpoint, also of what was lost."""
    own = [key for key in keys if key.name == tree.origin]
    last = latest(conn, tree.government, tree.origin)
    if last is None:
        raise UnsealedActsError(sealed_size=0, size=tree.size)
    done = _export_tree(conn, writer, tree, own, last, books, None, beside)
    writer.write("checkpoint", last.note)
    return done


def _write_tiles(
    conn: Connection,
    writer: _Writer,
    tree: Tree,
    published: Mapping[int, bytes],
    books: Books | None,
    progress: Progress | None,
    done: Exported,
    beside: _Writer,
) -> bytes:
    """
    Entries, hash tiles and attachments in one pass over the leaves; the root they give.

    Attachments of all shards go *beside* the books, which are one.
    """
    builder = TileBuilder()
    kept: dict[int, bytes] = {}  # last, unfinished tile of each level
    tail: list[bytes] = []
    for start in range(0, tree.size, _CHUNK):
        hashes: list[bytes] = []
        bodies: list[bytes] = []
        for _, kind, body, digest in entries(conn, tree, start, min(tree.size, start + _CHUNK)):
            hashes.append(digest)
            bodies.append(body)
            if books is not None and books.has_attachments(kind, body):
                done.attachments += _write_attachments(
                    conn, beside, tree.government, kind, body, books
                )
        for at in range(0, len(bodies), TILE_WIDTH):
            bundle = bodies[at : at + TILE_WIDTH]
            if len(bundle) == TILE_WIDTH:
                writer.write(Tile(ENTRIES, (start + at) // TILE_WIDTH).path, encode_bundle(bundle))
            else:
                tail = bundle
        for tile, data in builder.add(hashes):
            writer.write(tile.path, data)
        if progress is not None:
            progress(start + len(bodies), tree.size)
    for tile, data in builder.partials():
        kept[tile.level] = data
    _write_partials(writer, tree.size, kept, tail, [*published, tree.size])
    return builder.root()


def _write_partials(
    writer: _Writer,
    size: int,
    kept: Mapping[int, bytes],
    tail: Sequence[bytes],
    sizes: Iterable[int],
) -> None:
    """
    The partial tiles of every published size that has no full tile yet.

    tlog-tiles: partials are served for each published size, and may go once the full tile is there.
    So only the right edge has any.
    """
    wanted: set[Tile] = set()
    for published in sizes:
        if published > size:
            continue
        for level in (ENTRIES, *kept):
            shift = LEVEL_HEIGHT * max(level, 0)
            full, width = divmod(published >> shift, TILE_WIDTH)
            if width and full == (size >> shift) // TILE_WIDTH:
                wanted.add(Tile(level, full, width))
    for tile in wanted:
        if tile.level == ENTRIES:
            data = encode_bundle(tail[: tile.width])
        else:
            data = kept[tile.level][: 32 * tile.width]
        writer.write(tile.path, data)


def _write_attachments(
    conn: Connection, writer: _Writer, government: str, kind: str, body: bytes, books: Books
) -> int:
    try:
        leaf = parse_canonical(body)
    except NotCanonicalError:
        return 0  # the verifier names it
    data = leaf.get("data") if isinstance(leaf, dict) else None
    if not isinstance(data, dict):
        return 0
    count = 0
    for name, content in books.attachments(conn, government, kind, data):
        if _HASH.fullmatch(name):
            writer.write(f"books/attachments/{name}", content)
            count += 1
    return count


def _published(conn: Connection, tree: Tree) -> dict[int, bytes]:
    rows = conn.execute(
        select(checkpoint.c.size, checkpoint.c.note)
        .where(checkpoint.c.government == tree.government, checkpoint.c.origin == tree.origin)
        .order_by(checkpoint.c.size)
    )
    return {row.size: row.note.encode() for row in rows}


def _claim_lines(
    head: dict[str, JsonInput], claims: Iterable[dict[str, JsonInput]]
) -> Iterator[bytes]:
    yield canonical_fast(head) + b"\n"
    count = 0
    for claim in claims:
        yield canonical_fast(claim) + b"\n"
        count += 1
    # So that a file that was cut is not one with fewer claims.
    yield canonical_fast({"t": "end", "claims": count}) + b"\n"


def _disclosure_lines(conn: Connection, government: str) -> Iterator[bytes]:
    rows = conn.execute(
        select(private_value)
        .where(private_value.c.government == government)
        .order_by(private_value.c.commitment),
        execution_options={"yield_per": 2_000},
    )
    for row in rows:
        yield Disclosure(row.commitment, row.field, row.salt, row.value).to_line()


class _Writer:
    """Files below one directory, each whole or not there at all; nothing outside is touched."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._made: set[Path] = set()

    def check(
        self,
        tree: Tree,
        keys: Sequence[Ed25519Verifier | CosignatureVerifier],
        published: Mapping[int, bytes],
    ) -> None:
        """Make the directory, or accept an empty one or an earlier export of this log."""
        if self.directory.is_symlink() or (self.directory.exists() and not self.directory.is_dir()):
            raise self._refuse("it is not a directory")
        self._mkdir(self.directory)
        present = {path.name: path for path in self.directory.iterdir()}
        foreign = sorted(n for n in present if n not in _KNOWN and not _CHECKPOINT.fullmatch(n))
        if foreign:
            raise self._refuse(f"it holds {foreign[0]!r}, which no export has")
        if any(path.is_symlink() for path in present.values()):
            raise self._refuse("it holds links")
        if not present:
            return
        try:
            known = {parse_vkey(line).vkey for line in self._lines("vkey")}
            if not known & {key.vkey for key in keys}:
                raise self._refuse("it holds an export of another log")
            if "checkpoint" in present:
                note = present["checkpoint"].read_bytes()
                old = open_checkpoint(note, keys, extensions=True).checkpoint
                ours = published.get(old.size)
                if (
                    ours is None
                    or parse_checkpoint(parse_note(ours).text, extensions=True).root != old.root
                ):
                    raise self._refuse(
                        f"it holds a checkpoint of size {old.size} that this log did not publish"
                    )
        except ExportDirectoryError:
            raise
        except (AuditError, OSError, UnicodeDecodeError) as error:
            raise self._refuse("it holds an export that can't be read") from error
        if tree.size == 0:
            raise self._refuse("it holds an export, the log is empty")

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self.directory / name
        self._mkdir(path.parent)
        temporary = path.with_name(path.name + ".tmp")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, _NEW_FILE, 0o600), "wb") as file:
            file.write(data)
        temporary.replace(path)

    def write_lines(self, name: str, lines: Iterable[bytes]) -> int:
        """Stream lines to a file; their number."""
        path = self.directory / name
        self._mkdir(path.parent)
        temporary = path.with_name(path.name + ".tmp")
        temporary.unlink(missing_ok=True)
        count = 0
        with os.fdopen(os.open(temporary, _NEW_FILE, 0o600), "wb") as file:
            for line in lines:
                file.write(line)
                count += 1
        temporary.replace(path)
        return count

    def remove(self, name: str) -> None:
        """Remove a file of an earlier export."""
        (self.directory / name).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what an earlier or interrupted export left and the present one has no use for."""
        for folder, folders, files in os.walk(self.directory):
            for name in files:
                if name.endswith(".tmp"):
                    (Path(folder) / name).unlink()
            for name in [n for n in folders if n.endswith(".p")]:
                # tlog-tiles: a partial tile may go once the full one is there.
                if (Path(folder) / name.removesuffix(".p")).is_file():
                    folders.remove(name)
                    shutil.rmtree(Path(folder) / name)

    def _mkdir(self, path: Path) -> None:
        if path not in self._made:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._made.add(path)

    def _lines(self, name: str) -> list[str]:
        return (self.directory / name).read_text(encoding="utf-8").splitlines()

    def _refuse(self, reason: str) -> ExportDirectoryError:
        return ExportDirectoryError(str(self.directory), reason)


_README: Final = """\
BOOKS
This folder lets the balances be recomputed from the log. Amounts are rupiah with two decimals as
text; a debit is positive, a credit negative; "" means none. All JSON is canonical (RFC 8785).

attachments/<sha256>   Content that a leaf of the log names by its SHA-256: the lines of a journal
                       that is too long for a leaf, the rows of a chart of accounts, the content of
                       a document, the rows of a budget file. Hash the file: it must be its name.

balances.jsonl         What the system claims, one JSON object a line. "t" says which kind:
  books                first line: government, origin, and the size of the log it belongs to
  balance              an account now: chart_version, entity, book, account, bank_account,
                       counterpart, fund_source -> balance; for cash also committed and floor
  day                  movement of an account on one date: entity, book, account, bank_account,
                       counterpart, fund_source, fiscal_year, period, day -> debit, credit
  budget_line          fiscal_year, id, bucket -> ceiling, reserved, spent, allowance
  release              fiscal_year, id -> released, reserved, spent, allowance
  budget_day           budget_line, kind, day -> spent
  end                  last line: the number of lines between the first and this one

A leaf of kind journal.posted holds its lines by position: entity, book, account, amount, bank
account, counterpart, fund source, budget line, payment reference; empty ones at the end are left
out. The balance of an account is the sum of its lines. Cash is summed per bank account.

Leaves hold no personal data, only commitments: SHA-256 of the canonical JSON [salt, field, value],
salt as 64 hex digits. disclosures.jsonl beside this folder, if it was given to you, holds salts and
values; hash them again. A value that was erased can't be disclosed any more; its commitment stays.
"""
