"""
Hold the private values that came along (`disclosures.jsonl`) against what the leaves commit to.

Pure but for reading that file. What was erased or not given is listed; only a value that is not what
was committed is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from audit.directory import LogDirectory
from audit.disclosure import parse_disclosure_line, verify_disclosure
from audit.errors import AuditError
from audit.replay_journals import Journals
from audit.verdict import Verdict

__all__ = ["compare_disclosures"]

_PATH = "disclosures.jsonl"


def compare_disclosures(
    log: LogDirectory,
    verdict: Verdict,
    fail: Callable[..., None],
    journals: Journals,
    *,
    erased: Collection[str],
    given: bool,
) -> None:
    """*erased* are commitments (hex) whose values were erased; *given*: whether any came along."""
    if not given:
        if journals.commitments:
            verdict.not_checked.append(
                f"{journals.commitments} private values (names, descriptions): none was disclosed;"
                f" {len(erased)} of them were erased"
            )
        return
    opened: set[bytes] = set()
    stray = 0
    for number, line in enumerate(log.lines(_PATH), start=1):
        try:
            one = parse_disclosure_line(line, line=number)
            verify_disclosure(one, line=number)
        except AuditError as error:
            fail(error.code, str(error), path=_PATH)
            continue
        key = bytes.fromhex(one.commitment)
        opened.add(key)
        stray += key not in journals.committed
    known = len(journals.committed)
    missing = journals.committed - opened
    gone = {key for key in missing if key.hex() in erased}
    verdict.figures |= {"commitments": known, "disclosed": len(opened & journals.committed)}
    verdict.proven.append(
        f"{len(opened & journals.committed)} of {known} private values were disclosed, and each is"
        " what the log committed to"
    )
    if gone:
        verdict.not_checked.append(
            f"{len(gone)} private values were erased by decision (the log says when and by whom)"
        )
    if rest := sorted(key.hex() for key in missing - gone):
        shown = ", ".join(f"{text[:16]}..." for text in rest[:5])
        verdict.not_checked.append(
            f"{len(rest)} private values were not disclosed and not erased: {shown}"
        )
    if stray:
        verdict.not_checked.append(f"{stray} disclosures of values that no leaf here commits to")
