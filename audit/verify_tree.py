"""
The tree of an export, built from its entries, and which of its files are not what was signed.

A bundle of entries and its tile of hashes hold the same twice. Where they differ, the hash in the tile
above or a signed root says which of the two was changed: the tile's hashes go into the tree when they
lead to what was signed, and then only the entries that do not hash to their place are named; everything
else is as proven as before. Nothing is said against a file for what another one lacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from hashlib import sha256
from typing import Final

from audit.directory import BUNDLE_MAX, LogDirectory
from audit.errors import MalformedTileError
from audit.merkle import leaf_hash, root_of
from audit.replay import Replay
from audit.tiles import (
    ENTRIES,
    LEVEL_HEIGHT,
    TILE_WIDTH,
    Tile,
    TileBuilder,
    decode_bundle,
    decode_hash_tile,
    hash_tiles_of,
    level_tiles,
    parse_tile_path,
)
from audit.verdict import Failure, Verdict

__all__ = ["Progress", "TreeCheck"]

Progress = Callable[[int, int], None]

_NAMED_A_BUNDLE: Final = 8  # changed entries named one by one; more of a bundle are counted
_SEARCHES: Final = 64  # for entries behind a wrong length; each may hash a bundle


class TreeCheck:
    """One tree: `run` reads its entries, `check_files` the files beside those that it needs."""

    def __init__(
        self, log: LogDirectory, verdict: Verdict, roots: Mapping[int, tuple[bytes, str]], base: int
    ) -> None:
        """*roots*: size -> root and where it was signed. *base*: number of the tree's first entry."""
        self.log = log
        self.verdict = verdict
        #: Entries whose bytes are not there, or not those that lead to the signed root.
        self.lost = 0
        #: Those of them that are there and were changed.
        self.changed = 0
        #: The largest signed size whose root the entries have.
        self.proven = 0
        self._roots = roots
        self._base = base
        self._size = 0
        self._good: set[str] = set()  # tiles and bundles that are as the tree has them
        self._edge: dict[tuple[int, int], bytes] = {}  # unfinished tiles at the end
        self._odd: list[tuple[Tile, list[int]]] = []  # hashes of upper tiles that differ
        self._checked: list[tuple[int, bool]] = []  # signed sizes, and whether the root was right
        self._unseen: list[int] = []  # signed sizes whose root could not be computed
        self._blind: list[tuple[int, int]] = []  # entries without bytes and without hashes
        self._searches = _SEARCHES
        self._above: tuple[Tile, bytes] | None = None

    def run(self, size: int, replay: Replay | None, progress: Progress | None) -> None:
        """One pass over all entries: hashes, tiles, roots, replay."""
        self._size = size
        builder = TileBuilder()
        sizes = iter(sorted(s for s in self._roots if 0 < s <= size))
        due = next(sizes, None)
        for tile in level_tiles(ENTRIES, size):
            first = tile.index * TILE_WIDTH
            entries, hashes = self._bundle(tile, builder)
            at = 0
            while due is not None and due <= first + tile.width:
                self._compare(builder.add(hashes[at : due - first]))
                at = due - first
                self._check_root(builder, due)
                due = next(sizes, None)
            self._compare(builder.add(hashes[at:]))
            if replay is not None:
                replay.feed(self._base + first, entries)
            if progress is not None:
                progress(first + tile.width, size)
        edge = list(builder.partials())
        self._edge = {(tile.level, tile.index): data for tile, data in edge}
        self._compare(edge)
        self._conclude()

    @property
    def is_whole(self) -> bool:
        """Whether every signed root was computed and right."""
        return not self._unseen and all(right for _, right in self._checked)

    # --- entries ------------------------------------------------------------------------------

    def _bundle(
        self, tile: Tile, builder: TileBuilder
    ) -> tuple[Sequence[bytes | None], list[bytes]]:
        """Entries, None for those that can't be relied on, and the hashes that go into the tree."""
        hash_tile = Tile(0, tile.index, tile.width)
        data, told = self._read(tile), self._read(hash_tile)
        if data is not None and told is not None:
            try:
                entries = decode_bundle(data, tile.width)
            except MalformedTileError:
                pass
            else:
                mine = [sha256(b"\x00" + entry).digest() for entry in entries]
                if told == b"".join(mine):
                    self._good |= {tile.path, hash_tile.path}
                    return entries, mine
        return self._damaged(tile, data, self._decoded(hash_tile, told), builder)

    def _decoded(self, tile: Tile, data: bytes | None) -> list[bytes] | None:
        """The hashes of a tile; None when there are none, which is named."""
        if data is None:
            return None
        try:
            return decode_hash_tile(data, tile.width)
        except MalformedTileError as error:
            self._fail(error.code, str(error), path=tile.path)
            return None

    def _damaged(
        self, tile: Tile, data: bytes | None, told: list[bytes] | None, builder: TileBuilder
    ) -> tuple[Sequence[bytes | None], list[bytes]]:
        """A bundle and its hashes of which one is missing, can't be read or differs from the other."""
        found, reason = self._salvage(data or b"", tile.width, told)
        mine = [leaf_hash(entry) for entry in found]
        if told is None:
            if len(found) < tile.width:
                self._name_unread(tile, found, reason if data is not None else "")
                self._blind.append((tile.index * TILE_WIDTH, self._end(tile)))
                self.lost += tile.width
                return [None] * tile.width, [bytes(32)] * tile.width
            if reason:
                self._fail("malformed_tile", reason, path=tile.path)
            else:
                self._good.add(tile.path)
            return found, mine
        changed = "entries"
        if len(found) == tile.width and mine != told:
            changed = self._which(tile, mine, told, builder)
        if changed == "tile":
            odd = [n for n in range(tile.width) if mine[n] != told[n]]
            self._fail(
                "tile_changed",
                f"{_hashes(len(odd))} not what entry {self._number(tile, odd[0])}"
                f"{' and others hash' if len(odd) > 1 else ' hashes'} to; the entries are as signed",
                path=Tile(0, tile.index, tile.width).path,
            )
            self._good.add(tile.path)
            return found, mine
        self._good.add(Tile(0, tile.index, tile.width).path)
        wrong = [n for n, digest in enumerate(mine) if digest != told[n]]
        self._name_changed(tile, found, wrong, decided=bool(changed))
        if len(found) < tile.width:
            self._name_unread(tile, found, reason if data is not None else "")
        elif reason:
            self._fail("malformed_tile", f"{reason}; the entries are as signed", path=tile.path)
        self.changed += len(wrong)
        self.lost += len(wrong) + tile.width - len(found)
        good: list[bytes | None] = [
            entry if mine[n] == told[n] else None for n, entry in enumerate(found)
        ]
        return good + [None] * (tile.width - len(good)), told

    def _salvage(
        self, data: bytes, width: int, told: list[bytes] | None
    ) -> tuple[list[bytes], str]:
        """
        The entries from the front of a bundle as far as they can be read, and what is wrong with it.

        A wrong length would hide everything behind it. With the hashes at hand its entry is found
        again: it is the bytes that have the entry's hash.
        """
        entries: list[bytes] = []
        position, reason = 0, ""
        while position < len(data):
            if len(entries) == width:
                return entries, reason or "there are bytes after its last entry"
            start = position + 2
            end = start + int.from_bytes(data[position:start], "big")
            n = len(entries)
            if told is not None and (end > len(data) or leaf_hash(data[start:end]) != told[n]):
                right = self._search(data, start, told[n])
                if right is not None:
                    end, reason = right, f"the length before entry {n} of it is wrong"
            if end > len(data):
                return entries, "it ends inside an entry"
            entries.append(data[start:end])
            position = end
        if len(entries) < width and data:
            reason = f"it has {len(entries)} entries, not {width}"
        return entries, reason

    def _search(self, data: bytes, start: int, wanted: bytes) -> int | None:
        """Where the entry that begins at *start* ends, if its bytes are as they were."""
        if not self._searches:
            return None
        self._searches -= 1
        running = sha256(b"\x00")
        for end in range(start, min(len(data), start + 65_535) + 1):
            if running.copy().digest() == wanted:
                return end
            running.update(data[end : end + 1])
        return None

    def _which(self, tile: Tile, mine: list[bytes], told: list[bytes], builder: TileBuilder) -> str:
        """Whether `entries` or `tile` was changed; "" when nothing tells."""
        above = self._hash_above(tile)
        if above is not None:
            by_entries, by_tile = root_of(mine) == above, root_of(told) == above
            if by_entries != by_tile:
                return "tile" if by_entries else "entries"
        first = tile.index * TILE_WIDTH
        for size in sorted(self._roots):
            if first < size <= first + tile.width:
                root = self._roots[size][0]
                by_entries = _root_with(builder, mine[: size - first]) == root
                by_tile = _root_with(builder, told[: size - first]) == root
                if by_entries != by_tile:
                    return "tile" if by_entries else "entries"
        return ""

    def _hash_above(self, tile: Tile) -> bytes | None:
        """What the tile of level 1 says of a full tile."""
        if tile.width < TILE_WIDTH:
            return None
        index, at = divmod(tile.index, TILE_WIDTH)
        above = Tile(1, index, min(TILE_WIDTH, self._size // TILE_WIDTH - index * TILE_WIDTH))
        if self._above is None or self._above[0] != above:
            try:
                self._above = above, self.log.read(above.path, BUNDLE_MAX)
            except (FileNotFoundError, ValueError):
                return None  # named where it is compared
        data = self._above[1]
        return data[32 * at : 32 * at + 32] if len(data) == 32 * above.width else None

    def _name_changed(
        self, tile: Tile, entries: Sequence[bytes], wrong: Sequence[int], *, decided: bool
    ) -> None:
        cause = "it was" if decided else "entry or tile was"
        for n in wrong[:_NAMED_A_BUNDLE]:
            index = self._number(tile, n)
            what, journal = _describe(entries[n])
            self._fail(
                "entry_changed",
                f"entry {index}{what} does not hash to its place in the tree: {cause} changed after"
                " it was recorded",
                leaf=index,
                journal=journal,
                path=tile.path,
            )
        if rest := wrong[_NAMED_A_BUNDLE:]:
            self._fail(
                "entry_changed",
                f"{len(rest)} more entries, from {self._number(tile, rest[0])} to"
                f" {self._number(tile, rest[-1])}, do not hash to their places in the tree",
                leaf=self._number(tile, rest[0]),
                path=tile.path,
            )

    def _name_unread(self, tile: Tile, found: Sequence[bytes], reason: str) -> None:
        """Entries that are not there. A file that is missing was named already: *reason* is ""."""
        first, last = self._number(tile, len(found)), self._number(tile, tile.width - 1)
        which = f"entries {first} to {last}" if first < last else f"entry {first}"
        if reason:
            self._fail(
                "malformed_tile", f"{reason}: {which} can't be read", leaf=first, path=tile.path
            )
        self.verdict.not_checked.append(f"what {which} said: the bytes are not here")

    def _number(self, tile: Tile, at: int) -> int:
        return self._base + tile.index * TILE_WIDTH + at

    def _end(self, tile: Tile) -> int:
        return tile.index * TILE_WIDTH + tile.width

    # --- tiles above, and roots -------------------------------------------------------------------

    def _compare(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        """Compare upper tiles that were built with the files; level 0 was compared with entries."""
        for tile, built in tiles:
            if tile.level == 0:
                continue
            data = self._read(tile)
            if data is None:
                continue
            if data == built:
                self._good.add(tile.path)
            elif len(data) != len(built):
                self._fail(
                    "malformed_tile",
                    f"the tile has {len(data)} bytes, not {len(built)}",
                    path=tile.path,
                )
            else:
                odd = [
                    n
                    for n in range(tile.width)
                    if data[32 * n : 32 * n + 32] != built[32 * n : 32 * n + 32]
                    and not any(self._overlaps(tile, n, *blind) for blind in self._blind)
                ]
                if odd:
                    self._odd.append((tile, odd))

    def _overlaps(self, tile: Tile, at: int, start: int, end: int) -> bool:
        """Whether a hash of an upper tile stands for any of the entries [start, end)."""
        span = 1 << (LEVEL_HEIGHT * tile.level)
        first = (tile.index * TILE_WIDTH + at) * span
        return first < end and start < first + span

    def _check_root(self, builder: TileBuilder, size: int) -> None:
        if self._blind:
            self._unseen.append(size)
            return
        right = builder.root() == self._roots[size][0]
        self._checked.append((size, right))
        if right:
            self.proven = size

    def _conclude(self) -> None:
        """Say which roots are wrong, and which tiles are, when it is they that are."""
        right = [size for size, good in self._checked if good]
        bad = [size for size, good in self._checked if not good]
        for size in (s for s in bad if s < self.proven):
            self._fail(
                "root_differs",
                f"the first {size} entries do not have the root that was signed here, though those of"
                " later checkpoints they have: keep this note, it was signed of another log",
                path=self._roots[size][1],
            )
        lasting = [size for size in bad if size > self.proven]
        changed: tuple[int, int] | None = None
        if lasting:
            changed = (max((s for s in right if s < lasting[0]), default=0), lasting[0])
            self._name_wrong_root(*changed)
            if later := len(lasting) - 1:
                self.verdict.not_checked.append(
                    f"the roots of {later} later checkpoint{'s' if later > 1 else ''}: they cover what"
                    " was changed"
                )
        if self._unseen:
            missing = sum(end - start for start, end in self._blind)
            self.verdict.not_checked.append(
                f"the roots of {len(self._unseen)} checkpoint{'s' if len(self._unseen) > 1 else ''} from"
                f" {self._unseen[0]} entries on: {missing} entries are here neither as bytes nor as hashes"
            )
        for tile, odd in self._odd:
            own = [n for n in odd if changed is None or not self._overlaps(tile, n, *changed)]
            if own:
                self._fail(
                    "tile_changed",
                    f"{_hashes(len(own))} not what its entries give; the entries are as signed"
                    if self.is_whole
                    else f"{_hashes(len(own))} not what its entries give",
                    path=tile.path,
                )

    def _name_wrong_root(self, below: int, size: int) -> None:
        start, end = below, size
        for tile, odd in self._odd:
            if tile.level == 1:  # the tile above remembers which bundle was another one
                spans = [(n + tile.index * TILE_WIDTH) * TILE_WIDTH for n in odd]
                inside = [s for s in spans if s + TILE_WIDTH > below and s < size]
                if inside:
                    start, end = max(start, inside[0]), min(end, inside[-1] + TILE_WIDTH)
        first, last = self._base + start, self._base + end - 1
        where = f"one of entries {first} to {last}" if first < last else f"entry {first}"
        self._fail(
            "root_differs",
            f"the first {size} entries do not have the root that was signed: {where} was"
            " changed, inserted or removed after it was recorded",
            path=self._roots[size][1],
        )

    # --- the rest of the directory ----------------------------------------------------------------

    def check_files(self) -> None:
        """Everything below `tile` must belong to the log; earlier partial tiles must be its prefixes."""
        size = self._size
        known = {tile.path for tile in hash_tiles_of(size)}
        known |= {tile.path for tile in level_tiles(ENTRIES, size)}
        skipped = 0
        for path in self.log.tiles():
            if path in known:
                continue
            try:
                tile = parse_tile_path(path)
            except MalformedTileError as error:
                self._fail("unexpected_file", f"it belongs to no log ({error})", path=path)
                continue
            now = size >> (LEVEL_HEIGHT * max(tile.level, 0))
            if tile == tile.whole or tile.index * TILE_WIDTH + tile.width > now:
                self._fail(
                    "unexpected_file", f"it is not part of a log of {size} entries", path=path
                )
                continue
            wanted = self._hashes_of(tile)
            if wanted is None:
                skipped += 1
            else:
                self._check_earlier(tile, wanted[: tile.width])
        if skipped:
            self.verdict.not_checked.append(
                f"{skipped} earlier partial tiles: what they have grown into is damaged"
            )

    def _hashes_of(self, tile: Tile) -> list[bytes] | None:
        """The proven hashes of what an earlier partial tile has grown into; None if they are not."""
        if not self.is_whole:
            return None
        level = max(tile.level, 0)
        edge = self._edge.get((level, tile.index))
        if edge is not None:
            return decode_hash_tile(edge, len(edge) // 32)
        if Tile(level, tile.index).path in self._good:
            return decode_hash_tile(self.log.read(Tile(level, tile.index).path), TILE_WIDTH)
        if level == 0 and Tile(ENTRIES, tile.index).path in self._good:
            bundle = self.log.read(Tile(ENTRIES, tile.index).path)
            return [leaf_hash(entry) for entry in decode_bundle(bundle, TILE_WIDTH)]
        return None

    def _check_earlier(self, tile: Tile, wanted: list[bytes]) -> None:
        """A partial tile that an earlier checkpoint needed."""
        data = self._read(tile)
        if data is None:
            return
        if tile.level != ENTRIES:
            if data != b"".join(wanted):
                self._fail(
                    "tile_changed",
                    "this earlier tile is not the beginning of what it grew into",
                    path=tile.path,
                )
            return
        found, reason = self._salvage(data, tile.width, wanted)
        wrong = [n for n, entry in enumerate(found) if leaf_hash(entry) != wanted[n]]
        if wrong or reason or len(found) < tile.width:
            entry = self._number(tile, wrong[0] if wrong else min(len(found), tile.width - 1))
            self._fail(
                "earlier_copy_changed",
                f"in this earlier, shorter copy of the bundle {reason or f'entry {entry} is another'};"
                " the bundle that the log has now is not touched by it",
                leaf=entry if wrong else None,
                path=tile.path,
            )

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self.log.read(tile.path, BUNDLE_MAX)
        except FileNotFoundError:
            self._fail("file_missing", "it is missing", path=tile.path)
        except ValueError as error:
            self._fail("unreadable_file", str(error), path=tile.path)
        return None

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


def _root_with(builder: TileBuilder, hashes: Sequence[bytes]) -> bytes:
    """The root that the tree would have with *hashes* appended."""
    tried = deepcopy(builder)
    tried.add(hashes)
    return tried.root()


def _hashes(count: int) -> str:
    return "one of its hashes is" if count == 1 else f"{count} of its hashes are"


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
