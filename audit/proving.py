"""
One entry with its proof (C2SP tlog-proof), from an export or from anything that serves tiles.

Three files side by side: `X.tlog-proof`, the entry's bytes `X.tlog-proof.leaf`, and, where private
values were disclosed, `X.tlog-proof.disclosures.jsonl`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.checkpoint import parse_checkpoint
from audit.directory import NOTE_MAX, LogDirectory
from audit.disclosure import Disclosure
from audit.errors import InvalidProofError
from audit.merkle import inclusion_proof, leaf_hash, verify_inclusion
from audit.note import parse_note
from audit.proof import Proof
from audit.tiles import TileReader

__all__ = ["Proven", "prove_entry", "prove_from_export"]


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry, its proof, and what was disclosed of it."""

    proof: Proof
    entry: bytes
    disclosures: Sequence[Disclosure] = ()

    def write(self, path: Path) -> list[Path]:
        """Write the files; FileExistsError when one is there. Mode 0600."""
        files = [(path, self.proof.to_bytes()), (_beside(path, ".leaf"), self.entry)]
        if self.disclosures:
            lines = b"".join(one.to_line() for one in self.disclosures)
            files.append((_beside(path, ".disclosures.jsonl"), lines))
        for name, data in files:
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        return [name for name, _ in files]


def prove_entry(
    tiles: TileReader, note: bytes, index: int, disclosures: Sequence[Disclosure] = ()
) -> Proven:
    """
    The proof of entry *index* under the checkpoint *note*, whose size is that of *tiles*.

    Raises:
        InvalidProofError: No such entry, or the tiles do not lead to the checkpoint's root.
    """
    tree = parse_checkpoint(parse_note(note).text, extensions=True)
    if not 0 <= index < tree.size:
        raise InvalidProofError(f"no entry {index} in a log of {tree.size}")
    entry = tiles.entry(index)
    hashes = inclusion_proof(index, tree.size, tiles.subtree)
    verify_inclusion(leaf_hash(entry), index, tree.size, hashes, tree.root)
    return Proven(Proof(index, tuple(hashes), note), entry, disclosures)


def prove_from_export(log: LogDirectory, index: int) -> Proven:
    """The proof of one entry of an export, under its last checkpoint."""
    note = log.read("checkpoint", NOTE_MAX)
    size = parse_checkpoint(parse_note(note).text, extensions=True).size
    return prove_entry(TileReader(log.read, size), note, index)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
