"""The store: the same on SQLite and PostgreSQL; migrations; a disk that is full, locked, gone; a process that is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from joyvl_app.errors import BadInput
from joyvl_app.store import database, repository
from joyvl_app.store.database import open_database
from joyvl_app.store.values import Ended, Hit, NewEvent, NewFrame, NewPassage, NewSession, Query
from joyvl_app.store.words import indexed, loose, terms
from joyvl_app.store.writer import Writer
from tests.databases import url
from tests.support import ROOT

__all__ = ["url"]
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


# --- a disk that misbehaves ----------------------------------------------------------------------------------------------


def _settled(writer: Writer, condition: Callable[[], bool], seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"not reached; fault: {writer.fault!r}")


def test_a_locked_database_is_waited_for_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 100)
    file = tmp_path / "joyvl.db"
    writer = Writer(f"sqlite:///{file}", 1 << 30, 365_000)
    writer.put(session())
    done(writer.call(lambda c: None))
    lock = sqlite3.connect(file, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    for number in range(50):
        writer.put(event(number))
    assert time.monotonic() - began < 0.05  # nobody waits for it
    _settled(writer, lambda: "locked" in writer.fault)
    lock.execute("ROLLBACK")
    _settled(writer, lambda: writer.fault == "")
    assert len(writer.call(lambda c: repository.events(c, "ann", 1)).result()) == 50
    writer.close()


def test_a_full_disk_is_told_and_what_waited_is_written_when_there_is_room(tmp_path: Path) -> None:
    file = tmp_path / "joyvl.db"
    writer = Writer(f"sqlite:///{file}", 1 << 30, 365_000)
    writer.put(session())
    done(writer.call(lambda c: None))

    def full(connection: Connection) -> None:  # the same error as a full disk gives: no page more
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").all()

    done(writer.call(full))
    for number in range(500):
        writer.put(event(number))
    _settled(writer, lambda: "full" in writer.fault)
    done(writer.call(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1000000").all()))
    _settled(writer, lambda: writer.fault == "")
    assert len(writer.call(lambda c: repository.events(c, "ann", 1)).result()) == 500 and writer.lost == 0
    writer.close()


def test_a_deleted_file_is_told_and_a_new_one_begun(tmp_path: Path) -> None:
    file = tmp_path / "joyvl.db"
    writer = Writer(f"sqlite:///{file}", 1 << 30, 365_000)
    writer.put(session())
    writer.put(passage("before", 1))
    done(writer.call(lambda c: None))
    file.unlink()
    writer.put(passage("after", 2))
    _settled(writer, lambda: "was removed; a new one was begun" in writer.fault)
    assert found(writer, "after") == ["after"] and found(writer, "before") == []
    assert file.exists()
    writer.close()


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joyvl_app.store.writer._MOST", 100)
    writer = Writer(f"sqlite:///{tmp_path / 'joyvl.db'}", 1 << 30, 365_000)
    monkeypatch.setattr(repository, "write", _raise)
    for number in range(1_000):
        writer.put(event(number))
    _settled(writer, lambda: bool(writer.fault))
    assert len(writer._waiting) <= 100 and writer.lost >= 800
    writer.close()


def _raise(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_killed_process_loses_at_most_the_last_second(tmp_path: Path) -> None:
    """kill -9 in the middle of writing: the database opens, and every event older than a second is there."""
    program = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from joyvl_app.store.writer import Writer
from tests.test_store import session, event, passage
writer = Writer({f"sqlite:///{tmp_path / 'joyvl.db'}"!r}, 1 << 30, 365_000)
writer.put(session())
for number in range(1_000_000):
    writer.put(event(number))
    print(number, time.monotonic(), flush=True)
    time.sleep(0.0005)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    while len(lines) < 2_500:
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.readlines()
    process.wait()
    put = [(int(number), float(at)) for number, at in (line.split() for line in lines if line.endswith("\n"))]
    killed = put[-1][1]
    writer = Writer(f"sqlite:///{tmp_path / 'joyvl.db'}", 1 << 30, 365_000)
    kept = writer.call(lambda c: repository.events(c, "ann", 1)).result()
    writer.close()
    old = [number for number, at in put if at < killed - 1.0]
    assert len(old) > 200 and len(kept) >= len(old)
    assert kept == [f'{{"number": {number}}}' for number in range(len(kept))]  # nothing missing in between


def _upgrade(url: str, revision: str) -> None:
    engine = database._engine(url)
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


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


# --- faults that were found by reading ------------------------------------------------------------------------------------


def test_rows_that_no_database_takes_are_mended_or_given_up_alone(writer: Writer) -> None:
    writer.put(session(1, name="bad\0name \ud83d"))
    writer.put(passage("half a pair \ud83d and a zero \0 here"))
    writer.put(NewPassage(1, 2, "ann", "lecture", "screen", float("nan"), 3, NOW, None, ""))  # type: ignore[arg-type]
    writer.put(passage("a good one", 3))
    assert found(writer, "good") == ["a good one"] and found(writer, "half pair") == ["half a pair ? and a zero  here"]
    assert writer.fault == "" and writer.lost == 1


def test_a_cancelled_or_faulty_job_does_not_end_the_thread(writer: Writer) -> None:
    cancelled = writer.call(lambda c: time.sleep(0.2))
    second = writer.call(lambda c: None)
    second.cancel()
    with pytest.raises(ZeroDivisionError):
        writer.call(lambda c: 1 / 0).result(timeout=5)
    done(cancelled)
    writer.put(session())
    writer.put(passage("still writing"))
    assert found(writer, "writing") == ["still writing"]


def test_a_tiny_bound_is_kept_and_rows_of_one_moment_too(tmp_path: Path) -> None:
    writer = Writer(f"sqlite:///{tmp_path / 'joyvl.db'}", 1 << 20, 365_000)
    writer.put(session())
    for number in range(6_000):
        writer.put(
            NewPassage(1, number, "ann", "lecture", "screen", 1.0, 2.0, NOW, f"words {number} " * 10, indexed("words " * 10))
        )
    end = time.monotonic() + 20
    while time.monotonic() < end and done(writer.call(repository.used)) > 1 << 20:
        time.sleep(0.1)
    assert done(writer.call(repository.used)) <= 1 << 20 and writer.fault == ""
    writer.put(passage("afterwards", 9_999, t=99.0))
    assert found(writer, "afterwards") == ["afterwards"]
    writer.close()


def test_pictures_do_not_push_everything_else_out_at_once(writer: Writer) -> None:
    writer.put(session())
    for number in range(300):
        writer.put(NewFrame(1, float(number), NOW + number, bytes(20_000)))
        if number % 50 == 0:
            done(writer.call(lambda c: None))
    done(writer.call(lambda c: None))
    while done(writer.call(lambda c: repository.shrink(c, 5_000_000))):
        pass
    left = done(writer.call(lambda c: c.scalar(text("SELECT count(*) FROM frames"))))
    assert isinstance(left, int) and 200 <= left < 260


def test_a_session_of_a_killed_process_goes_with_its_rows(writer: Writer) -> None:
    writer.put(session())
    writer.put(event(1))
    done(writer.call(lambda c: repository.forget_before(c, NOW + 10)))
    assert done(writer.call(lambda c: repository.sessions(c, "ann"))) == []
    assert writer.fault == ""


def test_two_processes_on_one_database_do_not_bring_back_what_was_forgotten(url: str) -> None:
    one, other = Writer(url, 1 << 30, 365_000), Writer(url, 1 << 30, 365_000)
    one.put(session())
    one.put(passage("a cat"))
    done(one.call(lambda c: None))
    done(other.call(lambda c: repository.forget_session(c, "ann", 1)))
    one.put(passage("a cat again", 2))
    assert found(one, "cat") == [] and done(one.call(lambda c: repository.sessions(c, "ann"))) == []
    one.close()
    other.close()


def test_a_writer_that_waits_for_its_disk_costs_no_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(f"sqlite:///{tmp_path / 'joyvl.db'}", 1 << 30, 365_000)
    monkeypatch.setattr(repository, "write", _raise)
    for number in range(12_000):
        writer.put(event(number))
    job = writer.call(lambda c: "done")
    _settled(writer, lambda: bool(writer.fault))
    spent = time.process_time()
    time.sleep(1.5)
    assert time.process_time() - spent < 0.5 and job.result(timeout=5) == "done"
    writer.close()


def test_a_session_that_began_while_nothing_could_be_written_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joyvl_app.store.writer._MOST", 20)
    writer, write = Writer(f"sqlite:///{tmp_path / 'joyvl.db'}", 1 << 30, 365_000), repository.write
    monkeypatch.setattr(repository, "write", _raise)
    writer.put(session())
    for number in range(60):
        writer.put(event(number))
    _settled(writer, lambda: bool(writer.fault))
    monkeypatch.setattr(repository, "write", write)
    _settled(writer, lambda: writer.fault == "" and not writer._waiting)
    writer.put(event(100))
    lines = done(writer.call(lambda c: repository.events(c, "ann", 1)))
    assert lines[-1] == '{"number": 100}' and 15 <= len(lines) <= 22 and writer.lost == 61 - len(lines)
    writer.close()


def test_accents_are_the_same_in_both_databases(writer: Writer) -> None:
    writer.put(session())
    writer.put(passage("Résumé im Café Müller"))
    assert found(writer, "cafe") == found(writer, "résumés") == found(writer, "muller") == ["Résumé im Café Müller"]
