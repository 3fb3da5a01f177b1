"""
`docs/errors.md`, written from the classes: `make docs` runs this and a test compares.

    python -m tests.project.errors_page > docs/errors.md
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys

from api.problems import is_named, status_of, title_of

_HEAD = """# Errors

A refusal changes nothing. Over HTTP it is `application/problem+json`: `type` ends in the code below,
the offending values are members, and they go to the caller who sent them and into no log. On the
command line it is `rkud: code: sentence` with exit code 2. Codes never change.

The status says whose turn it is: 400 unreadable, 401 and 403 who asks, 404 unknown, 409 the books
stand otherwise (it may work later, or under another key), 413 too long, 422 the request itself is
wrong, 503 try again. "-" stands where a code is only met on the command line or by the inspector's
tool.

| code | status | meaning |
| --- | --- | --- |
"""


def classes() -> dict[str, type[BaseException]]:
    """Every named refusal of the product, by code: the leaves and the branches that are raised."""
    found: dict[str, type[BaseException]] = {}
    for package in ("audit", "ledger", "bank_adapters", "reconciliation", "api"):
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, f"{package}."):
            if any(
                part in info.name
                for part in (".migrations.versions", ".env", ".yardsticks.", "__main__")
            ):
                continue
            module = importlib.import_module(info.name)
            for _, kind in inspect.getmembers(module, inspect.isclass):
                if (
                    issubclass(kind, Exception)
                    and kind.__module__ == info.name
                    and isinstance(getattr(kind, "code", None), str)
                    and not kind.__name__.startswith("_")
                    and not (kind.__doc__ or "").strip().startswith("Base of")
                ):
                    found.setdefault(kind.code, kind)
    return found


def page() -> str:
    """The page's text."""
    rows = []
    for code, kind in sorted(classes().items()):
        served = is_named(kind.__new__(kind))
        rows.append(f"| `{code}` | {status_of(kind) if served else '-'} | {title_of(kind)} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
