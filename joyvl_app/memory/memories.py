"""What all sessions' memories share: the archive, the summariser, the thread that makes key frames."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from joyvl_app.memory.archive import Archive
from joyvl_app.memory.digest import DigestSummarizer
from joyvl_app.memory.gallery import Gallery
from joyvl_app.memory.session_memory import SessionMemory, keeper
from joyvl_app.memory.tiers import Bounds, Tiers
from joyvl_app.ports import Clock, Summarizer
from joyvl_app.settings import Settings

_SCRATCH_MB = 512


@dataclass(frozen=True)
class Visit:
    """Who watches what, by what name: how a session stands in the archive."""

    name: str
    owner: str
    scenario: str
    source: str
    decider: str
    language: str = "en"


class Memories:
    """`archive` None: nothing outlives a session, and nothing can be searched."""

    def __init__(self, settings: Settings, summarizer: Summarizer, archive: Archive | None) -> None:
        self._settings, self._summarizer, self.archive = settings, summarizer, archive
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="key-frames")

    def window(self, clock: Clock) -> Tiers:
        """A session's tiers, bounded as the settings say."""
        s = self._settings
        bounds = Bounds(s.summary_tokens, s.block_tokens, s.memory_tokens, s.blocks, s.summary_seconds, s.summary_ahead)
        return Tiers(clock, self._summarizer, s.chunk_seconds, s.qa_pairs, bounds)

    def make(self, visit: Visit, clock: Clock, pictures_wanted: Callable[[], bool]) -> SessionMemory:
        """A new session's memory, on its own clock."""
        record = None
        if self.archive:
            began = time.time() - clock.now()
            record = self.archive.begin(
                visit.name, visit.owner, visit.scenario, visit.source, visit.decider, began, visit.language
            )
        gallery = Gallery(self._pool, self._settings.key_frames, keeper(record, pictures_wanted))
        return SessionMemory(clock, self.window(clock), gallery, record)

    async def aclose(self) -> None:
        await self._summarizer.aclose()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self.archive:
            await self.archive.aclose()


def open_archive(settings: Settings, clock: Clock) -> Archive | None:
    """The archive that the settings name. Raises BadInput or MissingPart when it cannot be opened."""
    if settings.archive == "off":
        return None
    url = settings.database_url.get_secret_value() or f"sqlite:///{settings.data_dir / 'joyvl.db'}"
    return Archive(clock, url, settings.archive_mb, settings.archive_days)


class ScratchArchive(Archive):
    """An archive for one run of the command line, deleted at its end."""

    def __init__(self, clock: Clock) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="joyvl-"))
        super().__init__(clock, f"sqlite:///{self._folder / 'scratch.db'}", _SCRATCH_MB, 3_650)

    async def aclose(self) -> None:
        await super().aclose()
        shutil.rmtree(self._folder, ignore_errors=True)


def make_summarizer(settings: Settings, clock: Clock) -> Summarizer:
    """The one that the settings name. Raises BadInput when it has no server."""
    if settings.summarizer == "scripted":
        from joyvl_app.memory.scripted import ScriptedSummarizer

        return ScriptedSummarizer()
    url = settings.summarizer_url or settings.openai_urls.split(",")[0].strip()
    if settings.summarizer == "model" or (settings.summarizer == "auto" and url):
        from joyvl_app.memory.chat import ChatSummarizer

        return ChatSummarizer(settings, url, clock)
    return DigestSummarizer(clock)
