"""The same tests on both databases: SQLite in a file, and a PostgreSQL that .ci/run starts on loopback."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

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
