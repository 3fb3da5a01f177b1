"""
Import journals from a file of JSON lines: batches through `post_batch`, memory flat.

The next batch is read while the database writes the last one. Every batch is a transaction, and
journals are known by their reference, so an import that was killed is just run again. Refusals name
file, line, field and rule.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from api.checkpoints import CheckpointJob
from api.clock import Clock, system_clock
from api.committer import Committer, Failed, Outcome
from api.errors import ApiError, DatabaseRefusedError, InternalError
from api.settings import Settings
from ledger.commands import PostJournal
from ledger.errors import InvalidFieldError, LedgerError, shown
from ledger.journals import parse_body
from ledger.posting import Accepted

__all__ = ["Done", "FileUnreadableError", "Import", "Refusal", "show_progress"]

#: The longest line: 10,000 lines of a journal fit many times over.
LINE_BYTES_MAX: Final = 16 * 1024 * 1024
#: Refusals that are kept to be listed; all are counted.
LISTED_MAX: Final = 1_000


class FileUnreadableError(ApiError):
    """The file can't be opened or read."""

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", path=path, reason=reason)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not posted, and why. `line` is 1-based."""

    file: str
    line: int
    reference: str
    error: Exception

    def as_json(self) -> dict[str, object]:
        """For programs: the error's code, message and values."""
        values = getattr(self.error, "values", {})
        return {
            "file": self.file,
            "line": self.line,
            "reference": self.reference,
            "error": str(getattr(self.error, "code", type(self.error).__name__)),
            "message": str(getattr(self.error, "message", self.error)),
            **{k: v for k, v in values.items() if k not in ("file", "line", "error", "message")},
        }

    def text(self) -> str:
        """`file:line: code: message`."""
        code = getattr(self.error, "code", type(self.error).__name__)
        reference = f" {self.reference}:" if self.reference else ""
        return f"{self.file}:{self.line}:{reference} {code}: {self.error}"


@dataclass(slots=True)
class Done:
    """What an import did."""

    posted: int = 0
    replayed: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether the file held no journal at all."""
        return not (self.posted or self.replayed or self.refused)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A batch as it was cut from the file: journals with their line, or why a line is none."""

    lines: list[tuple[int, PostJournal | LedgerError]]
    offset: int


#: What is read behind the last batch.
_END: Final = _Cut([], 0)


class Import:
    """One import into the book of *government* in the name of *by*."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        government: str,
        *,
        by: str,
        batch_size: int = 1000,
        go_on: bool = False,
        clock: Clock = system_clock,
    ) -> None:
        self._engine = engine
        self._government = government
        self._by = by
        self._batch_size = batch_size
        self._go_on = go_on
        self._committer = Committer(
            engine, government, clock=clock, meanwhile=lambda _: self._read_ahead()
        )
        self._checkpoints = CheckpointJob(engine, settings.keys(), clock=clock)
        self._source: Iterator[_Cut] = iter(())
        self._ahead: _Cut | Exception | None = None

    def run(self, path: Path, moved: Callable[[int, int], None] = lambda _offset, _n: None) -> Done:
        """
        Import the file; *moved* hears the bytes read and journals posted.

        Raises:
            FileUnreadableError: It can't be read.
            AuditError: The database is behind what was signed; nothing may be written.
            ApiError: The database went away; what was committed stays, run the import again.
        """
        if (refusal := self._checkpoints.refuses(self._government)) is not None:
            raise refusal
        started = time.perf_counter()
        done = Done()
        try:
            with closing(self._cuts(path)) as self._source:
                while (cut := self._next()) is not None:
                    self._post(path, cut, done)
                    moved(cut.offset, done.posted + done.replayed)
                    if done.refused and not self._go_on:
                        break
        finally:
            self._checkpoints.stop()
        done.seconds = time.perf_counter() - started
        return done

    # --- the file --------------------------------------------------------------------------------

    def _read_ahead(self) -> None:
        """Read the next batch now; what goes wrong is told when its turn comes."""
        if self._ahead is None:
            try:
                self._ahead = next(self._source, _END)
            except Exception as error:  # never into the batch that is being written
                self._ahead = error

    def _next(self) -> _Cut | None:
        self._read_ahead()
        ahead, self._ahead = self._ahead, None
        if isinstance(ahead, Exception):
            raise ahead
        return ahead if ahead is not _END else None

    def _cuts(self, path: Path) -> Generator[_Cut, None, None]:
        try:
            yield from self._lines(path)
        except OSError as error:
            reason = error.strerror or "unreadable"
            raise FileUnreadableError(path=str(path), reason=reason) from None

    def _lines(self, path: Path) -> Iterator[_Cut]:
        lines: list[tuple[int, PostJournal | LedgerError]] = []
        offset = 0
        with path.open("rb") as file:
            number = 0
            while data := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                offset += len(data)
                if len(data) > LINE_BYTES_MAX:
                    rule = f"has at most {LINE_BYTES_MAX} bytes"
                    lines.append((number, InvalidFieldError("line", rule, "")))
                    while data and not data.endswith(b"\n"):
                        data = file.readline(LINE_BYTES_MAX)
                        offset += len(data)
                elif data.strip():
                    try:
                        journal = PostJournal(self._by, parse_body(data, line=number))
                        journal.read()
                        lines.append((number, journal))
                    except LedgerError as refusal:
                        lines.append((number, refusal))
                if len(lines) >= self._batch_size:
                    yield _Cut(lines, offset)
                    lines = []
        if lines:
            yield _Cut(lines, offset)

    # --- the books -------------------------------------------------------------------------------

    def _post(self, path: Path, cut: _Cut, done: Done) -> None:
        """Post a batch. Without `--continue`, nothing behind the first refusal is posted."""
        lines = cut.lines
        if not self._go_on:
            bad = next(
                (n for n, (_, read) in enumerate(lines) if isinstance(read, LedgerError)), None
            )
            lines = lines if bad is None else lines[: bad + 1]
        outcomes = iter(self._put([read for _, read in lines if isinstance(read, PostJournal)]))
        for number, read in lines:
            if isinstance(read, LedgerError):
                self._refused(path, number, "", read, done)
                continue
            outcome = next(outcomes, None)
            if outcome is None:
                return
            if isinstance(outcome, Accepted):
                if b'"replayed":true' in outcome.answer:
                    done.replayed += 1
                else:
                    done.posted += 1
            else:
                self._refused(path, number, read.body.reference, outcome.error, done)

    def _refused(
        self, path: Path, number: int, reference: str, error: Exception, done: Done
    ) -> None:
        done.refused += 1
        if len(done.refusals) < LISTED_MAX:
            done.refusals.append(Refusal(str(path), number, str(shown(reference)), error))

    def _put(self, commands: list[PostJournal]) -> list[Outcome]:
        if not commands:
            return []
        post = self._committer.post if self._go_on else self._committer.post_until_refused
        outcomes = post(commands)
        self._checkpoints.committed(self._government)
        for outcome in outcomes:
            # Not a refusal of a line: the database is away. What was committed stays.
            if isinstance(outcome, Failed) and not isinstance(
                outcome.error, DatabaseRefusedError | InternalError
            ):
                raise outcome.error
        return outcomes


@contextmanager
def show_progress(path: Path, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, otherwise nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda _offset, _n: None
        return
    from rich.console import Console  # noqa: PLC0415  # slow to load, and rarely needed
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    bar = Progress(
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.fields[journals]} journals"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("", total=max(path.stat().st_size, 1), journals=0)
        yield lambda offset, n: bar.update(task, completed=offset, journals=n)
