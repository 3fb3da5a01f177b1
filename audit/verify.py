"""
Verify an exported log offline: the tree from the leaves, every signature, then the books.

Uses the standard library and `cryptography`; no database, no settings, no network. One pass over
the entries, in order:

- every entry is hashed and the tree built from nothing (`audit.verify_tree`); every hash tile must be
  what was built;
- every checkpoint ever published must be signed by a key that *you* brought, and at its size the
  tree must have its root. All roots coming from one sequence of leaves, every checkpoint is
  consistent with every other;
- every leaf is replayed (`audit.replay`): order, rules, balances.

What the specifications leave to the reader is refused. One damaged file is named, and what could not
be proven for want of it; what it does not touch is verified all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from audit.canonical import parse_canonical
from audit.checkpoint import Checkpoint, open_checkpoint
from audit.directory import NOTE_MAX, LogDirectory
from audit.errors import AuditError, WrongOriginError
from audit.merkle import leaf_hash
from audit.note import CosignatureVerifier, Ed25519Verifier, Verifier, parse_vkey
from audit.replay import Replay
from audit.tiles import ENTRIES, TILE_WIDTH, Tile
from audit.verdict import Failure, Verdict
from audit.verify_tree import Progress, TreeCheck

__all__ = ["verify"]

_EXPORTED: Final = {"books", "checkpoint", "disclosures.jsonl", "policy", "shards", "tile", "vkey"}


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
    tree = TreeCheck(log, verdict, run.roots, base)
    tree.run(top.size, replay, progress)
    tree.check_files()
    run.check_names()
    run.summary(top, tree)
    if replay is None:
        why = (
            "you asked for the log only"
            if whole
            else "they begin in a shard that is not here or can't be read"
        )
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
    while True:
        try:
            said = _recovery_of(log, one.size)
        except LookupError:
            if number:
                return 0, False  # where this shard begins is not known
            break
        if said is None:
            break
        if number < 1:
            run.verdict.not_checked.append(f"the shard before {one.origin}: it is not here")
            return int(said["base"]), False
        log = LogDirectory(run.log.path / "shards" / str(number))
        number -= 1
        one = Checkpoint(said["origin"], said["kept_size"], bytes.fromhex(said["kept_root"]))
        names.append((log, one, int(said["base"])))
    start = 0
    for shard, kept, following in reversed(names):
        old = _Run(shard, run.keys, run.cosigners, run.verdict)
        old.read_ended(kept)
        if replay is not None:
            replay.begin_shard(start, shard, kept.size, kept.origin)
        tree = TreeCheck(shard, run.verdict, old.roots, start)
        tree.run(kept.size, replay, None)
        _say_changed(run.verdict, kept.origin, tree)
        start = following
    return start, True


def _recovery_of(log: LogDirectory, size: int) -> dict[str, Any] | None:
    """
    What the first leaf of a shard says of the one before it; None when there is none.

    Raises LookupError when that leaf can't be relied on; why is named where the entries are read.
    """
    if not size:
        return None
    width = min(size, TILE_WIDTH)
    try:
        bundle = log.read(Tile(ENTRIES, 0, width).path)
        entry = bundle[2 : 2 + int.from_bytes(bundle[:2], "big")]
        hashes = log.read(Tile(0, 0, width).path)
        leaf = parse_canonical(entry)
    except (AuditError, OSError, ValueError) as error:
        raise LookupError from error
    if not hashes.startswith(leaf_hash(entry)):
        raise LookupError
    if not isinstance(leaf, dict) or leaf.get("act") != "book.recovered":
        return None
    data: Any = leaf.get("data")
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("origin"), str)
        or not re.fullmatch(r"[0-9a-f]{64}", str(data.get("kept_root")))
        or any(type(data.get(name)) is not int or data[name] < 0 for name in ("base", "kept_size"))
    ):
        raise LookupError
    return data


@dataclass(slots=True)
class _Run:
    """One verification under way."""

    log: LogDirectory
    keys: Sequence[Ed25519Verifier]
    cosigners: Sequence[CosignatureVerifier]
    verdict: Verdict
    roots: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    _cosigned: dict[str, int] = field(default_factory=dict)
    _torn: bool = False  # signed notes that no one log could have

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
        verdict = self.verdict
        top = self._open("checkpoint") or self._largest()
        if top is None:
            return None
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
                self._torn = True
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
            self._torn = True
            self._fail(
                "log_was_longer",
                f"{name} covers {one.size} entries, the log ends at {top.size}: entries were taken"
                " away after it was signed",
            )

    def _largest(self) -> Checkpoint | None:
        """The largest checkpoint that is signed, where the last one can't be relied on."""
        for size, name in reversed(self.log.checkpoints()):
            try:
                one = self._read_note(name, "")
            except (AuditError, OSError, ValueError):
                continue
            if one.size == size:
                self.verdict.not_checked.append(
                    f"whether the log has more than {size} entries: {name} was taken for the last one"
                )
                return one
        return None

    def _open(self, name: str, of: str = "") -> Checkpoint | None:
        try:
            one = self._read_note(name, of)
        except FileNotFoundError:
            self._fail("checkpoint_missing", "it is missing", path=name)
            return None
        except AuditError as error:
            self._fail(error.code, str(error), path=name)
            return None
        except ValueError as error:
            self._fail("unreadable_file", str(error), path=name)
            return None
        if one.extensions and not (one.frozen and len(one.extensions) == 1):
            self._fail("malformed_checkpoint", "it has lines that nobody can audit", path=name)
        return one

    def _read_note(self, name: str, of: str) -> Checkpoint:
        """The signed checkpoint in a file. FileNotFoundError, ValueError, AuditError."""
        data = self.log.read(name, NOTE_MAX)
        origin = data.split(b"\n", 1)[0].decode("utf-8", "replace")
        keys = self._keys_of(of or self.verdict.origin or origin)
        signed = open_checkpoint(data, keys, witnesses=self.cosigners, extensions=True)
        one = signed.checkpoint
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
        known = self.roots.setdefault(one.size, (one.root, name))
        if known[0] != one.root:
            self._torn = True
            self._fail(
                "fork",
                f"{known[1]} and {name} are both signed, of {one.size} entries, with different"
                " roots: keep both, they prove that the log was forked",
            )

    # --- the rest --------------------------------------------------------------------------------

    def check_names(self) -> None:
        """What stands in the directory and belongs to no export."""
        foreign = [
            name
            for name in self.log.names()
            if name not in _EXPORTED and not name.startswith("checkpoint.")
        ]
        if foreign:
            self.verdict.not_checked.append(f"files that no export has: {', '.join(foreign)}")

    def summary(self, top: Checkpoint, tree: TreeCheck) -> None:
        """Say in words what the log part showed."""
        verdict = self.verdict
        verdict.figures |= {"entries": top.size, "checkpoints": len(self.roots)}
        _say_changed(verdict, "", tree)
        if tree.is_whole and tree.lost:
            verdict.proven.append(
                f"the other {top.size - tree.lost} of the {top.size} entries are exactly those that"
                " the log's key signed"
            )
        elif tree.is_whole:
            verdict.proven.append(
                f"the {top.size} entries are exactly those that the log's key signed"
            )
        elif tree.proven and not tree.lost:
            verdict.proven.append(
                f"the first {tree.proven} entries are exactly those that the log's key signed"
            )
        if tree.is_whole and not self._torn:
            verdict.proven.append(
                f"each of {len(self.roots)} signed checkpoints continues the one before: nothing"
                " was changed, inserted or removed between them"
            )
            if top.extensions:
                verdict.proven.append(f"the log has ended: {top.extensions[0]}")
        for name, size in sorted(self._cosigned.items()):
            verdict.proven.append(f"witness {name} has seen the log up to entry {size}")
        if not self._cosigned:
            verdict.not_checked.append(
                "whether somebody else was shown another log, or a longer one: no witness has"
                " signed; compare with a checkpoint kept elsewhere (--checkpoint)"
            )

    def _fail(self, code: str, message: str, *, path: str = "") -> None:
        self.verdict.fail(Failure(code, message, path=path))


def _say_changed(verdict: Verdict, origin: str, tree: TreeCheck) -> None:
    if tree.changed:
        entries = "1 entry" if tree.changed == 1 else f"{tree.changed} entries"
        of = f" of {origin}" if origin else ""
        verdict.not_checked.append(
            f"what {entries}{of} said: the bytes here are not those that were signed"
        )
