"""
Start the server: what has to hold before it listens, and how it listens.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine, text

from api.data_dir import check_data_dir
from api.engine import make_engine
from api.errors import ApiError, DataDirMissingError
from api.migrations_runner import current, head
from api.settings import Settings

if TYPE_CHECKING:
    from api.dispatch.serving import WorkerOptions

__all__ = [
    "OwnerRoleError",
    "SchemaOutOfDateError",
    "ServeOptions",
    "UnprotectedHostError",
    "WorkersNeedPostgresError",
    "app_from_environment",
    "check_has_book",
    "check_role",
    "check_schema",
    "check_serving",
    "serve",
]

#: How long requests under way may take once the server was told to stop.
_GRACE_SECONDS: Final = 30


class WorkersNeedPostgresError(ApiError):
    """SQLite has one writer: one process serves it."""

    def __init__(self, *, workers: int) -> None:
        super().__init__(f"{workers} workers were asked for; SQLite takes one", workers=workers)


class UnprotectedHostError(ApiError):
    """Beyond this machine only behind TLS: tokens and names would travel in the clear."""

    def __init__(self, *, host: str) -> None:
        super().__init__(
            f"host {host} is not of this machine alone: give --tls-cert and --tls-key, or"
            " --behind-proxy CIDR",
            host=host,
        )


class OwnerRoleError(ApiError):
    """The application's database role must not be able to change what was posted."""

    def __init__(self, *, role: str, reason: str) -> None:
        super().__init__(
            f"database role {role} {reason}; serve as the application's role, or --embedded",
            role=role,
            reason=reason,
        )


class SchemaOutOfDateError(ApiError):
    """The database has another schema than this release needs: `rkud db upgrade`."""

    def __init__(self, *, found: str, needed: str) -> None:
        super().__init__(
            f"the database has schema {found or '(none)'}, this release needs {needed}:"
            " run rkud db upgrade",
            found=found,
            needed=needed,
        )


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to listen, and whether each process runs a worker too. *port* 0: a free one."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: str = ""
    embedded: bool = False
    worker: WorkerOptions | None = None


def check_serving(settings: Settings, options: ServeOptions) -> None:
    """
    Refuse to serve where it would not be safe.

    Raises:
        DataDirMissingError, UnsafeDataDirError, WorkersNeedPostgresError, UnprotectedHostError,
        SchemaOutOfDateError, OwnerRoleError; with a worker what `make_worker` raises
    """
    check_data_dir(settings)
    if settings.is_sqlite() and options.workers > 1:
        raise WorkersNeedPostgresError(workers=options.workers)
    has_tls = options.tls_cert is not None and options.tls_key is not None
    if not _is_loopback(options.host) and not has_tls and not options.behind_proxy:
        raise UnprotectedHostError(host=options.host)
    if options.behind_proxy:
        try:
            ipaddress.ip_network(options.behind_proxy)
        except ValueError:
            raise UnprotectedHostError(host=options.host) from None
    if not options.embedded:
        engine = make_engine(settings.url(), pool_size=1)
        try:
            check_role(engine)
        finally:
            engine.dispose()
    check_schema(settings)
    if options.worker is not None:
        _check_worker(settings, options.worker)


def _check_worker(settings: Settings, options: WorkerOptions) -> None:
    """A worker is made once before the server listens: what it lacks is told now."""
    from api.dispatch.running import make_worker  # noqa: PLC0415  # only where one was asked for

    engine = make_engine(settings.url(), pool_size=1)
    try:
        made = make_worker(
            engine, settings, options.government, person=options.person, width=options.width
        )
        made.worker.close()
        made.checkpoints.stop()
    finally:
        engine.dispose()


def check_schema(settings: Settings) -> None:
    """Raises DataDirMissingError (no schema, or no book in it), SchemaOutOfDateError."""
    found, needed = current(settings.url()), head()
    if found not in (None, needed):
        raise SchemaOutOfDateError(found=found or "", needed=needed)
    _check_has_book(settings, found)


def check_has_book(settings: Settings) -> None:
    """
    Raises DataDirMissingError where a schema stands without a book: `rkud db upgrade` leaves it so,
    and an `rkud init` that was killed.
    """
    _check_has_book(settings, current(settings.url()))


def _check_has_book(settings: Settings, schema: str | None) -> None:
    if schema is not None:
        engine = make_engine(settings.url(), pool_size=1)
        try:
            with engine.connect() as conn:
                if conn.execute(text("SELECT 1 FROM government LIMIT 1")).first() is not None:
                    return
        finally:
            engine.dispose()
    path = "the database of RKUD_DATABASE_URL"
    if settings.database_url is None:
        path = str(settings.data_dir.absolute())
    raise DataDirMissingError(path=path)


def check_role(engine: Engine) -> None:
    """Raises OwnerRoleError when the role could switch the database's own rules off."""
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as conn:
        role, is_super, owns = conn.execute(
            text(
                "SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
                " EXISTS (SELECT FROM pg_class c WHERE c.relname IN ('journal', 'log_leaf')"
                " AND pg_has_role(current_user, c.relowner, 'MEMBER'))"
            )
        ).one()
    if is_super:
        raise OwnerRoleError(role=role, reason="is a superuser")
    if owns:
        raise OwnerRoleError(role=role, reason="owns the tables")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def app_from_environment() -> object:
    """The application of a worker process."""
    from api import collector  # noqa: PLC0415  # only here: the checks above start fast
    from api.app import create_app  # noqa: PLC0415  # as above
    from api.dispatch.serving import options_from_environment  # noqa: PLC0415
    from api.logs import configure  # noqa: PLC0415

    settings = Settings()
    configure(settings.log_level)
    app = create_app(settings, worker=options_from_environment())
    collector.relax()
    return app


def serve(settings: Settings, options: ServeOptions) -> None:
    """Listen until told to stop. Raises what `check_serving` raises."""
    check_serving(settings, options)
    from api.dispatch.serving import pass_on  # noqa: PLC0415  # after the checks

    pass_on(options.worker)
    if options.workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        # Before anything counts: each worker keeps its figures in a file there.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="rkud-metrics-")

    import uvicorn  # noqa: PLC0415  # after the checks
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415

    from api.logs import configure  # noqa: PLC0415

    configure(settings.log_level)
    config = uvicorn.Config(
        "api.serving:app_from_environment",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.behind_proxy),
        forwarded_allow_ips=options.behind_proxy or None,
        ssl_certfile=str(options.tls_cert) if options.tls_cert else None,
        ssl_keyfile=str(options.tls_key) if options.tls_key else None,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    # From the next line on callers may connect; they wait until the application has loaded.
    listener.listen(config.backlog)
    scheme = "https" if options.tls_cert else "http"
    host, port = listener.getsockname()[:2]
    print(f"serving on {scheme}://{host}:{port}", flush=True)  # noqa: T201  # the operator's line
    if options.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        server.run(sockets=[listener])
