"""
Verify an exported log offline: the tree from the leaves, every signature, then the books.

Uses the standard library and `cryptography`; no database, no settings, no network. One pass over
the entries, in order:

- every entry is hashed and the tree built from nothing; every hash tile must be what was built;
- every checkpoint ever published must be signed by a key that *you* brought, and at its size the
  tree must have its root. All roots coming from one sequence of leaves, every checkpoint is
  consistent with every other;
- every leaf is replayed (`audit.replay`): order, rules, balances.

What the specifications leave to the reader is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from audit.canonical import parse_canonical
from audit.checkpoint import Checkpoint, open_checkpoint
from audit.directory import BUNDLE_MAX, NOTE_MAX, LogDirectory
from audit.errors import AuditError, MalformedTileError, WrongOriginError
from audit.note import CosignatureVerifier, Ed25519Verifier, Verifier, parse_vkey
from audit.replay import Replay
from audit.tiles import (
    ENTRIES,
    TILE_WIDTH,
    Tile,
    TileBuilder,
    TileReader,
    decode_bundle,
    decode_hash_tile,
    encode_bundle,
    hash_tiles_of,
    level_tiles,
    parse_tile_path,
)
from audit.verdict import Failure, Verdict

__all__ = ["verify"]

_EXPORTED: Final = {"books", "checkpoint", "disclosures.jsonl", "policy", "shards", "tile", "vkey"}

Progress = Callable[[int, int], None]


def verify(
    directory: Path,
    vkeys: Sequence[str],
    *,
    witnesses: Sequence[str] = (),
    checkpoints: Sequence[bytes] = (),
    books: bool = True,
    progress: Progress | None = None,
) -> Verdict:
    """
    Verify the export in *directory* with keys that come from outside it.

    *checkpoints* are notes the inspector kept from earlier (or got from elsewhere): the log must
    continue them. *witnesses* are vkeys of cosigners whose signatures are to be checked. With
    *books* false only the log is verified. *progress* is called with (leaves done, all).

    Raises:
        MalformedKeyError, WeakKeyError: A vkey.
        ExportDirectoryError: No directory there.
    """
    log = LogDirectory(directory)
    keys = [key for key in map(parse_vkey, vkeys) if isinstance(key, Ed25519Verifier)]
    cosigners = [key for key in map(parse_vkey, witnesses) if isinstance(key, CosignatureVerifier)]
    verdict = Verdict()
    run = _Run(log, keys, cosigners, verdict)
    top = run.read_checkpoints(checkpoints)
    if top is None:
        verdict.not_checked.append(
            "entries and books: there is no checkpoint to check them against"
        )
        return verdict
    replay = Replay(log, verdict, top.origin) if books else None
    base, whole = _read_shards(run, top, replay)
    if not whole:
        replay = None
    if replay is not None:
        replay.begin_shard(base, log, top.size, top.origin)
    run.read_entries(top, replay, progress)
    run.check_files(top.size)
    run.summary(top)
    if replay is None:
        why = "you asked for the log only" if whole else "they begin in a shard that is not here"
        verdict.not_checked.append(f"the books: {why}")
    else:
        replay.finish(top.size)
    return verdict


def _read_shards(run: _Run, top: Checkpoint, replay: Replay | None) -> tuple[int, bool]:
    """
    Verify the shards that ended before this one: the index of this one's first leaf, and whether
    all of them are here.

    Its first leaf says what was kept of the last, and that leaf is signed: so what was kept is proven
    even by a key that the old shard never had. Checkpoints of what was lost can't be re-derived.
    """
    names: list[tuple[LogDirectory, Checkpoint, int]] = []
    log, one = run.log, top
    number = len([name for name in run.log.folder_names("shards") if name.isdecimal()])
    while said := _recovery_of(log, one.size):
        if number < 1:
            run.verdict.not_checked.append(f"the shard before {one.origin}: it is not here")
            run.base = int(said["base"])
            return run.base, False
        log = LogDirectory(run.log.path / "shards" / str(number))
        number -= 1
        one = Checkpoint(said["origin"], said["kept_size"], bytes.fromhex(said["kept_root"]))
        names.append((log, one, int(said["base"])))
    start = 0
    for shard, kept, following in reversed(names):
        old = _Run(shard, run.keys, run.cosigners, run.verdict, _ended=True)
        old.read_ended(kept)
        if replay is not None:
            replay.begin_shard(start, shard, kept.size, kept.origin)
        old.base = start
        old.read_entries(kept, replay, None)
        start = following
    run.base = start
    return start, True


def _recovery_of(log: LogDirectory, size: int) -> dict[str, Any] | None:
    """What the first leaf of a shard says of the one before it; None when there is none."""
    try:
        leaf = parse_canonical(TileReader(log.read, size).entry(0)) if size else None
    except (AuditError, OSError, ValueError, IndexError):
        return None  # named where the entries are read
    if not isinstance(leaf, dict) or leaf.get("act") != "book.recovered":
        return None
    data: Any = leaf["data"]
    return data if isinstance(data, dict) else None


@dataclass(slots=True)
class _Run:
    """One verification under way."""

    log: LogDirectory
    keys: Sequence[Ed25519Verifier]
    cosigners: Sequence[CosignatureVerifier]
    verdict: Verdict
    _roots: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    _signed: int = 0
    _cosigned: dict[str, int] = field(default_factory=dict)
    _good: set[str] = field(default_factory=set)  # tiles whose bytes were compared
    _ended: bool = False
    base: int = 0

    def read_ended(self, kept: Checkpoint) -> None:
        """The checkpoints of a shard that ended, up to what was kept of it."""
        self._add(kept, "what the next shard says was kept")
        lost = 0
        for size, name in self.log.checkpoints():
            if not any(key.name == kept.origin for key in self.keys):
                self.verdict.not_checked.append(f"signatures of {kept.origin}: you brought no key")
                break
            one = self._open(name, kept.origin)
            if one is None or one.size != size:
                continue
            if one.size > kept.size:
                lost += 1
            else:
                self._add(one, name)
        self.verdict.not_checked.append(
            f"{lost} checkpoints of {kept.origin} above {kept.size} entries: those entries were lost"
        )

    # --- checkpoints -------------------------------------------------------------------------

    def read_checkpoints(self, given: Sequence[bytes]) -> Checkpoint | None:
        """Verify every signature; the last checkpoint, or None when there is none to rely on."""
        top = self._open("checkpoint")
        if top is None:
            return None
        verdict = self.verdict
        verdict.origin, verdict.size, verdict.root = top.origin, top.size, top.root.hex()
        self._add(top, "checkpoint")
        seen = False
        for size, name in self.log.checkpoints():
            one = self._open(name)
            if one is None:
                continue
            if one.size != size:
                self._fail("checkpoint_misnamed", f"it is of size {one.size}", path=name)
            seen |= one.size == top.size
            self._add(one, name)
            if one.size > top.size:
                self._fail(
                    "log_was_longer",
                    f"a checkpoint of {one.size} entries was signed, the log ends at {top.size}:"
                    " entries were taken away",
                    path=name,
                )
        if not seen:
            self._fail("checkpoint_missing", f"there is no checkpoint.{top.size}")
        for number, note in enumerate(given, start=1):
            self._compare_given(note, number, top)
        return top

    def _compare_given(self, note: bytes, number: int, top: Checkpoint) -> None:
        name = f"the checkpoint you brought ({number})"
        try:
            one = open_checkpoint(note, self._keys_of(top.origin), extensions=True).checkpoint
        except AuditError as error:
            self._fail(error.code, f"{name}: {error}")
            return
        self._add(one, name)
        if one.size > top.size:
            self._fail(
                "log_was_longer",
                f"{name} covers {one.size} entries, the log ends at {top.size}: entries were taken"
                " away after it was signed",
            )

    def _open(self, name: str, of: str = "") -> Checkpoint | None:
        try:
            data = self.log.read(name, NOTE_MAX)
        except FileNotFoundError:
            self._fail("checkpoint_missing", "it is missing", path=name)
            return None
        except ValueError as error:
            self._fail("unreadable_file", str(error), path=name)
            return None
        try:
            origin = data.split(b"\n", 1)[0].decode("utf-8", "replace")
            keys = self._keys_of(of or self.verdict.origin or origin)
            signed = open_checkpoint(data, keys, witnesses=self.cosigners, extensions=True)
        except AuditError as error:
            self._fail(error.code, str(error), path=name)
            return None
        one = signed.checkpoint
        if one.extensions and not (one.frozen and len(one.extensions) == 1):
            self._fail("malformed_checkpoint", "it has lines that nobody can audit", path=name)
        self._signed += 1
        for witness in signed.witnesses:
            self._cosigned[witness.name] = max(self._cosigned.get(witness.name, 0), one.size)
        return one

    def _keys_of(self, origin: str) -> list[Verifier]:
        keys: list[Verifier] = [key for key in self.keys if key.name == origin]
        if not keys:
            have = ", ".join(sorted({key.name for key in self.keys})) or "none"
            raise WrongOriginError(expected=have, actual=origin)
        return keys

    def _add(self, one: Checkpoint, name: str) -> None:
        known = self._roots.setdefault(one.size, (one.root, name))
        if known[0] != one.root:
            self._fail(
                "fork",
                f"{known[1]} and {name} are both signed, of {one.size} entries, with different"
                " roots: keep both, they prove that the log was forked",
            )

    # --- entries -----------------------------------------------------------------------------

    def read_entries(
        self, top: Checkpoint, replay: Replay | None, progress: Progress | None
    ) -> None:
        """One pass over all entries: hashes, tiles, roots, replay."""
        builder = TileBuilder()
        sizes = iter(sorted(size for size in self._roots if size <= top.size))
        due = next(sizes, None)
        below = 0
        if due == 0:
            due = next(sizes, None)
        for tile in level_tiles(ENTRIES, top.size):
            first = tile.index * TILE_WIDTH
            entries = self._bundle(tile)
            hashes = self._leaf_hashes(tile, entries)
            at = 0
            while due is not None and due <= first + tile.width:
                self._keep(builder.add(hashes[at : due - first]))
                at = due - first
                below = self._check_root(builder, due, below)
                due = next(sizes, None)
            self._keep(builder.add(hashes[at:]))
            if replay is not None:
                if entries is None:
                    replay.skip(tile.width)
                else:
                    replay.feed(self.base + first, entries)
            if progress is not None:
                progress(first + tile.width, top.size)
        self._keep(builder.partials())

    def _bundle(self, tile: Tile) -> list[bytes] | None:
        data = self._read(tile)
        if data is None:
            return None
        try:
            entries = decode_bundle(data, tile.width)
        except MalformedTileError as error:
            self._fail(error.code, str(error), path=tile.path)
            return None
        self._good.add(tile.path)
        return entries

    def _leaf_hashes(self, tile: Tile, entries: list[bytes] | None) -> list[bytes]:
        """
        The hashes that go into the tree. Where an entry does not hash to its place in the hash tile,
        the tile's hash goes in: if the tree then leads to the signed root, the entry was changed.
        """
        mine = [] if entries is None else [sha256(b"\x00" + e).digest() for e in entries]
        hash_tile = Tile(0, tile.index, tile.width)
        data = self._read(hash_tile)
        if data is None:
            return mine or [bytes(32)] * tile.width
        if entries is not None and data == b"".join(mine):
            self._good.add(hash_tile.path)
            return mine
        try:
            told = decode_hash_tile(data, tile.width)
        except MalformedTileError as error:
            self._fail(error.code, str(error), path=hash_tile.path)
            return mine or [bytes(32)] * tile.width
        self._good.add(hash_tile.path)
        for n, entry in enumerate(entries or ()):
            if mine[n] != told[n]:
                index = self.base + tile.index * TILE_WIDTH + n
                what, journal = _describe(entry)
                self._fail(
                    "entry_changed",
                    f"entry {index}{what} does not hash to its place in the tree: entry or tile was"
                    " changed after it was recorded",
                    leaf=index,
                    journal=journal,
                    path=tile.path,
                )
        return told

    def _keep(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        """Compare hash tiles that were built with the files; level 0 was compared entry by entry."""
        for tile, built in tiles:
            if tile.level == 0:
                continue
            data = self._read(tile)
            if data is not None and data != built:
                self._fail(
                    "tile_changed", "it is not the tile that its entries give", path=tile.path
                )
            self._good.add(tile.path)

    def _check_root(self, builder: TileBuilder, size: int, below: int) -> int:
        """Compare the root at a published size; the size up to which the tree is proven."""
        root, name = self._roots[size]
        if builder.root() == root:
            return size
        where = f"entries {below} to {size - 1}" if below < size - 1 else f"entry {below}"
        self._fail(
            "root_differs",
            f"the first {size} entries do not have the root that was signed: one of {where} was"
            " changed, inserted or removed after it was recorded",
            path=name,
        )
        return below

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self.log.read(tile.path, BUNDLE_MAX)
        except FileNotFoundError:
            self._fail("file_missing", "it is missing", path=tile.path)
        except ValueError as error:
            self._fail("unreadable_file", str(error), path=tile.path)
        return None

    # --- the rest of the directory -------------------------------------------------------------

    def check_files(self, size: int) -> None:
        """Everything below `tile` must belong to the log; earlier partial tiles must be its prefixes."""
        whole = {tile.path for tile in hash_tiles_of(size)}
        whole |= {tile.path for tile in level_tiles(ENTRIES, size)}
        for path in self.log.tiles():
            if path in whole:
                continue
            try:
                tile = parse_tile_path(path)
                same = tile != tile.whole and self._is_prefix(tile, size)
            except (MalformedTileError, FileNotFoundError, ValueError) as error:
                self._fail("unexpected_file", f"it belongs to no log ({error})", path=path)
                continue
            if not same:
                self._fail(
                    "unexpected_file", f"it is not part of a log of {size} entries", path=path
                )
        foreign = [
            name
            for name in self.log.names()
            if name not in _EXPORTED and not name.startswith("checkpoint.")
        ]
        if foreign:
            self.verdict.not_checked.append(f"files that no export has: {', '.join(foreign)}")

    def _is_prefix(self, tile: Tile, size: int) -> bool:
        now = size >> (8 * max(tile.level, 0))
        width = min(TILE_WIDTH, now - tile.index * TILE_WIDTH)
        if width < tile.width:
            return False
        covering = self.log.read(Tile(tile.level, tile.index, width).path)
        data = self.log.read(tile.path)
        if tile.level == ENTRIES:
            return data == encode_bundle(decode_bundle(covering, width)[: tile.width])
        return data == covering[: 32 * tile.width]

    def summary(self, top: Checkpoint) -> None:
        """Say in words what the log part showed."""
        verdict = self.verdict
        verdict.figures |= {"entries": top.size, "checkpoints": len(self._roots)}
        if verdict.ok:
            verdict.proven += [
                f"the {top.size} entries are exactly those that the log's key signed",
                f"each of {len(self._roots)} signed checkpoints continues the one before: nothing"
                " was changed, inserted or removed between them",
            ]
            if top.extensions:
                verdict.proven.append(f"the log has ended: {top.extensions[0]}")
        for name, size in sorted(self._cosigned.items()):
            verdict.proven.append(f"witness {name} has seen the log up to entry {size}")
        if not self._cosigned:
            verdict.not_checked.append(
                "whether somebody else was shown another log, or a longer one: no witness has"
                " signed; compare with a checkpoint kept elsewhere (--checkpoint)"
            )

    def _fail(
        self,
        code: str,
        message: str,
        *,
        leaf: int | None = None,
        journal: int | None = None,
        path: str = "",
    ) -> None:
        self.verdict.fail(Failure(code, message, leaf, journal, path))


def _describe(entry: bytes) -> tuple[str, int | None]:
    """What a changed entry says it is, as far as it can be read."""
    try:
        leaf = json.loads(entry)
        act, data = leaf["act"], leaf["data"]
        journal = data.get("journal")
        reference = data.get("reference")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return " (unreadable)", None
    named = f" ({str(act)[:40]}"
    if isinstance(reference, str):
        named += f", reference {reference[:80]}"
    return f"{named})", journal if isinstance(journal, int) else None
