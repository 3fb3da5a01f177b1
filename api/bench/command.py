"""`rkud bench`: run a bench, print its table or its JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.bench.cluster import Cluster
    from api.bench.report import Report

__all__ = ["add_to"]

#: Journals of the full book, leaves of the full log, lines of the full history.
_FULL_JOURNALS = 1_000_000
_FULL_LEAVES = 1_000_000
_FULL_LINES = 10_000_000


class Subject(StrEnum):
    """What is measured."""

    POST = "post"
    HTTP = "http"
    AUDIT = "audit"
    PARSE = "parse"
    DISPATCH = "dispatch"


def add_to(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command("bench", help="Measure speed against yardsticks.")(bench)


def bench(
    subjects: Annotated[list[Subject], typer.Argument(help="One or more of them.")],
    rounds: Annotated[int, typer.Option(min=1, help="Alternating rounds.")] = 3,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="A million journals and leaves, ten million lines; takes long."
        ),
    ] = False,
    journals: Annotated[
        int, typer.Option(min=0, help="http: journals that the second book holds before.")
    ] = 0,
    leaves: Annotated[int, typer.Option(min=0, help="audit: leaves in the log.")] = 0,
    entries: Annotated[int, typer.Option(min=0, help="parse: entries of each file.")] = 0,
    orders: Annotated[int, typer.Option(min=0, help="dispatch: orders a round.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, help="http: length of a measurement.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """
    Starts a private PostgreSQL, or uses the server that RKUD_BENCH_URL names; `parse` needs none.

    Exit code 1: a target was missed, or a yardstick was too slow to prove anything.
    """
    from rich.console import Console  # noqa: PLC0415  # slow to load, and rarely needed

    from api import collector  # noqa: PLC0415  # as above
    from api.bench.audit_bench import AuditSizes, run_audit  # noqa: PLC0415  # as above
    from api.bench.cluster import open_cluster  # noqa: PLC0415  # as above
    from api.bench.dispatch_bench import (  # noqa: PLC0415  # as above
        DispatchSizes,
        run_dispatch,
    )
    from api.bench.http_bench import HttpSizes, run_http  # noqa: PLC0415  # as above
    from api.bench.parse_bench import ParseSizes, run_parse  # noqa: PLC0415  # as above
    from api.bench.post_bench import PostSizes, run_post  # noqa: PLC0415  # as above
    from api.bench.report import as_json as to_json  # noqa: PLC0415  # as above
    from api.bench.report import show  # noqa: PLC0415  # as above

    # As `rkud journals import` does; the yardsticks that run in this process profit alike.
    collector.relax()
    http = HttpSizes(
        rounds=rounds, seconds=seconds, full_journals=journals or (_FULL_JOURNALS if full else 0)
    )
    post = PostSizes(rounds=rounds, **({"history_large": _FULL_LINES} if full else {}))
    asked = leaves or (_FULL_LEAVES if full else 0)
    audit = AuditSizes(rounds=rounds, **({"leaves": asked} if asked else {}))
    parse = ParseSizes(rounds=rounds, **({"entries": entries} if entries else {}))
    dispatch = DispatchSizes(rounds=rounds, **({"orders": orders} if orders else {}))
    runs: dict[Subject, Callable[[Cluster], Report]] = {
        Subject.POST: lambda cluster: run_post(cluster, post, _say),
        Subject.HTTP: lambda cluster: run_http(cluster, http, _say),
        Subject.AUDIT: lambda cluster: run_audit(cluster, audit, _say),
        Subject.DISPATCH: lambda cluster: run_dispatch(cluster, dispatch, _say),
    }
    reports: list[Report] = []
    for subject in dict.fromkeys(subjects):
        if subject is Subject.PARSE:
            report = run_parse(parse, _say)
        else:
            with open_cluster() as cluster:
                report = runs[subject](cluster)
        reports.append(report)
        if not as_json:
            show(report, Console(width=None if sys.stdout.isatty() else 140))
    if as_json:
        sys.stdout.write(json.dumps({"benches": [to_json(each) for each in reports]}) + "\n")
    _end(reports)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text} ...\n")


def _end(reports: Sequence[Report]) -> None:
    if not all(report.is_met for report in reports):
        raise typer.Exit(1)
