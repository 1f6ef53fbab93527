"""The same tests on both databases (SQLite in a file, a PostgreSQL that .ci/run starts on loopback), and what they put there."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from joyvl_app.store import repository
from joyvl_app.store.values import Hit, NewEvent, NewPassage, NewSession, Query
from joyvl_app.store.words import indexed, loose, terms
from joyvl_app.store.writer import Writer

POSTGRES = os.environ.get("JOYVL_TEST_POSTGRES", "")  # postgresql://user@127.0.0.1:port/database, to make databases in


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'joyvl.db'}"
        return
    if not POSTGRES:
        if os.environ.get("CI"):
            pytest.fail("JOYVL_TEST_POSTGRES is not set; .ci/run starts a PostgreSQL and sets it")
        pytest.skip("no PostgreSQL: JOYVL_TEST_POSTGRES is not set")
    name = f"joyvl_{secrets.token_hex(6)}"
    engine = create_engine(POSTGRES.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield f"{POSTGRES.rsplit('/', 1)[0]}/{name}"
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


NOW = 1_900_000_000.0


@pytest.fixture
def writer(url: str) -> Iterator[Writer]:
    writer = Writer(url, 1 << 30, 365_000)
    yield writer
    writer.close()


def session(id: int = 1, owner: str = "ann", scenario: str = "lecture", name: str = "a") -> NewSession:
    return NewSession(id, name, owner, scenario, "sample", "embedded", NOW)


def passage(text: str, number: int = 1, id: int = 1, owner: str = "ann", t: float = 5.0, scenario: str = "lecture") -> NewPassage:
    return NewPassage(id, number, owner, scenario, "screen", t, t + 3, NOW + t, text, indexed(text))


def event(number: int, id: int = 1) -> NewEvent:
    return NewEvent(id, number, float(number), NOW + number, "decision", f'{{"number": {number}}}')


def done(future: Future[Any]) -> Any:
    return future.result(timeout=10)


def found(writer: Writer, words: str, owner: str = "ann", loosely: bool = False, **changes: object) -> list[str]:
    asked = tuple(loose(words) if loosely else terms(words))
    query = Query(owner, asked, loosely, **changes)  # type: ignore[arg-type]
    hits: list[Hit] = writer.call(lambda connection: repository.search(connection, query)).result(timeout=10)
    return [hit.text for hit in hits]


def settled(writer: Writer, condition: Callable[[], bool], seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"not reached; fault: {writer.fault!r}")
