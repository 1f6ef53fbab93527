"""The log of one session: a bounded tail in memory for pages that reconnect, and JSON lines on disk.

Writing happens on its own thread and is flushed line by line, so a killed process loses at most what the disk had
not taken yet, and the event loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from joyvl_app.errors import BadInput
from joyvl_app.events import Event, Footer, Header, parse_event

E = TypeVar("E", bound=BaseModel)
_TAIL = 1_200  # events kept for a page that reconnects: twenty minutes and more
_LISTENER_BACKLOG = 500


class EventLog:
    """Numbers events from 1, keeps the newest, writes all (up to `max_bytes`), and wakes listeners."""

    def __init__(self, path: Path | None = None, max_bytes: int = 64 << 20) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._tail: deque[tuple[int, Event]] = deque(maxlen=_TAIL)
        self._last = 0
        self._listeners: set[asyncio.Queue[tuple[int, Event] | None]] = set()
        self._closed = self._told_error = False
        self._writer = _Writer(path, max_bytes) if path else None
        self._followers: list[Callable[[int, Event], None]] = []

    @property
    def write_error(self) -> str | None:
        return self._writer.error if self._writer else None

    def take_error(self) -> str | None:
        """Why the log on disk falls behind what was decided; told once."""
        error = None if self._told_error else self.write_error
        self._told_error = self._told_error or error is not None
        return error

    def forget(self) -> None:
        """Delete what is on disk, and write nothing more there."""
        if self._writer:
            self._writer.forget()

    def append(self, event: Event) -> None:
        if self._closed:
            return
        event, line = written(event)
        self._last += 1
        self.counts[event.type] += 1
        self._tail.append((self._last, event))
        if self._writer:
            self._writer.put(line)
        for follower in self._followers:
            follower(self._last, event)
        for listener in self._listeners:
            _offer(listener, (self._last, event))

    def follow(self, follower: Callable[[int, Event], None]) -> None:
        """Call `follower` with every event and its number, those of before first. It must be quick and must not raise."""
        for number, event in self._tail:
            follower(number, event)
        self._followers.append(follower)

    def show(self, event: Event) -> None:
        """To whoever listens now, without a number; nothing is kept."""
        event, _ = written(event)
        for listener in self._listeners:
            _offer(listener, (0, event))

    def events(self) -> list[Event]:
        return [event for _, event in self._tail]

    def listen(self, after: int = 0) -> asyncio.Queue[tuple[int, Event] | None]:
        """A queue that starts with what came after number `after` and goes on live; None ends it."""
        listener: asyncio.Queue[tuple[int, Event] | None] = asyncio.Queue(_TAIL + _LISTENER_BACKLOG)
        for item in self._tail:
            if item[0] > after:
                listener.put_nowait(item)
        if self._closed:
            listener.put_nowait(None)
        else:
            self._listeners.add(listener)
        return listener

    def unlisten(self, listener: asyncio.Queue[tuple[int, Event] | None]) -> None:
        self._listeners.discard(listener)

    def close(self, t: float) -> None:
        """Write the footer, end every listener and wait for the disk; later appends are ignored. Safe to call twice."""
        self.end(t)
        self.flush()

    def flush(self) -> None:
        """Wait for the disk, five seconds at most: call it off the event loop, after `end`."""
        if self._writer:
            self._writer.close()

    def end(self, t: float) -> None:
        """Append the footer and end every listener, without waiting for the disk."""
        if self._closed:
            return
        self.append(Footer(t=t, counts=dict(self.counts)))
        self._closed = True
        for listener in self._listeners:
            _offer(listener, None)
        self._listeners.clear()


def written(event: E) -> tuple[E, str]:
    """An event and its line. What cannot be written as text (halves of a pair, which models may give) is replaced."""
    try:
        return event, event.model_dump_json()
    except PydanticSerializationError:
        event = type(event).model_validate(_mended(event.model_dump()))
        return event, event.model_dump_json()


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _mended(part) for key, part in value.items()}
    return [_mended(part) for part in value] if isinstance(value, list | tuple) else value


def _offer(listener: asyncio.Queue[tuple[int, Event] | None], item: tuple[int, Event] | None) -> None:
    """A page that no longer reads loses its oldest events; it can never hold up the session."""
    if listener.full():
        listener.get_nowait()
    listener.put_nowait(item)


class _Writer:
    """Appends lines to a file on a daemon thread; past `max_bytes` it stops and says so in `error`."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.error: str | None = None
        self._left, self._path, self._forgotten = max_bytes, path, False
        self._lines: queue.Queue[str | None] = queue.Queue(10_000)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.error = "the disk is too slow for the event log; some lines are missing"

    def forget(self) -> None:
        self._forgotten = True
        self.put("")

    def close(self) -> None:
        """Waits up to five seconds for the disk: call it off the event loop."""
        try:
            self._lines.put(None, timeout=5)
        except queue.Full:
            self.error = "the disk does not take the event log; its last lines are missing"
            return
        self._thread.join(timeout=5)

    def _run(self) -> None:
        with self._file as file:
            while (line := self._lines.get()) is not None:
                if self._forgotten:
                    file.truncate(0)
                else:
                    self._write(file, line)
        if self._forgotten:
            self._path.unlink(missing_ok=True)

    def _write(self, file: IO[str], line: str) -> None:
        self._left -= len(line) + 1
        if self._left < 0:
            self.error = "the event log reached its size limit; later events are not written"
            return
        try:
            file.write(line + "\n")
            file.flush()
        except OSError as error:
            self.error = f"the event log cannot be written: {error.strerror}"


def read_log(path: Path, headed: bool = True) -> Iterator[Event]:
    """Events of a log file in order. A torn last line (a killed writer) is dropped; any other fault raises BadInput. A file that
    somebody wrote by hand need not be `headed`.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise BadInput(f"Cannot read the log {path}: {error.strerror}.") from error
    complete, torn = lines[:-1], lines[-1]
    for number, line in enumerate([*complete, torn] if torn else complete, start=1):
        try:
            event = parse_event(line)
        except ValidationError as error:
            if torn and number == len(lines):
                return
            fault = error.errors()[0]["msg"]
            raise BadInput(f"{path.name}, line {number} is not an event: {fault}.") from error
        if number == 1 and headed and not isinstance(event, Header):
            raise BadInput(f"{path.name} does not start with a header, so it is not an event log.")
        yield event
