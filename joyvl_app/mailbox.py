"""Bounded hand-overs between tasks; the policy when full is in the name."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from joyvl_app.domain import AudioChunk, Frame

T = TypeVar("T")


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
        self._spacing = 0.9 / per_second
        self._kept: deque[Frame] = deque(maxlen=per_second)
        self._newest: Frame | None = None
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        self._newest = frame
        if not self._kept or frame.t - self._kept[-1].t >= self._spacing:
            self._kept.append(frame)
        else:
            self.dropped += 1

    @property
    def newest(self) -> Frame | None:
        return self._newest

    def take(self) -> tuple[Frame, ...]:
        """The looks since the last call; the newest frame always stands last, so a decision never sees an old now."""
        looks, newest = list(self._kept), self._newest
        self._kept.clear()
        if newest is not None and looks and looks[-1] is not newest:
            full = len(looks) == self._kept.maxlen or newest.t - looks[-1].t < self._spacing / 2
            looks[-1:] = [newest] if full else [looks[-1], newest]
        return tuple(looks)


class AudioQueue:
    """Audio bounded in seconds: the oldest is dropped when full, and `dropped_seconds` tells how much."""

    def __init__(self, max_seconds: float) -> None:
        self._max = max_seconds
        self._chunks: deque[AudioChunk] = deque()
        self._ready = asyncio.Event()
        self._closed = False
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

    def close(self) -> None:
        self._closed = True
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[AudioChunk]:
        while True:
            while (chunk := self.take()) is not None:
                yield chunk
            if self._closed:
                return
            self._ready.clear()
            await self._ready.wait()
