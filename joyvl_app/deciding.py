"""The watcher of one session: asked every second, and exchanged for another while the session runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from joyvl_app.domain import Decision, Moment
from joyvl_app.errors import JoyError
from joyvl_app.ports import Decider, Host, Watcher


class Deciding:
    """Starts the decider, opens its watcher, closes it; a second decision never begins before the first has ended."""

    def __init__(self, session_id: str, decider: Decider, host: Host) -> None:
        self._id, self._decider, self._host = session_id, decider, host
        self._watcher: Watcher | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._decider.name

    @property
    def about(self) -> str:
        """What its user should know of the decider, where there is anything."""
        return str(getattr(self._decider, "about", ""))

    @property
    def news(self) -> asyncio.Event:
        return self._present.news

    async def start(self) -> None:
        """Raises what the decider raises when it cannot be used."""
        await self._decider.start()
        self._watcher = self._opened(self._decider)

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
        if name == self.name:
            return True
        self._host.tell(f"Loading {name}; {self.name} goes on meanwhile.")
        try:
            decider = await asyncio.to_thread(make)
            await decider.start()
            opened = self._opened(decider)
        except Exception as error:  # whatever a plug-in raises, the watch goes on with the present one
            why = str(error) if isinstance(error, JoyError) else f"{type(error).__name__}: {error}"
            self._host.tell(f"{name} cannot be used, {self.name} goes on. {why}")
            return False
        async with self._one_at_a_time:
            before, self._watcher, self._decider = self._watcher, opened, decider
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
