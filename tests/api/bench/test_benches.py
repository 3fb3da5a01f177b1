"""Each bench from end to end, as small as it can be: that it runs, not how fast."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.bench.audit_bench import AuditSizes, run_audit
from api.bench.cluster import BENCH_URL, BenchServerError, Cluster, Urls, open_cluster
from api.bench.dispatch_bench import DispatchSizes, run_dispatch
from api.bench.http_bench import HttpSizes, run_http
from api.bench.post_bench import PostSizes, run_post
from api.private_postgres import APP_ROLE, READER_ROLE, PrivatePostgres


class _Shared:
    """The cluster of the test run in the place of a bench's own; it is not durable, only quick."""

    app_role = APP_ROLE
    reader_role: str | None = READER_ROLE
    version = "15"

    def __init__(self, server: PrivatePostgres) -> None:
        self._server = server

    def create(self, name: str, template: str | None = None) -> Urls:
        self.drop(name)
        urls = self._server.create_database(
            f"bench_{name}", template=f"bench_{template}" if template else None
        )
        return Urls(owner=urls.owner, app=urls.app)

    def drop(self, name: str) -> None:
        self._server.drop_database(f"bench_{name}")

    def cpu_seconds(self) -> float | None:
        return self._server.cpu_seconds()


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Databases on the test run's PostgreSQL."""
    server: PrivatePostgres = request.getfixturevalue("postgres")
    yield _Shared(server)
    for name in (
        "template",
        "book_template",
        "book",
        "bare",
        "naive",
        "prototype",
        "verified",
        "dispatch_template",
        "dispatch",
        "history_40",
        "history_80",
    ):
        server.drop_database(f"bench_{name}")


def _quiet(_: str) -> None:
    return


def test_http_bench_of_a_moment_measures_every_contender(cluster: Cluster) -> None:
    """All answers are 201, and the ratio to the naive app is there with its target."""
    sizes = HttpSizes(rounds=1, warm_seconds=0.1, seconds=0.4, connections=4, naive_connections=2)

    report = run_http(cluster, sizes, _quiet)

    assert [1, 1, 1, 1] == [len(each.cells) for each in report.contenders]
    assert all(each.column("journals/s")[0] > 0 for each in report.contenders)
    assert 8.0 == report.ratios[0].at_least


def test_post_bench_of_a_few_journals_measures_every_contender(cluster: Cluster) -> None:
    """Both engines, both kinds of cash, memory and history."""
    sizes = PostSizes(rounds=1, journals=40, banks=3, history_small=40, history_large=80)

    report = run_post(cluster, sizes, _quiet)

    assert [1, 1, 1, 1, 1] == [len(each.cells) for each in report.contenders]
    assert [0.4, None, 3_000] == [ratio.at_least for ratio in report.ratios[:3]]
    assert 5 == len(report.ratios)


def test_audit_bench_of_a_short_log_verifies_it(cluster: Cluster) -> None:
    """The export is whole, with and without its books."""
    report = run_audit(cluster, AuditSizes(leaves=50, rounds=1), _quiet)

    assert [1, 1, 1] == [len(each.cells) for each in report.contenders]
    assert [3.0, 15.0] == [ratio.at_most for ratio in report.ratios]


def test_dispatch_bench_of_a_few_orders_measures_every_contender(cluster: Cluster) -> None:
    """Orders are answered alone and beside journals, and both targets are there."""
    sizes = DispatchSizes(
        rounds=1, orders=300, seconds=0.5, warm_seconds=0.1, journals_a_second=20, connections=2
    )

    report = run_dispatch(cluster, sizes, _quiet)

    assert [1, 1, 1, 1] == [len(each.cells) for each in report.contenders]
    paying = [each.column("orders/s") for each in report.contenders]
    assert [True, True, False, True] == [bool(rates) and rates[0] > 0 for rates in paying]
    assert [(200.0, None), (None, 1.5)] == [
        (ratio.at_least, ratio.at_most) for ratio in report.ratios[:2]
    ]


def test_named_server_that_is_not_durable_is_refused(postgres: PrivatePostgres) -> None:
    """A rate without fsync would be another product's."""
    environment = {BENCH_URL: postgres.superuser_url()}

    with pytest.raises(BenchServerError, match="must be on"), open_cluster(environment):
        pass


def test_named_server_that_is_no_postgresql_is_refused() -> None:
    """The benches compare PostgreSQL with PostgreSQL."""
    with (
        pytest.raises(BenchServerError, match="PostgreSQL"),
        open_cluster({BENCH_URL: "sqlite:///x.db"}),
    ):
        pass
