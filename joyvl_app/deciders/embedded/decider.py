"""The embedded decider: the shared networks and their two threads."""

from __future__ import annotations

import asyncio
from pathlib import Path

from joyvl_app.deciders.embedded.watcher import EmbeddedWatcher
from joyvl_app.errors import JoyError, ProviderFailed
from joyvl_app.perception.cache import PerceptionCache
from joyvl_app.perception.eyes import Nets
from joyvl_app.perception.reader import Reader, TextReader
from joyvl_app.ports import Clock
from joyvl_app.worker import Worker


class EmbeddedDecider:
    """Loads its networks once, at the first `start`; every session opens its own watcher on them."""

    name = "embedded"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seeing, self._reading = Worker("eyes", clock), Worker("reader", clock)
        self._loading = asyncio.Lock()
        self._loaded: tuple[Nets, Reader] | None = None
        self._cache: PerceptionCache | None = None

    def remember(self, path: Path) -> None:
        """Keep what the networks find in a file, before `start`: for replays, where the same pictures come again."""
        self._cache = PerceptionCache(path)
        self._seeing.owed = self._reading.owed = self._cache.take_owed

    async def start(self) -> None:
        """Raises MissingPart when a weight or package is missing, ProviderFailed when loading fails otherwise."""
        async with self._loading:
            if self._loaded is None:
                try:
                    self._loaded = await asyncio.to_thread(self._load)
                except JoyError:
                    raise
                except Exception as error:
                    raise ProviderFailed(f"The embedded eyes could not be loaded: {error}") from error

    def _load(self) -> tuple[Nets, Reader]:
        nets, reader = Nets.load(), TextReader()
        return (self._cache.nets(nets), self._cache.reader(reader)) if self._cache else (nets, reader)

    def open(self, session_id: str) -> EmbeddedWatcher:
        assert self._loaded is not None, "start() comes before open()"
        return EmbeddedWatcher(*self._loaded, self._seeing, self._reading, self._clock)

    async def aclose(self) -> None:
        self._seeing.close()
        self._reading.close()
        if self._cache:
            self._cache.close()
