"""The store when something is wrong: a disk that is full, locked, gone; a process that is killed; rows that no database takes."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from joyvl_app.store import database, repository
from joyvl_app.store.values import NewFrame, NewPassage
from joyvl_app.store.words import indexed
from joyvl_app.store.writer import Writer
from tests.databases import NOW, done, event, found, passage, session, settled, url, writer
from tests.support import ROOT

__all__ = ["url", "writer"]  # pytest finds fixtures by their names


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
    settled(writer, lambda: "locked" in writer.fault)
    lock.execute("ROLLBACK")
    settled(writer, lambda: writer.fault == "")
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
    settled(writer, lambda: "full" in writer.fault)
    done(writer.call(lambda c: c.exec_driver_sql("PRAGMA max_page_count=1000000").all()))
    settled(writer, lambda: writer.fault == "")
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
    settled(writer, lambda: "was removed; a new one was begun" in writer.fault)
    assert found(writer, "after") == ["after"] and found(writer, "before") == []
    assert file.exists()
    writer.close()


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joyvl_app.store.writer._MOST", 100)
    writer = Writer(f"sqlite:///{tmp_path / 'joyvl.db'}", 1 << 30, 365_000)
    monkeypatch.setattr(repository, "write", _raise)
    for number in range(1_000):
        writer.put(event(number))
    settled(writer, lambda: bool(writer.fault))
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
from tests.databases import session, event, passage
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
    settled(writer, lambda: bool(writer.fault))
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
    settled(writer, lambda: bool(writer.fault))
    monkeypatch.setattr(repository, "write", write)
    settled(writer, lambda: writer.fault == "" and not writer._waiting)
    writer.put(event(100))
    lines = done(writer.call(lambda c: repository.events(c, "ann", 1)))
    assert lines[-1] == '{"number": 100}' and 15 <= len(lines) <= 22 and writer.lost == 61 - len(lines)
    writer.close()


def test_accents_are_the_same_in_both_databases(writer: Writer) -> None:
    writer.put(session())
    writer.put(passage("Résumé im Café Müller"))
    assert found(writer, "cafe") == found(writer, "résumés") == found(writer, "muller") == ["Résumé im Café Müller"]
