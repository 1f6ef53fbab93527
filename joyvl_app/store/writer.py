"""One thread writes, a few times a second, all that has come in meanwhile. Nobody waits for a disk, and nothing is lost while
the disk is full or the database is locked: it is kept and tried again.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from joyvl_app.errors import JoyError, ProviderFailed
from joyvl_app.store import repository
from joyvl_app.store.database import WRITES, database_file, open_database, reason
from joyvl_app.store.values import Ended, NewEvent, NewFrame, NewPassage, NewSession, Write

R = TypeVar("R")
EVERY = 0.25  # seconds between two writes
_AGAIN = 1.0  # … after one that failed
_MOST = 50_000  # writes that wait at most …
_MOST_FRAMES = 200  # … and pictures among them
_TIDY_EVERY = 60.0  # seconds between two looks at age and size
_TIDY_SHARE = 0.04  # … or sooner, when so much of the bound has been written since
_FULL = 0.85  # of the bound is what tidying leaves: the rest is for what comes until the next time, and for the journal
_MOST_JOBS = 1_000
_TOLD = 5.0  # seconds for which a removed file is told
_REMOVED = "The archive's file was removed; a new one was begun. What it held is gone."
_AT_ONCE = 5_000  # writes in one transaction


class Writer:
    """Opens the database, writes to it, keeps it within its bounds. `fault` says what is wrong now; "" when nothing is."""

    def __init__(self, url: str, most_bytes: int, days: float) -> None:
        self.fault = ""
        self.lost = 0  # writes that were given up because too many waited
        self._url, self._most_bytes, self._seconds = url, most_bytes, days * 86_400
        self.engine: Engine = open_database(url)
        self._inode = self._file_id()
        self._tidied = self._removed_at = -_TIDY_EVERY
        self._written = 0  # bytes since it was last tidied
        self._waiting: deque[Write] = deque()
        self._jobs: deque[tuple[Callable[[Connection], Any], Future[Any]]] = deque()
        self._sessions: dict[int, NewSession] = {}
        self._forgotten: set[int] = set()
        self._more, self._closing = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def put(self, item: Write) -> None:
        """Have it written soon; never waits."""
        with self._more:
            if isinstance(item, NewSession):
                self._sessions[item.id] = item
            if _session_of(item) in self._forgotten:
                if isinstance(item, Ended):
                    self._forgotten.discard(item.session_id)
                return
            self._waiting.append(item)
            self._keep_bounds(item)

    def call(self, work: Callable[[Connection], R]) -> Future[R]:
        """Do `work` in a transaction of its own, after everything that was put before. Raises ProviderFailed, while nothing can
        be written too.
        """
        future: Future[R] = Future()
        with self._more:
            if self._closing or len(self._jobs) >= _MOST_JOBS:
                future.set_exception(ProviderFailed("The archive is closed." if self._closing else "The archive is too busy."))
                return future
            self._jobs.append((work, future))
            self._more.notify()
        return future

    def settled(self) -> Future[None]:
        """Done when everything that was put before has been written, or has failed."""
        return self.call(_nothing)

    def forget(self, *session_ids: int) -> None:
        """Write nothing more of these sessions."""
        with self._more:
            self._forgotten.update(session_id for session_id in session_ids if session_id in self._sessions)
            for session_id in session_ids:
                self._sessions.pop(session_id, None)
            self._waiting = deque(item for item in self._waiting if _session_of(item) not in session_ids)

    def running_of(self, owner: str) -> list[int]:
        """The sessions of an owner that have not ended."""
        with self._more:
            return [session.id for session in self._sessions.values() if session.owner == owner]

    def close(self) -> None:
        """Write what waits, for five seconds at most. Call it off the event loop."""
        with self._more:
            self._closing = True
            self._more.notify()
        self._thread.join(timeout=5)
        self.engine.dispose()

    # --- on the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failed = closing = False
        while not closing or (self._waiting and not failed):
            with self._more:
                if not self._closing and (failed or not self._jobs):
                    self._more.wait(_AGAIN if failed else EVERY)
                batch, closing = self._take(), self._closing
                jobs = self._take_jobs(failed)
            failed = bool(batch) and not self._try(partial(self._write, batch))
            if failed:
                self._put_back(batch)
            for work, future in jobs:
                self._do(work, future)
            if not failed:
                self._tidy_in_time()

    def _try(self, work: Callable[[], None]) -> bool:
        """Whether it went well; if not, `fault` says why, and it is worth trying again. Nothing ends this thread."""
        try:
            self._look_for_file()
            work()
        except DBAPIError as error:
            self.fault = f"The archive cannot be written ({reason(error)}). It is kept and tried again."
        except Exception as error:
            told = str(error) if isinstance(error, OSError | JoyError) else type(error).__name__
            self.fault = f"The archive cannot be written ({told}). It is kept and tried again."
        else:
            self.fault = _REMOVED if time.monotonic() - self._removed_at < _TOLD else ""
            return True
        return False

    def _write(self, batch: list[Write]) -> None:
        try:
            self._in_one(batch)
        except OperationalError:
            raise  # the database's own trouble: all of it is tried again
        except (DBAPIError, ValueError, TypeError, AttributeError):  # one of them cannot be written, whatever the others are
            for item in self._of_known_sessions(batch):
                self._alone(item)
        for item in batch:
            if isinstance(item, Ended):
                self._sessions.pop(item.session_id, None)

    def _in_one(self, batch: list[Write]) -> None:
        with self._begin() as connection:
            self._written += repository.write(connection, batch)

    def _of_known_sessions(self, batch: list[Write]) -> list[Write]:
        """Without what belongs to sessions that somebody has deleted: nothing more is written of those."""
        fresh = {item.id for item in batch if isinstance(item, NewSession)}
        ids = {_session_of(item) for item in batch}
        with self._begin() as connection:
            there = repository.known(connection, ids) | fresh
        with self._more:
            self._forgotten.update(ids - there)
        return [item for item in batch if _session_of(item) in there]

    def _alone(self, item: Write) -> None:
        try:
            self._in_one([item])
        except OperationalError:
            raise
        except (DBAPIError, ValueError, TypeError, AttributeError):
            self.lost += 1

    def _tidy_in_time(self) -> None:
        grown = self._written > self._most_bytes * _TIDY_SHARE
        if grown or time.monotonic() - self._tidied > _TIDY_EVERY:
            self._tidied, self._written = time.monotonic(), 0
            self._try(self._tidy)

    def _tidy(self) -> None:
        with self._more:
            running = list(self._sessions)
        with self._begin() as connection:
            repository.forget_before(connection, time.time() - self._seconds, running)
        deleted = 1
        while deleted:
            with self._begin() as connection:
                deleted = repository.shrink(connection, int(self._most_bytes * _FULL), running)
        repository.give_back_pages(self.engine)

    def _do(self, work: Callable[[Connection], Any], future: Future[Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            if work is _nothing:
                result = None
            else:
                with self._begin() as connection:
                    result = work(connection)
        except DBAPIError as error:
            future.set_exception(ProviderFailed(f"The archive cannot do that now: {reason(error)}."))
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def _begin(self) -> AbstractContextManager[Connection]:
        return self.engine.execution_options(**{WRITES: True}).begin()

    def _look_for_file(self) -> None:
        """A file that was deleted is written to in vain: begin a new one, with the sessions that are still running."""
        if self._inode is None or self._file_id() == self._inode:
            return
        self.engine.dispose()
        for leftover in ("-wal", "-shm"):
            Path(f"{database_file(self.engine)}{leftover}").unlink(missing_ok=True)
        self.engine = open_database(self._url)
        self._inode = self._file_id()
        with self._begin() as connection:
            repository.write(connection, list(self._sessions.values()))
        self._removed_at = time.monotonic()

    def _file_id(self) -> int | None:
        file = database_file(self.engine)
        try:
            return os.stat(file).st_ino if file else None
        except OSError:
            return -1

    def _take(self) -> list[Write]:
        return [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]

    def _take_jobs(self, failed: bool) -> list[tuple[Callable[[Connection], Any], Future[Any]]]:
        """Only once all that was put before them has been taken, or when nothing can be written anyway."""
        if self._waiting and not self._closing and not failed:
            return []
        jobs, self._jobs = [*self._jobs], deque()
        return jobs

    def _put_back(self, batch: list[Write]) -> None:
        with self._more:
            kept = [item for item in batch if _session_of(item) not in self._forgotten]
            self._waiting.extendleft(reversed(kept))
            self._keep_bounds(None)

    def _keep_bounds(self, newest: Write | None) -> None:
        if isinstance(newest, NewFrame) and sum(isinstance(item, NewFrame) for item in self._waiting) > _MOST_FRAMES:
            self._waiting.remove(next(item for item in self._waiting if isinstance(item, NewFrame)))
            self.lost += 1
        while len(self._waiting) > _MOST:
            self._waiting.remove(next(item for item in self._waiting if not isinstance(item, NewSession | Ended)))
            self.lost += 1


def _nothing(connection: Connection) -> None:
    """The work of waiting."""


def _session_of(item: Write) -> int:
    if isinstance(item, NewSession):
        return item.id
    assert isinstance(item, Ended | NewEvent | NewPassage | NewFrame)
    return item.session_id
