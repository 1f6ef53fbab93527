"""Bounded hand-overs between tasks; the policy when full is in the name."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from joyvl_app.domain import AudioChunk, Frame

T = TypeVar("T")
_FRESH = 16  # frames kept for the next choice of looks …
_APART = 0.12  # … and the seconds between them: pictures are large


class Latest(Generic[T]):
    """One slot: the newest value wins, and every value overwritten unread is counted."""

    def __init__(self) -> None:
        self._value: T | None = None
        self._ready = asyncio.Event()
        self.dropped = 0

    def put(self, value: T) -> None:
        self.dropped += self._value is not None
        self._value = value
        self._ready.set()

    def peek(self) -> T | None:
        return self._value

    def take(self) -> T | None:
        value, self._value = self._value, None
        self._ready.clear()
        return value

    async def get(self) -> T:
        while (value := self.take()) is None:
            await self._ready.wait()
        return value


class Looks:
    """The newest `per_second` evenly spaced looks of the current second, oldest first; the rest of the stream is dropped."""

    def __init__(self, per_second: int) -> None:
        self._spacing = 1.0 / per_second
        self._per_second = per_second
        self._fresh: deque[Frame] = deque(maxlen=_FRESH)
        self._newest: Frame | None = None
        self._taken_t = float("-inf")
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        self._newest = frame
        if len(self._fresh) >= 2 and frame.t - self._fresh[-2].t < _APART:
            self._fresh[-1] = frame
            self.dropped += 1
        else:
            self.dropped += len(self._fresh) == _FRESH
            self._fresh.append(frame)

    @property
    def newest(self) -> Frame | None:
        return self._newest

    def take(self) -> tuple[Frame, ...]:
        """The looks since the last call: the newest frame stands last, those before it a period apart as nearly as there are."""
        chosen: list[Frame] = []
        due = float("inf")
        for frame in reversed(self._fresh):
            if frame.t <= due and frame.t - self._taken_t >= 0.5 * self._spacing and len(chosen) < self._per_second:
                chosen.append(frame)
                due = frame.t - 0.95 * self._spacing
        if not chosen and self._fresh:
            chosen = [self._fresh[-1]]
        self.dropped += len(self._fresh) - len(chosen)
        self._fresh.clear()
        self._taken_t = chosen[0].t if chosen else self._taken_t
        return tuple(reversed(chosen))


class AudioQueue:
    """Audio bounded in seconds: the oldest is dropped when full, and `dropped_seconds` tells how much."""

    def __init__(self, max_seconds: float) -> None:
        self._max = max_seconds
        self._chunks: deque[AudioChunk] = deque()
        self._ready = asyncio.Event()
        self.dropped_seconds = 0.0

    @property
    def seconds(self) -> float:
        return sum(chunk.seconds for chunk in self._chunks)

    def put(self, chunk: AudioChunk) -> None:
        self._chunks.append(chunk)
        while self.seconds > self._max and len(self._chunks) > 1:
            self.dropped_seconds += self._chunks.popleft().seconds
        self._ready.set()

    def take(self) -> AudioChunk | None:
        return self._chunks.popleft() if self._chunks else None

    def clear(self) -> None:
        self._chunks.clear()

    async def get(self) -> AudioChunk:
        while (chunk := self.take()) is None:
            self._ready.clear()
            await self._ready.wait()
        return chunk
