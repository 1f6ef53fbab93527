"""The ballot box: one thread writes, many at a time in one transaction; who waits for it knows that it is on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from joyvl_app.errors import Busy, ProviderFailed
from joyvl_app.store.database import WRITES, reason

R = TypeVar("R")
Work = Callable[[Connection], R]
_MOST = 2_000  # waiting
_TOGETHER = 100  # in one transaction


class BallotBox:
    """Every piece of work stands in a savepoint of its own: one that fails takes nothing of the others with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[tuple[Work[Any], Future[Any]]] = deque()
        self._more = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="ballot-box", daemon=True)
        self._thread.start()

    def put(self, work: Work[R]) -> Future[R]:
        """Do `work` on the thread: done once it is committed. Raises ProviderFailed when it cannot be, Busy for a crowd."""
        future: Future[R] = Future()
        with self._more:
            if self._closing or len(self._waiting) >= _MOST:
                future.set_exception(Busy("Too many votes are coming in; nothing is lost, try again in a moment."))
                return future
            self._waiting.append((work, future))
            self._more.notify()
        return future

    def close(self) -> None:
        """Write what waits, for five seconds at most. Call it off the event loop."""
        with self._more:
            self._closing = True
            self._more.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._waiting or self._closing)
                batch = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
                if not batch and self._closing:
                    return
            self._write([(work, future) for work, future in batch if future.set_running_or_notify_cancel()])

    def _write(self, batch: list[tuple[Work[Any], Future[Any]]]) -> None:
        """All together; where that cannot be done, each alone, so that one does not keep the others from being stored."""
        try:
            settled = self._together(batch)
        except Exception as error:
            if len(batch) > 1:
                for one in batch:
                    self._write([one])
                return
            settled = [(batch[0][1], None, _fault(error))]
        for future, result, failed in settled:
            if failed:
                future.set_exception(failed)
            else:
                future.set_result(result)

    def _together(self, batch: list[tuple[Work[Any], Future[Any]]]) -> list[tuple[Future[Any], Any, Exception | None]]:
        with self._engine.execution_options(**{WRITES: True}).begin() as connection:
            return [(future, *_tried(connection, work)) for work, future in batch]


def _tried(connection: Connection, work: Work[Any]) -> tuple[Any, Exception | None]:
    """What `work` returns or raises; a database that cannot write at all ends the whole transaction instead."""
    savepoint = connection.begin_nested()
    try:
        result = work(connection)
    except (DataError, IntegrityError, ProgrammingError) as error:
        savepoint.rollback()
        return None, _fault(error)
    except DBAPIError:
        raise  # its own savepoints may be gone with a full disk
    except Exception as error:
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return result, None


def _fault(error: Exception) -> ProviderFailed:
    told = reason(error) if isinstance(error, DBAPIError) else type(error).__name__
    return ProviderFailed(f"It could not be stored ({told}). Nothing is lost: it is kept in this page, try again.")
