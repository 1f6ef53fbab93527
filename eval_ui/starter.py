"""The starter study, so that a newcomer can rate at once: made ready when the Rate page is first opened, in the background."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

from sqlalchemy import select

from eval_ui.house import House
from eval_ui.studies import read_study
from joyvl_app.errors import words_of
from joyvl_app.store.models import StudyRow

STARTER = Path(__file__).resolve().parent.parent / "assets" / "rating" / "starter"
_ID = "starter"
_PAUSE = 60.0  # seconds


class Starter:
    """`state`: "" (not asked for, or not to be had), "preparing", "ready", or what went wrong."""

    def __init__(self, house: House, path: Path = STARTER) -> None:
        self.state = ""
        self._house, self._path = house, path
        self._task: asyncio.Task[None] | None = None
        self._again = 0.0

    async def begin(self) -> None:
        """Make it ready, once; after a failure again, a minute later. A study that somebody closed stays closed."""
        if not self._house.lasting or time.monotonic() < self._again:
            return
        self._again = math.inf
        self._task = asyncio.create_task(self._prepare())
        await asyncio.wait([self._task], timeout=0.05)  # most often it is there

    async def _prepare(self) -> None:
        try:
            if not await self._house.read(lambda c: c.execute(select(StudyRow.id).where(StudyRow.id == _ID)).scalar()):
                self.state = "preparing"
                await self._house.take_in(await asyncio.to_thread(read_study, self._path))
            self.state = "ready"
        except Exception as error:  # the other studies are not concerned
            self.state = f"The starter study cannot be shown: {words_of(error)}"
            self._again = time.monotonic() + _PAUSE

    async def aclose(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
