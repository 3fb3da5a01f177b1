"""What the audit floor promises about itself: its face, its errors, its independence."""

import inspect
import subprocess
import sys

import audit
from audit import errors
from audit.errors import AuditError


def test_face_imports_no_database_and_no_file_lock() -> None:
    """An inspector's laptop needs the standard library and cryptography, whatever its system."""
    script = (
        "import sys, audit; "
        "print([m for m in ('sqlalchemy','structlog','pydantic','fcntl') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout

    assert "[]\n" == out


def test_face_names_all_exist() -> None:
    """`__all__` is sorted as the linter wants it and true."""
    assert [] == [name for name in audit.__all__ if not hasattr(audit, name)]


def test_every_error_has_a_code_of_its_own_and_stands_in_the_tree() -> None:
    """Codes are stable names; the drawing at the top of the file is complete."""
    classes = [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, AuditError)
    ]
    codes = [c.code for c in classes]

    assert len(codes) == len(set(codes))
    assert "smaller_checkpoint" == errors.SmallerCheckpointError.code
    assert "not_canonical" == errors.NotCanonicalError.code
    assert [] == [c.__name__ for c in classes if c.__name__ not in (errors.__doc__ or "")]
