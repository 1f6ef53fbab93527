"""Opening a database: SQLite in WAL mode or PostgreSQL, brought to the present version by its migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from joyvl_app.errors import BadInput, MissingPart

_MIGRATIONS = Path(__file__).parent / "migrations"
_PRAGMAS = ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "journal_size_limit=4194304")
WRITES = "joyvl_writes"  # execution option of transactions that write
_STATEMENT_MS = 15_000
_BUSY_MS = 2_000  # how long one statement waits for another process's write


def open_database(url: str, durable: bool = False) -> Engine:
    """An engine on a database that has all its tables. Raises BadInput naming what is wrong, MissingPart without a driver.

    `url` as SQLAlchemy writes it: sqlite:///folder/file.db or postgresql://user:password@host/name. What is committed survives a
    killed process; `durable`, a power cut as well.
    """
    engine = _engine(url)
    if durable and engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA synchronous=FULL"))
    try:
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            _migrate(connection)
    except DBAPIError as error:
        engine.dispose()
        raise BadInput(f"The archive {_called(engine)} cannot be opened: {reason(error)}.") from error
    except CommandError as error:
        engine.dispose()
        raise BadInput(f"The archive {_called(engine)} was written by a newer version: use that one, or another file.") from error
    except BadInput:
        engine.dispose()
        raise
    return engine


def database_file(engine: Engine) -> Path | None:
    """Where an SQLite database lies; None for a server's."""
    return Path(engine.url.database) if engine.dialect.name == "sqlite" and engine.url.database else None


def reason(error: DBAPIError) -> str:
    """A driver's complaint in one line, without the statement, its values and process ids."""
    return " ".join(str(error.orig).strip().split("\n")[0].split())[:200]


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise BadInput("JOYVL_DATABASE_URL must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.")
        if parsed.get_backend_name() == "sqlite":
            _make_folder(parsed.database)
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=_arguments(parsed.get_backend_name()))
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise BadInput("JOYVL_DATABASE_URL is not an address: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.") from error
    except ModuleNotFoundError as error:
        raise MissingPart(f"The database's driver is missing: pip install {error.name}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _make_folder(file: str | None) -> None:
    if not file or file == ":memory:":
        raise BadInput("JOYVL_DATABASE_URL needs a file: sqlite:///data/joyvl.db")
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder of the archive {Path(file).name} cannot be made: {error.strerror}.") from error


def _arguments(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"timeout": _BUSY_MS / 1000}
    limits = f"-c lock_timeout={_BUSY_MS} -c statement_timeout={_STATEMENT_MS}"
    return {"connect_timeout": 5, "options": limits, "keepalives_idle": 10, "tcp_user_timeout": _STATEMENT_MS}


def _prepare(connection: Any, record: Any) -> None:
    """WAL: readers and the writer do not wait for one another, and what was committed survives a killed process."""
    connection.isolation_level = None  # the driver would leave a migration outside any transaction
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Who will write takes the lock at once, and waits for it: a reader that turns writer is refused without waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # an old archive may be large
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    newest = ScriptDirectory.from_config(config).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() != newest:
        command.upgrade(config, "head")


def _called(engine: Engine) -> str:
    file = database_file(engine)
    return file.name if file else f"at {engine.url.host}"
