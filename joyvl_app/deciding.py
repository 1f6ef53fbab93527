"""The watcher of one session: asked every second, and exchanged for another while the session runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from joyvl_app.domain import Decision, Moment
from joyvl_app.errors import JoyError
from joyvl_app.ports import Clock, Decider, Host, Summarizer, Watcher
from joyvl_app.ticks import first_of

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds between two attempts to start a decider that failed


class Deciding:
    """Starts the decider, opens its watcher, closes it; a second decision never begins before the first has ended."""

    def __init__(self, session_id: str, decider: Decider, host: Host, fallback: Callable[[], Decider] | None = None) -> None:
        self._id, self._decider, self._host, self._fallback = session_id, decider, host, fallback
        self.ready = asyncio.Event()
        self._why = ""  # of the one that the app had chosen and could not use
        self._watcher: Watcher | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._decider.name

    @property
    def about(self) -> str:
        """What its user should know of the decider, where there is anything."""
        return self._why or str(getattr(self._decider, "about", ""))

    @property
    def summarizer(self) -> Summarizer | None:
        """The deciding model's own, where it has one."""
        return getattr(self._decider, "summarizer", None)

    @property
    def news(self) -> asyncio.Event:
        return self._present.news

    async def get_ready(self, clock: Clock, stopping: asyncio.Event, failed: Callable[[str], None]) -> None:
        """Until some decider is ready: the chosen one, however often it takes, the one to fall back on, or one that the user
        switched to meanwhile. Returns early when the session is stopped. `failed` tells each fault.
        """
        pause = _FIRST_PAUSE
        while not (self.ready.is_set() or stopping.is_set()):
            starting = asyncio.create_task(self._start(self._decider))
            try:
                await first_of(starting, self.ready.wait(), stopping.wait())
                if not starting.done() or not (fault := starting.exception()):
                    continue
                failed(_words(fault))
                if self._fallback:
                    make, self._fallback, self._why = self._fallback, None, _words(fault)
                    self._decider = await asyncio.to_thread(make)
                    continue
                await first_of(clock.sleep_until(clock.now() + pause), self.ready.wait(), stopping.wait())
                pause = min(2 * pause, _LONGEST_PAUSE)
            finally:
                starting.cancel()

    async def _start(self, decider: Decider) -> None:
        await decider.start()
        opened = self._opened(decider)
        if self._watcher:  # the user has switched to another meanwhile
            await opened.aclose()
        else:
            self._watcher = opened
            self.ready.set()

    async def decide(self, moment: Moment) -> Decision:
        async with self._one_at_a_time:
            return await self._present.decide(moment)

    def understood(self, instruction: str, language: str) -> str:
        return self._present.understood(instruction, language)

    def hush(self) -> None:
        if self._watcher:
            self._watcher.hush()

    async def switch(self, name: str, make: Callable[[], Decider]) -> bool:
        """Another decider from the next second on; the present one goes on until it is ready, and stays if it fails.

        `make` may import a great deal, so it runs off the loop. Told to the host all the way: a large model takes a while.
        """
        if name == self.name and self.ready.is_set():
            return True
        self._host.tell(f"Loading {name}; {self.name} goes on meanwhile." if self.ready.is_set() else f"Loading {name}.")
        try:
            decider = await asyncio.to_thread(make)
            await decider.start()
            opened = self._opened(decider)
        except Exception as error:  # whatever a plug-in raises, the watch goes on with the present one
            self._host.tell(f"{name} cannot be used, {self.name} goes on. {_words(error)}")
            return False
        try:
            async with self._one_at_a_time:
                before, self._watcher, self._decider, self._why = self._watcher, opened, decider, ""
        except asyncio.CancelledError:  # the user has changed their mind
            await opened.aclose()
            raise
        self.ready.set()
        if before:
            await before.aclose()
        return True

    async def aclose(self) -> None:
        if self._watcher:
            with suppress(Exception):  # a plug-in that fails to close must not keep the log open
                await self._watcher.aclose()

    @property
    def _present(self) -> Watcher:
        assert self._watcher is not None, "start() comes first"
        return self._watcher

    def _opened(self, decider: Decider) -> Watcher:
        watcher = decider.open(self._id)
        watcher.host = self._host
        return watcher


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, JoyError) else f"{type(error).__name__}: {error}"
