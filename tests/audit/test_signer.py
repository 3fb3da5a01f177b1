"""The monotonic signer: what it refuses, and the world after dying at each step."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import open_checkpoint
from audit.errors import (
    ForkedCheckpointError,
    FrozenLogError,
    MalformedCheckpointError,
    SignerStateError,
    SmallerCheckpointError,
)
from audit.merkle import EMPTY_ROOT, consistency_proof, leaf_hash, root_of, subtrees_of
from audit.note import Ed25519Signer
from audit.signer import MonotonicSigner

ORIGIN = "rkud.example/36"
LEAVES = [leaf_hash(bytes([i])) for i in range(64)]
FORK = [leaf_hash(b"fork"), *LEAVES[1:]]
ROOTS = [root_of(LEAVES[:size]) for size in range(65)]


def key(seed: int, name: str = ORIGIN) -> Ed25519Signer:
    """A key that is the same in each run."""
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


LOG = key(1)


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    """The consistency proof between two sizes."""
    return consistency_proof(old, new, subtrees_of(leaves))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A signer's state file that has begun."""
    MonotonicSigner(tmp_path / "signer", [LOG]).begin()
    return tmp_path / "signer"


def signed_to(path: Path, size: int) -> MonotonicSigner:
    """A signer that has signed *size*."""
    signer = MonotonicSigner(path, [LOG])
    signer.sign(size, ROOTS[size], proof(0, size))
    return signer


def test_signer_signs_growing_trees_and_remembers_the_last(path: Path) -> None:
    """Each size with its proof is signed, and the state is what left last, for a new instance too."""
    last = 0
    for size in (0, 1, 1, 2, 7, 8, 33, 64):
        note = MonotonicSigner(path, [LOG]).sign(size, ROOTS[size], proof(last, size))
        last = size
        checkpoint = open_checkpoint(note, [LOG.verifier]).checkpoint
        state = MonotonicSigner(path, [LOG]).last()

        assert (ORIGIN, size, ROOTS[size]) == (
            checkpoint.origin,
            checkpoint.size,
            checkpoint.root,
        )
        assert (size, ROOTS[size], note) == (state.size, state.root, state.note)


def test_signer_that_begins_remembers_the_empty_tree(path: Path) -> None:
    """Before the first signature there is no note."""
    state = MonotonicSigner(path, [LOG]).last()

    assert (0, EMPTY_ROOT, None, False) == (state.size, state.root, state.note, state.frozen)
    assert 0o600 == path.stat().st_mode & 0o777


def test_signer_asked_again_gives_the_same_note_without_writing(path: Path) -> None:
    """The same tree is the same note, byte for byte, also when a key was added meanwhile."""
    signer = signed_to(path, 7)
    note, stat = signer.last().note, path.stat()

    assert note == signer.sign(7, ROOTS[7], [])
    assert note == MonotonicSigner(path, [key(2), LOG]).sign(7, ROOTS[7], [])
    assert stat.st_ino == path.stat().st_ino


def test_signer_offered_a_smaller_tree_refuses(path: Path) -> None:
    """A restored database is behind its signer, and nothing of it is signed."""
    signer = signed_to(path, 7)
    for size in (6, 1, 0, -1):
        with pytest.raises(SmallerCheckpointError) as refused:
            signer.sign(size, ROOTS[max(size, 0)], [])

        assert (7, size) == (refused.value.signed_size, refused.value.offered_size)
    assert 7 == signer.last().size


@pytest.mark.parametrize(
    ("size", "root", "hashes"),
    [
        (7, root_of(FORK[:7]), []),
        (7, ROOTS[8], []),
        (7, ROOTS[7], [ROOTS[7]]),
        (8, ROOTS[8], []),
        (8, ROOTS[8], proof(7, 8)[:-1]),
        (8, ROOTS[8], proof(6, 8)),
        (8, root_of(FORK[:8]), proof(7, 8, FORK)),
        (8, root_of(FORK[:8]), proof(7, 8)),
        (9, ROOTS[8], proof(7, 8)),
        (8, ROOTS[8][:31], proof(7, 8)),
    ],
)
def test_signer_offered_another_past_refuses(
    path: Path, size: int, root: bytes, hashes: list[bytes]
) -> None:
    """Another root, a rewritten log, a missing or a false proof: nothing is signed or changed."""
    signer = signed_to(path, 7)
    before = path.read_bytes()

    with pytest.raises(ForkedCheckpointError) as refused:
        signer.sign(size, root, hashes)

    assert (7, size) == (refused.value.signed_size, refused.value.offered_size)
    assert before == path.read_bytes()


def test_signer_offered_a_root_of_another_length_refuses(path: Path) -> None:
    """Also the first time, when no proof is asked for."""
    with pytest.raises((ForkedCheckpointError, MalformedCheckpointError)):
        MonotonicSigner(path, [LOG]).sign(3, bytes(31), [])
    with pytest.raises(ForkedCheckpointError):
        MonotonicSigner(path, [LOG]).sign(0, bytes(32), [])


def test_signer_with_two_keys_signs_with_both(path: Path) -> None:
    """During a rotation each new checkpoint carries the old and the new key's line."""
    signed_to(path, 7)
    new = key(2)
    note = MonotonicSigner(path, [LOG, new]).sign(8, ROOTS[8], proof(7, 8))

    assert (LOG.verifier, new.verifier) == open_checkpoint(
        note, [LOG.verifier, new.verifier]
    ).log_keys
    note = MonotonicSigner(path, [new]).sign(9, ROOTS[9], proof(8, 9))
    assert (new.verifier,) == open_checkpoint(note, [new.verifier]).log_keys


@pytest.mark.parametrize("keys", [[], [LOG, key(2, "rkud.example/37")]])
def test_signer_without_keys_of_one_log_is_a_mistake(path: Path, keys: list[Ed25519Signer]) -> None:
    """A signer belongs to one log."""
    with pytest.raises(ValueError, match="one name"):
        MonotonicSigner(path, keys)


def test_signer_frozen_signs_no_more(path: Path) -> None:
    """The last tree is signed once more with the successor's name, the same each time; then never."""
    signer = signed_to(path, 7)
    note = signer.freeze(f"{ORIGIN}/2")
    checkpoint = open_checkpoint(note, [LOG.verifier], extensions=True).checkpoint

    assert (7, ROOTS[7]) == (checkpoint.size, checkpoint.root)
    assert (f"Log frozen -- continued by {ORIGIN}/2",) == checkpoint.extensions
    assert note == MonotonicSigner(path, [LOG]).freeze(f"{ORIGIN}/2")
    assert signer.last().frozen
    for size in (7, 8):
        with pytest.raises(FrozenLogError) as refused:
            signer.sign(size, ROOTS[size], proof(7, size))
        assert 7 == refused.value.signed_size
    with pytest.raises(FrozenLogError):
        signer.freeze(f"{ORIGIN}/3")


def test_signer_that_has_signed_nothing_is_not_frozen(path: Path) -> None:
    """There is no last checkpoint to repeat."""
    with pytest.raises(SignerStateError, match="nothing"):
        MonotonicSigner(path, [LOG]).freeze(f"{ORIGIN}/2")


def test_signer_does_not_begin_twice(path: Path) -> None:
    """Beginning again would forget."""
    signer = signed_to(path, 7)

    with pytest.raises(SignerStateError, match="already"):
        signer.begin()
    assert 7 == signer.last().size


def test_signer_without_its_state_refuses(tmp_path: Path) -> None:
    """A lost memory is not taken for an empty one, and reading makes no state file."""
    signer = MonotonicSigner(tmp_path / "signer", [LOG])
    for act in (signer.last, lambda: signer.sign(1, ROOTS[1], []), lambda: signer.freeze("x")):
        with pytest.raises(SignerStateError, match="missing"):
            act()

    assert not (tmp_path / "signer").exists()


def test_signer_of_another_log_refuses(path: Path) -> None:
    """A state file copied from a neighbour is not believed."""
    signed_to(path, 7)

    with pytest.raises(SignerStateError, match=f"belongs to {ORIGIN}"):
        MonotonicSigner(path, [key(1, "rkud.example/37")]).last()


def test_signer_whose_state_others_can_read_refuses(path: Path) -> None:
    """A state that others can write is nobody's memory."""
    path.chmod(0o660)

    with pytest.raises(SignerStateError, match="0660"):
        MonotonicSigner(path, [LOG]).last()


def test_signer_whose_state_is_changed_anywhere_refuses(path: Path) -> None:
    """Each byte of the state counts, but for the bytes of signatures, which others verify."""
    signed_to(path, 7)
    whole = path.read_bytes()
    free = whole.index(b"\xe2\x80\x94"), whole.index(b'\\n","origin"')
    for at in [*range(free[0]), *range(free[1], len(whole))]:
        data = bytearray(whole)
        data[at] ^= 1
        path.write_bytes(data)
        with pytest.raises(SignerStateError):
            MonotonicSigner(path, [LOG]).sign(8, ROOTS[8], proof(7, 8))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"{",
        b"\xff\n",
        b'{"note":null,"origin":"rkud.example/36","root":"%s","size":7,"version":1}\n'
        % ROOTS[7].hex().encode(),
        b'{"note":null,"origin":"rkud.example/36","root":"%s","size":false,"version":1}\n'
        % EMPTY_ROOT.hex().encode(),
        b'{"note":1,"origin":"rkud.example/36","root":"","size":0,"version":1}\n',
        b'{"note":null,"origin":1,"root":"","size":0,"version":1}\n',
        b'{"note":null,"origin":"rkud.example/36","root":"zz","size":0,"version":1}\n',
        b'{"note":null,"origin":"rkud.example/36","root":"%s","size":0,"version":2}\n'
        % EMPTY_ROOT.hex().encode(),
    ],
)
def test_signer_whose_state_is_damaged_refuses(path: Path, data: bytes) -> None:
    """An empty, cut, or wrong file stops the signer; a person must look."""
    path.write_bytes(data)

    with pytest.raises(SignerStateError, match="damaged"):
        MonotonicSigner(path, [LOG]).last()


def test_signer_whose_state_is_cut_at_any_byte_refuses(path: Path) -> None:
    """No prefix of a state is a state."""
    signed_to(path, 7)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(SignerStateError):
            MonotonicSigner(path, [LOG]).last()


class Died(BaseException):
    """The process ends here."""


class Dying:
    """File operations that die at the nth call; each call is counted over both kinds."""

    def __init__(self, at: int, *, done: bool) -> None:
        self.at, self.done, self.calls = at, done, 0

    def _step(self, act: Callable[[], object]) -> None:
        self.calls += 1
        if self.calls == self.at and not self.done:
            raise Died
        act()
        if self.calls == self.at:
            raise Died

    def fsync(self, handle: int) -> None:
        self._step(lambda: os.fsync(handle))

    def rename(self, source: Path, target: Path) -> None:
        self._step(lambda: source.replace(target))


@pytest.mark.parametrize(
    ("at", "done", "new"),
    [
        (1, False, False),  # before the temporary file is durable
        (1, True, False),  # the temporary file is durable
        (2, False, False),  # before the rename
        (2, True, True),  # renamed, the directory is not durable
        (3, False, True),
        (3, True, True),  # all durable, the note not returned
    ],
)
def test_signer_dying_at_a_step_leaves_the_old_or_the_new_state(
    path: Path, at: int, done: bool, new: bool
) -> None:
    """Wherever it dies, the state is whole, no note has left, and the next signer goes on from it."""
    first = signed_to(path, 7).last()
    dying = Dying(at, done=done)

    with pytest.raises(Died):
        MonotonicSigner(path, [LOG], fsync=dying.fsync, rename=dying.rename).sign(
            8, ROOTS[8], proof(7, 8)
        )

    state = MonotonicSigner(path, [LOG]).last()
    assert (8 if new else 7) == state.size
    assert new or first == state
    # A fork at the size that may have been signed is refused once it was remembered.
    fork = root_of([*LEAVES[:7], FORK[0]])
    if new:
        with pytest.raises(ForkedCheckpointError):
            MonotonicSigner(path, [LOG]).sign(8, fork, proof(7, 8, [*LEAVES[:7], FORK[0]]))
    note = MonotonicSigner(path, [LOG]).sign(8, ROOTS[8], proof(state.size, 8))
    assert 8 == open_checkpoint(note, [LOG.verifier]).checkpoint.size
    assert not new or note == state.note
    MonotonicSigner(path, [LOG]).sign(9, ROOTS[9], proof(8, 9))


def test_signer_takes_three_durable_steps(path: Path) -> None:
    """The table above has every step: file, rename, directory, in that order."""
    steps: list[str] = []

    def fsync(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def rename(source: Path, target: Path) -> None:
        steps.append("rename")
        source.replace(target)

    MonotonicSigner(path, [LOG], fsync=fsync, rename=rename).sign(7, ROOTS[7], [])

    assert ["file", "rename", "directory"] == steps


def test_signer_whose_disk_fails_returns_no_note_and_goes_on_later(path: Path) -> None:
    """An error of the disk is the caller's to see; the lock is released and the past kept."""
    signed_to(path, 7)

    def fail(_: int) -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        MonotonicSigner(path, [LOG], fsync=fail).sign(8, ROOTS[8], proof(7, 8))
    assert 7 == MonotonicSigner(path, [LOG]).last().size
    MonotonicSigner(path, [LOG]).sign(8, ROOTS[8], proof(7, 8))


def test_signer_raced_for_one_size_signs_one_root(path: Path) -> None:
    """Two databases that went apart, many threads: one root of a size leaves, the other never."""
    notes: list[bytes] = []
    refused: list[ForkedCheckpointError] = []
    start = threading.Barrier(8)

    def race(leaves: list[bytes]) -> None:
        start.wait()
        try:
            notes.append(MonotonicSigner(path, [LOG]).sign(8, root_of(leaves[:8]), []))
        except ForkedCheckpointError as error:
            refused.append(error)

    threads = [threading.Thread(target=race, args=(leaves,)) for leaves in [LEAVES, FORK] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (4, 4) == (len(notes), len(refused))
    assert 1 == len(set(notes))


def test_signer_waits_while_another_holds_the_lock(path: Path) -> None:
    """Reading, checking and writing are one step to every other process."""
    inside, leave, done = threading.Event(), threading.Event(), threading.Event()

    def slow(handle: int) -> None:
        inside.set()
        leave.wait(10)
        os.fsync(handle)

    def second() -> None:
        MonotonicSigner(path, [LOG]).last()
        done.set()

    first = threading.Thread(
        target=lambda: MonotonicSigner(path, [LOG], fsync=slow).sign(7, ROOTS[7], [])
    )
    first.start()
    assert inside.wait(10)
    other = threading.Thread(target=second)
    other.start()
    assert not done.wait(0.2)
    leave.set()
    first.join()
    other.join()

    assert done.is_set()
    assert 7 == MonotonicSigner(path, [LOG]).last().size
