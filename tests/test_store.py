"""The store: the same on SQLite and PostgreSQL; migrations; a disk that is full, locked, gone; a process that is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from joyvl_app.errors import BadInput
from joyvl_app.store import database, repository
from joyvl_app.store.database import open_database
from joyvl_app.store.values import Ended, NewFrame
from joyvl_app.store.writer import Writer
from tests.databases import NOW, done, event, found, passage, session, url, writer

__all__ = ["url", "writer"]  # pytest finds fixtures by their names


def test_what_was_put_is_found_by_its_owner_alone(writer: Writer) -> None:
    writer.put(session())
    writer.put(session(2, "bob", name="a"))  # the same name: another session
    writer.put(passage("Salvador Dali painted clocks"))
    writer.put(passage("Salvador Allende", id=2, owner="bob"))
    assert found(writer, "salvador") == ["Salvador Dali painted clocks"]
    assert found(writer, "clock painting") == ["Salvador Dali painted clocks"]  # by their stems
    assert found(writer, "salvador", owner="bob") == ["Salvador Allende"]
    assert found(writer, "salvador", owner="eve") == []
    assert found(writer, "salvador allende") == []


def test_chinese_words_of_two_characters_are_found(writer: Writer) -> None:
    writer.put(session())
    for number, words in enumerate(["门口放着一个红色的盒子", "快递员来过了", "红白相间的旗子", "色彩鲜艳，红花"]):
        writer.put(passage(words, number, t=float(number)))
    assert found(writer, "红色") == ["门口放着一个红色的盒子"]
    assert found(writer, "快递") == ["快递员来过了"]
    assert found(writer, "盒子 红色") == ["门口放着一个红色的盒子"]
    assert found(writer, "红色盒子") == []  # not as one word …
    assert found(writer, "红色盒子", loosely=True)[0] == "门口放着一个红色的盒子"  # … but by its pairs


def test_filters_by_time_scenario_and_kind(writer: Writer) -> None:
    writer.put(session())
    writer.put(session(2, scenario="security"))
    writer.put(passage("a red car", 1, t=10))
    writer.put(passage("a red bus", 2, t=100))
    writer.put(passage("a red van", 1, id=2, t=50, scenario="security"))
    assert found(writer, "red") == ["a red bus", "a red van", "a red car"]  # the newest first
    assert found(writer, "red", since=NOW + 40) == ["a red bus", "a red van"]
    assert found(writer, "red", until=NOW + 60, scenario="lecture") == ["a red car"]
    assert found(writer, "", session_id=2) == ["a red van"]
    assert found(writer, "red", kinds=("heard",)) == []


def test_rare_words_count_for_more(writer: Writer) -> None:
    writer.put(session())
    writer.put(passage("the slide about surrealism", 1))
    for number in range(2, 60):
        writer.put(passage(f"the slide about topic {number}", number))
    assert found(writer, "slide surrealism", loosely=True)[0] == "the slide about surrealism"


@pytest.mark.parametrize(
    "words", ["'", '"', "a' OR 1=1 --", "NEAR(a b)", "owner:bob", "*", "a AND", "(", "红'色", "\\", "a:b", "-", "%"]
)
def test_nothing_in_a_query_is_syntax(writer: Writer, words: str) -> None:
    writer.put(session())
    writer.put(session(2, "bob"))
    writer.put(passage("something else", id=2, owner="bob"))
    assert found(writer, words) == [] and found(writer, words, loosely=True) == []


def test_a_passage_that_goes_on_is_rewritten(writer: Writer) -> None:
    writer.put(session())
    writer.put(passage("first line"))
    assert found(writer, "first") == ["first line"]
    writer.put(passage("second line"))
    assert found(writer, "first") == [] and found(writer, "second") == ["second line"]


def test_forgetting_a_session_and_an_owner(writer: Writer) -> None:
    for number, owner in ((1, "ann"), (2, "ann"), (3, "bob")):
        writer.put(session(number, owner))
        writer.put(event(1, number))
        writer.put(passage("a cat", id=number, owner=owner))
        writer.put(NewFrame(number, 1.0, NOW, b"jpeg"))
    assert done(writer.call(lambda c: repository.forget_session(c, "bob", 1))) is False  # not bob's
    assert done(writer.call(lambda c: repository.forget_session(c, "ann", 1))) is True
    assert found(writer, "cat") == ["a cat"]
    assert done(writer.call(lambda c: repository.forget_owner(c, "ann"))) == [(2, "a")]
    assert found(writer, "cat") == [] and found(writer, "cat", owner="bob") == ["a cat"]
    left = done(
        writer.call(lambda c: [c.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("events", "frames", "passages")])
    )
    assert left == [1, 1, 1]


def test_what_is_forgotten_while_it_runs_is_not_written_again(writer: Writer) -> None:
    writer.put(session())
    writer.put(passage("a cat"))
    writer.forget(1)
    done(writer.call(lambda c: repository.forget_session(c, "ann", 1)))
    writer.put(passage("a cat again", 2))
    writer.put(Ended(1, NOW))
    assert found(writer, "cat") == [] and writer.fault == ""


def test_a_session_that_somebody_else_deleted_does_not_stop_the_others(writer: Writer) -> None:
    writer.put(session(1))
    writer.put(session(2))
    done(writer.call(lambda c: repository.forget_session(c, "ann", 1)))
    writer.put(event(1, 1))
    writer.put(event(1, 2))
    lines = done(writer.call(lambda c: repository.events(c, "ann", 2)))
    assert lines == ['{"number": 1}'] and writer.fault == ""


def test_size_and_age_are_kept(writer: Writer) -> None:
    writer.put(session())
    for number in range(9_000):
        writer.put(event(number))
    done(writer.call(lambda c: c.execute(text("SELECT 1")).all()))
    before = done(writer.call(repository.used))
    assert isinstance(before, int) and before > 500_000
    while done(writer.call(lambda c: repository.shrink(c, before // 2))):
        pass
    after = done(writer.call(repository.used))
    assert isinstance(after, int) and before // 3 < after <= before // 2  # no more than needed
    lines = writer.call(lambda c: repository.events(c, "ann", 1)).result()
    assert lines[-1] == '{"number": 8999}' and '"number": 0}' not in lines[0]  # the oldest went
    done(writer.call(lambda c: repository.forget_before(c, NOW + 8_998.5)))
    assert len(writer.call(lambda c: repository.events(c, "ann", 1)).result()) == 1


def test_pictures_are_found_by_their_time(writer: Writer) -> None:
    writer.put(session())
    for t in (1.0, 8.0):
        writer.put(NewFrame(1, t, NOW + t, f"jpeg {t}".encode()))

    def near(t: float, owner: str = "ann") -> tuple[float, bytes] | None:
        return writer.call(lambda c: repository.frame_near(c, owner, 1, t, 5.0)).result()

    assert near(6.0) == (8.0, b"jpeg 8.0") and near(3.0) == (1.0, b"jpeg 1.0")
    assert near(20.0) is None and near(8.0, "bob") is None


# --- migrations --------------------------------------------------------------------------------------------------------


def test_an_older_database_is_brought_up_and_loses_nothing(url: str) -> None:
    _upgrade(url, "0001")
    engine = database._engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sessions VALUES (7, 'old', 'ann', 'lecture', 'sample', 'embedded', :now, NULL)"), {"now": NOW}
        )
        body = '{"type":"spoken","t":3.0,"text":"I see a unicorn."}'
        connection.execute(text("INSERT INTO events VALUES (7, 1, 3.0, :at, 'spoken', :body, 90)"), {"at": NOW + 3, "body": body})
    engine.dispose()
    writer = Writer(url, 1 << 30, 365_000)
    assert found(writer, "unicorn") == ["I see a unicorn."]
    assert done(writer.call(lambda c: repository.events(c, "ann", 7))) == [body]
    writer.put(passage("a new one", id=7))
    assert found(writer, "new") == ["a new one"]
    writer.close()


def test_a_newer_database_is_refused_and_untouched(url: str) -> None:
    open_database(url).dispose()
    engine = database._engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match="written by a newer version"):
        open_database(url)
    engine.dispose()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("mysql://x/y", "must be sqlite"),
        ("nonsense", "not an address"),
        ("sqlite://", "needs a file"),
        ("postgresql://joyvl:secret@127.0.0.1:9/x", "cannot be opened"),
    ],
)
def test_a_wrong_address_is_told_without_its_password(address: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as error:
        open_database(address)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_database_is_told_and_left(tmp_path: Path) -> None:
    file = tmp_path / "joyvl.db"
    file.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(BadInput, match=r"joyvl\.db cannot be opened"):
        open_database(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"this is not")


def test_models_and_migrations_agree(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from joyvl_app.store.models import Base

    engine = open_database(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    ours = [difference for difference in differences if "fts" not in str(difference) and "searched" not in str(difference)]
    assert ours == []


def test_the_engine_is_the_databases_own(url: str) -> None:
    engine = open_database(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def _upgrade(url: str, revision: str) -> None:
    engine = database._engine(url)
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
