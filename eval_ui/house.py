"""What the rating page needs to run: the database, the ballot box, the media, and whether votes would outlive a restart."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from eval_ui.box import BallotBox
from eval_ui.importing import Progress, digest_of, prepare_study
from eval_ui.keeping import delete_study, drop_media, fetch_media, keep_media, lost_media, media_names, refuse_change, write_study
from eval_ui.studies import Study
from joyvl_app.clock import RealClock
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.settings import Settings
from joyvl_app.store.database import database_file, open_database, reason
from joyvl_app.voices import Voices

R = TypeVar("R")
PERSISTENT = Path("/data")  # where a Space with persistent storage keeps it
_FLEETING = (
    "This Space collects no votes: its disk is wiped at every restart. Whoever runs it must set JOYVL_DATABASE_URL "
    "to a PostgreSQL, or add persistent storage and set JOYVL_DATA_DIR=/data/joyvl."
)


def is_mounted(path: Path) -> bool:
    """Whether this is a disk of its own, and can be written to."""
    return os.path.ismount(path) and os.access(path, os.W_OK)


def _keep(path: Path, connection: Connection) -> None:
    if not path.is_file():
        raise BadInput("A clip is gone that another import was just dropping. Import the study again.")
    keep_media(connection, path)


class House:
    """One process's rating. Raises BadInput or MissingPart when the database cannot be opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.media = settings.data_dir / "rating"
        url = settings.database_url.get_secret_value() or f"sqlite:///{settings.data_dir / 'rating.db'}"
        self._engine = open_database(url, durable=True)
        self._box = BallotBox(self._engine)

    @property
    def lasting(self) -> bool:
        """Whether votes outlive a restart: the disk of a Space is wiped unless it was bought."""
        url = self.settings.database_url.get_secret_value()
        if not self.settings.on_space or (url and not url.startswith("sqlite")):
            return True
        files = [self.settings.data_dir, *(file for file in (database_file(self._engine),) if file)]
        return is_mounted(PERSISTENT) and all(PERSISTENT in file.resolve().parents for file in files)

    @property
    def refusal(self) -> str:
        """Why no votes are collected here; "" where they are."""
        return "" if self.lasting else _FLEETING

    def refuse_fleeting(self) -> None:
        """Raises BadInput where votes would be lost."""
        if self.refusal:
            raise BadInput(self.refusal)

    async def write(self, work: Callable[[Connection], R]) -> R:
        """Do `work` in the ballot box; when this returns, it is on disk. Raises what `work` raises, ProviderFailed or Busy."""
        return await asyncio.wrap_future(self._box.put(work))

    async def read(self, work: Callable[[Connection], R]) -> R:
        """Raises what `work` raises, or ProviderFailed."""
        return await asyncio.to_thread(self._read, work)

    def _read(self, work: Callable[[Connection], R]) -> R:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except DBAPIError as error:
            raise ProviderFailed(f"The votes cannot be read now: {reason(error)}.") from error

    async def take_in(self, study: Study, progress: Progress = lambda told: None) -> tuple[str, list[str]]:
        """Import a study: what was done, and what its maker should know. Raises BadInput; then nothing has changed."""
        digest, name = await asyncio.to_thread(digest_of, study), study.spec.id
        there = await self.write(lambda connection: refuse_change(connection, name, digest))
        if there and not await self.read(lambda connection: lost_media(connection, self.media, name)):
            return f"The study {name} is there already, exactly like this.", []
        voices, before = Voices(self.settings, RealClock()), await self.read(media_names)
        try:
            most = self.settings.rating_mb << 20
            prepared = await prepare_study(study, digest, self.media, most, voices.chain(), progress)
        finally:
            await voices.aclose()
        try:
            for path in sorted({self.media / clip for clip in prepared.media}):
                await self.write(partial(_keep, path))
            told = await self.write(lambda connection: write_study(connection, prepared, time.time()))
        finally:  # of a study that was refused, or that replaced another
            await self.write(lambda connection: drop_media(connection, self.media, before | set(prepared.fresh)))
        return told, prepared.notes

    async def delete(self, study: str, with_votes: bool) -> None:
        """Raises BadInput when there is no such study, or it has votes and these are not to go too."""
        before = await self.read(media_names)
        await self.write(lambda connection: delete_study(connection, study, with_votes))
        await self.write(lambda connection: drop_media(connection, self.media, before))

    async def clip(self, name: str) -> Path | None:
        """Where a clip lies; fetched from the database if this disk has lost it."""
        path = self.media / name
        try:
            if path.is_file() or await self.read(lambda connection: fetch_media(connection, self.media, name)):
                return path
        except OSError as error:
            raise ProviderFailed(f"The clip cannot be stored here: {error.strerror}.") from error
        return None

    async def aclose(self) -> None:
        await asyncio.to_thread(self._box.close)
        self._engine.dispose()
