"""The openai_chat decider: the pool of servers that all sessions share."""

from __future__ import annotations

from openai import AsyncOpenAI

from joyvl_app.deciders.openai_chat.pool import Endpoint, Pool
from joyvl_app.deciders.openai_chat.watcher import OpenAiWatcher
from joyvl_app.errors import BadInput
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings


class OpenAiDecider:
    """Raises BadInput when no usable address is given. A server that is down is told second by second, not at the start."""

    name = "openai_chat"

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock, self._settings = clock, settings
        urls = [url.strip().rstrip("/") for url in settings.openai_urls.split(",") if url.strip()]
        if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
            raise BadInput("The openai_chat decider needs JOYVL_OPENAI_URLS, for example http://localhost:8000/v1")
        self._urls = urls
        self._pool: Pool | None = None

    async def start(self) -> None:
        if self._pool is None:
            self._pool = Pool([self._endpoint(number, url) for number, url in enumerate(self._urls, start=1)])

    def _endpoint(self, number: int, url: str) -> Endpoint:
        settings = self._settings
        key = settings.openai_key.get_secret_value() or "none"
        client = AsyncOpenAI(base_url=url, api_key=key, timeout=settings.openai_seconds, max_retries=0)
        name = "The model server" if len(self._urls) == 1 else f"Model server {number}"
        return Endpoint(name, client, settings.openai_model, bool(settings.openai_model))

    def open(self, session_id: str) -> OpenAiWatcher:
        assert self._pool is not None, "start() comes before open()"
        return OpenAiWatcher(session_id, self._pool, self._clock, self._settings)

    async def aclose(self) -> None:
        if self._pool:
            await self._pool.aclose()
