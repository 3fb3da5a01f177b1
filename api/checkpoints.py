"""
The checkpoint job: at most a second after an act, a signed checkpoint covers it.

One thread a process, woken by commits. It never stands in the way of posting: a checkpoint that
can't be signed is logged, counted and shown by /readyz, and tried again. One thing does stop posting: a
database that is behind what was signed (D11), because going on would need a second past.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from api import metrics
from api.clock import Clock
from api.engine import begin, reading
from api.errors import LogKeyMissingError
from api.logs import log
from audit.checkpoints import Sealed, check_not_behind, seal
from audit.errors import AuditError, DatabaseBehindSignerError, LogDamagedError, WrongOriginError
from audit.keys import generate_log_key, load_log_key, save_log_key
from audit.note import Ed25519Signer
from audit.signer import MonotonicSigner
from audit.tiles_shell import read_tree

__all__ = [
    "CheckpointJob",
    "log_key_path",
    "log_keys_of",
    "make_signer",
    "seal_book",
    "signer_for",
    "signer_state_path",
]

_RETRY_SECONDS: Final = 1.0


def log_key_path(keys: Path, government: str, shard: int = 1) -> Path:
    """Where the key of a government's log lies; a log that was recovered goes on as shard 2, 3 ..."""
    return keys / f"log-{_named(government, shard)}.key"


def signer_state_path(keys: Path, government: str, shard: int = 1) -> Path:
    """Where the signer of a shard remembers what it signed."""
    return keys / f"signer-{_named(government, shard)}.json"


def _named(government: str, shard: int) -> str:
    return government if shard == 1 else f"{government}@{shard}"


def log_keys_of(keys: Path, government: str) -> list[Ed25519Signer]:
    """The keys of all shards of a government's log, in their order. Raises LogKeyMissingError."""
    found = []
    for shard in count(1):
        try:
            found.append(load_log_key(log_key_path(keys, government, shard)))
        except FileNotFoundError:
            break
    if not found:
        raise LogKeyMissingError(government=government)
    return found


def signer_for(keys: Path, government: str, origin: str = "") -> MonotonicSigner:
    """The signer of the shard *origin* (default: the first). Raises LogKeyMissingError, AuditError."""
    for shard, key in enumerate(log_keys_of(keys, government), start=1):
        if origin in ("", key.name):
            return MonotonicSigner(signer_state_path(keys, government, shard), [key])
    raise LogKeyMissingError(government=government)


def make_signer(keys: Path, government: str, origin: str, shard: int) -> MonotonicSigner:
    """Key and signer of a shard that has signed nothing, or those of a try that did not end."""
    path = log_key_path(keys, government, shard)
    if not path.exists():
        save_log_key(path, generate_log_key(origin))
    state = signer_state_path(keys, government, shard)
    signer = MonotonicSigner(state, [load_log_key(path)])
    if not state.exists():
        signer.begin()
    return signer


def seal_book(engine: Engine, keys: Path, government: str, *, now: datetime) -> Sealed:
    """
    Sign and publish what is committed, in a transaction of its own.

    Raises:
        LogKeyMissingError, AuditError: It could not be signed; nothing else depends on it.
    """
    with reading(engine) as conn:
        origin = read_tree(conn, government).origin
    signer = signer_for(keys, government, origin)
    with begin(engine) as conn:
        # Die in here: the signer may remember a note that nobody has; the next seal publishes it.
        return seal(conn, government, signer, now=now)


@dataclass(slots=True)
class _State:
    """Of one government; belongs to the job's lock."""

    since: float | None = None
    error: str = ""
    checked: bool = False
    behind: AuditError | None = None
    looked_at: float = 0.0


class CheckpointJob:
    """Seals what was committed. `committed` and `refuses` are called by writers."""

    def __init__(
        self,
        engine: Engine,
        keys: Path,
        *,
        clock: Clock,
        pause: float = 0.5,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._clock = clock
        self._pause = pause
        self._ticks = ticks
        self._states: dict[str, _State] = {}
        self._stopping = False
        self._work = threading.Condition()
        self._thread: threading.Thread | None = None

    def committed(self, government: str) -> None:
        """Acts of a government became durable: seal them soon."""
        with self._work:
            state = self._states.setdefault(government, _State())
            if state.since is None:
                state.since = self._ticks()
                if self._thread is None and not self._stopping:
                    self._thread = threading.Thread(
                        target=self._run, name="checkpoints", daemon=True
                    )
                    self._thread.start()
                self._work.notify()

    def refuses(self, government: str) -> AuditError | None:
        """Why nothing may be written now: the database is behind what was signed. Else None."""
        with self._work:
            state = self._states.setdefault(government, _State())
            fresh = state.checked and (
                state.behind is None or self._ticks() - state.looked_at < _RETRY_SECONDS
            )
            if fresh:
                return state.behind
        behind = self._behind(government)
        with self._work:
            state.checked, state.behind, state.looked_at = True, behind, self._ticks()
        return behind

    def trouble(self) -> dict[str, str]:
        """Governments whose last checkpoint could not be signed, with the code of the reason."""
        with self._work:
            return {code: state.error for code, state in self._states.items() if state.error}

    def stop(self) -> None:
        """Seal what is open, then end."""
        with self._work:
            self._stopping = True
            self._work.notify()
            thread = self._thread
        if thread is not None:
            thread.join(30)

    def seal_now(self, government: str) -> bool:
        """Sign the tree as it stands. False, with the reason kept for /readyz, when that failed."""
        try:
            self._seal(government)
        except Exception as error:  # posting must not depend on this
            code = str(getattr(error, "code", "") or type(error).__name__)
            log.error(
                "checkpoint.failed", government=government, error=type(error).__name__, code=code
            )
            metrics.CHECKPOINT_FAILURES.labels(government, code).inc()
            with self._work:
                state = self._states.setdefault(government, _State())
                state.error = code
                if isinstance(error, DatabaseBehindSignerError | LogDamagedError):
                    state.checked, state.behind, state.looked_at = True, error, self._ticks()
            return False
        with self._work:
            self._states.setdefault(government, _State()).error = ""
        return True

    def _run(self) -> None:
        while True:
            with self._work:
                while not (due := self._due()) and not self._stopping:
                    self._work.wait(self._nap())
                if not due and self._stopping:
                    return
                for government in due:
                    self._states[government].since = None
            for government in due:
                if not self.seal_now(government):
                    with self._work:
                        state = self._states[government]
                        if not self._stopping and state.since is None:
                            state.since = self._ticks() + _RETRY_SECONDS

    def _due(self) -> list[str]:
        now = self._ticks()
        waiting = []
        for government, state in self._states.items():
            lag = 0.0 if state.since is None else max(now - state.since, 0.0)
            metrics.CHECKPOINT_LAG.labels(government).set(lag)
            if state.since is not None and (lag >= self._pause or self._stopping):
                waiting.append(government)
        return waiting

    def _nap(self) -> float | None:
        open_since = [state.since for state in self._states.values() if state.since is not None]
        if not open_since:
            return None
        return max(min(open_since) + self._pause - self._ticks(), 0.001)

    def _seal(self, government: str) -> None:
        if seal_book(self._engine, self._keys, government, now=self._clock()).fresh:
            metrics.CHECKPOINTS.labels(government).inc()

    def _behind(self, government: str) -> AuditError | None:
        try:
            with reading(self._engine) as conn:
                origin = read_tree(conn, government).origin
                signed = signer_for(self._keys, government, origin).last()
                check_not_behind(conn, government, signed)
        except (DatabaseBehindSignerError, LogDamagedError, WrongOriginError) as error:
            log.error("log.behind_signer", government=government, error=type(error).__name__)
            return error
        except (AuditError, LogKeyMissingError):
            return None  # no signer here: sealing says so, and /readyz shows it
        return None
