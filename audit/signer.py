"""
The log's signer: remembers the last tree it signed and signs nothing that does not continue it.

Its memory is its own file, outside the database and every backup: whoever restores, cuts or
rewrites the database cannot have two pasts signed. Several instances and processes may share it: a
file lock orders them. Losing the state file is fatal for the log's origin, and meant to be: the
signer does not begin again by itself, the log goes on as a new shard.

Before a note is returned it is durable in the state file. So whatever has left this process is
remembered, and whatever was remembered without leaving is offered again.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit.canonical import canonical, parse_canonical
from audit.checkpoint import FROZEN, Checkpoint, parse_checkpoint, sign_checkpoint
from audit.errors import (
    AuditError,
    ForkedCheckpointError,
    FrozenLogError,
    InvalidProofError,
    SignerStateError,
    SmallerCheckpointError,
    UnsafeKeyFileError,
)
from audit.keys import create_secret, fsync_directory, read_secret
from audit.merkle import EMPTY_ROOT, verify_consistency
from audit.note import Signer, parse_note

_VERSION = 1
_MEMBERS = {"note", "origin", "root", "size", "version"}


@dataclass(frozen=True, slots=True)
class SignerState:
    """The last checkpoint signed; `note` is None before the first."""

    origin: str
    size: int
    root: bytes
    note: bytes | None
    frozen: bool

    def to_bytes(self) -> bytes:
        """One line of canonical JSON."""
        value = {
            "note": None if self.note is None else self.note.decode(),
            "origin": self.origin,
            "root": self.root.hex(),
            "size": self.size,
            "version": _VERSION,
        }
        return canonical(value) + b"\n"


class MonotonicSigner:
    """
    Signs ever larger trees of one log.

    *keys* all bear the log's origin as name; with two of them (an old and a new one) every
    checkpoint carries both signatures. *fsync* and *rename* are arguments so that tests can fail
    them; give nothing.

    Every method raises SignerStateError when the state file is missing, damaged, open to others, or
    another log's.
    """

    def __init__(
        self,
        path: Path,
        keys: Sequence[Signer],
        *,
        fsync: Callable[[int], None] = os.fsync,
        rename: Callable[[Path, Path], None] = os.replace,
    ) -> None:
        if not keys or len({key.name for key in keys}) > 1:
            raise ValueError("a log is signed by one key or more, of one name")
        self.origin = keys[0].name
        self._keys = tuple(keys)
        self._path = path
        self._fsync = fsync
        self._rename = rename

    def begin(self) -> None:
        """Create the state of a log that has signed nothing. Once in the life of an origin."""
        state = SignerState(self.origin, 0, EMPTY_ROOT, None, frozen=False)
        with self._locked():
            try:
                create_secret(self._path, state.to_bytes(), fsync=self._fsync)
            except UnsafeKeyFileError as error:
                raise SignerStateError(str(self._path), error.reason) from error

    def last(self) -> SignerState:
        """What was signed last. It may not have been published: publish `note` again to be sure."""
        with self._locked():
            return self._read()

    def sign(self, size: int, root: bytes, proof: Sequence[bytes]) -> bytes:
        """
        The signed checkpoint of the tree (*size*, *root*), durable before it is returned.

        *proof* is the consistency proof from `last()`. The same tree again gives the same note. The
        first checkpoint needs no proof: every tree continues the empty one.

        Raises:
            SmallerCheckpointError: A smaller tree than the last one.
            ForkedCheckpointError: Another root of the same size, or a proof that does not hold.
            FrozenLogError: The log has ended.
        """
        with self._locked():
            state = self._read()
            if state.frozen:
                raise FrozenLogError(origin=self.origin, signed_size=state.size)
            if size < state.size:
                raise SmallerCheckpointError(signed_size=state.size, offered_size=size)
            try:
                verify_consistency(state.size, state.root, size, root, proof)
            except InvalidProofError as error:
                raise ForkedCheckpointError(
                    signed_size=state.size, offered_size=size, reason=error.reason
                ) from error
            if size == state.size and state.note is not None:
                return state.note
            return self._sign(Checkpoint(self.origin, size, root))

    def freeze(self, successor: str) -> bytes:
        """
        End the log: sign the last tree once more, with a line that names the shard that follows.

        Afterwards `sign` refuses for ever. Again with the same successor it gives the same note.

        Raises:
            FrozenLogError: Frozen already, for another successor.
            SignerStateError: Nothing was ever signed.
        """
        with self._locked():
            state = self._read()
            if state.note is None:
                raise SignerStateError(str(self._path), "nothing was signed yet")
            line = f"{FROZEN}continued by {successor}"
            last = Checkpoint(self.origin, state.size, state.root, (line,))
            if state.frozen:
                if parse_note(state.note).text != last.to_text():
                    raise FrozenLogError(origin=self.origin, signed_size=state.size)
                return state.note
            return self._sign(last)

    def _sign(self, checkpoint: Checkpoint) -> bytes:
        # Die before here: nothing happened.
        note = sign_checkpoint(checkpoint, self._keys)
        # Die here: a signature existed in memory only. Nobody has it; the old state stands.
        self._write(
            SignerState(
                self.origin, checkpoint.size, checkpoint.root, note, frozen=checkpoint.frozen
            )
        )
        # Die here: remembered, not published. The next `sign` of this tree returns this very note;
        # a larger tree needs a proof from it, which exists because the tree was committed before.
        return note

    def _write(self, state: SignerState) -> None:
        temporary = self._path.with_name(self._path.name + ".tmp")
        # Left by a process that died; under the lock it is nobody's.
        temporary.unlink(missing_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(state.to_bytes())
            file.flush()
            # Die before the next line has ended: a torn temporary file that nobody reads.
            self._fsync(handle)
        # Die here: a whole temporary file that nobody reads. The old state stands.
        self._rename(temporary, self._path)
        # Die here: after a crash of the machine the old or the new state stands, each whole. The
        # note has not been returned, so both are true.
        fsync_directory(self._path.parent, fsync=self._fsync)
        # From here on the new state stands, whatever dies.

    def _read(self) -> SignerState:
        try:
            data = read_secret(self._path)
        except FileNotFoundError as error:
            raise SignerStateError(str(self._path), "it is missing") from error
        except UnsafeKeyFileError as error:
            raise SignerStateError(str(self._path), error.reason) from error
        try:
            state = _parse_state(data)
        except (AuditError, ValueError) as error:
            raise SignerStateError(str(self._path), "it is damaged") from error
        if state.origin != self.origin:
            raise SignerStateError(str(self._path), f"it belongs to {state.origin}")
        return state

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: the state file is replaced by each write, and a lock on it with it.
        lock = self._path.with_name(self._path.name + ".lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise SignerStateError(str(lock), "the lock file cannot be opened") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)  # unlocks


def _parse_state(data: bytes) -> SignerState:
    """Read a state file; AuditError or ValueError when any byte is not as it was written."""
    if not data.endswith(b"\n"):
        raise ValueError("cut short")
    value = parse_canonical(data[:-1])
    if not isinstance(value, dict) or value.keys() != _MEMBERS or value["version"] != _VERSION:
        raise ValueError("other members")
    origin, size, root, text = value["origin"], value["size"], value["root"], value["note"]
    if not isinstance(origin, str) or type(size) is not int or not isinstance(root, str):
        raise ValueError("other types")
    if text is None:
        state = SignerState(origin, size, bytes.fromhex(root), None, frozen=False)
        if (state.size, state.root) != (0, EMPTY_ROOT):
            raise ValueError("a tree without a note")
    else:
        if not isinstance(text, str):
            raise ValueError("other types")
        note = text.encode()
        # The note says it all once more; where the two differ, neither is believed.
        signed = parse_checkpoint(parse_note(note).text, extensions=True)
        state = SignerState(origin, size, bytes.fromhex(root), note, frozen=signed.frozen)
        if (signed.origin, signed.size, signed.root) != (state.origin, state.size, state.root):
            raise ValueError("the note says otherwise")
    if state.to_bytes() != data:
        raise ValueError("another spelling")
    return state
