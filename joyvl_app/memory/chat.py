"""A summariser behind any OpenAI-compatible server."""

from __future__ import annotations

import asyncio
from typing import Any

from joyvl_app.dialect.summaries import summary_request
from joyvl_app.domain import Segment
from joyvl_app.errors import BadInput, MissingPart, ProviderFailed
from joyvl_app.memory.gallery import data_url
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings


class ChatSummarizer:
    """Sends what the evidence tells and some pictures; a server that takes no pictures is from then on asked without."""

    def __init__(self, settings: Settings, url: str, clock: Clock) -> None:
        """Raises BadInput without an address, MissingPart without the client."""
        if not url:
            raise BadInput("JOYVL_SUMMARIZER=model needs JOYVL_SUMMARIZER_URL, such as http://127.0.0.1:8000/v1.")
        try:
            from openai import AsyncOpenAI
        except ImportError as error:
            raise MissingPart("Summaries by a server need: pip install openai") from error
        key = settings.summarizer_key.get_secret_value() or settings.openai_key.get_secret_value() or "none"
        self._client = AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=settings.summary_seconds)
        self._model = settings.summarizer_model or ("" if settings.summarizer_url else settings.openai_model)
        self._clock = clock
        self.sees = True

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        await self._client.close()

    async def summarize(self, segment: Segment) -> str:
        """Raises ProviderFailed when the server does not answer with one."""
        text = summary_request(segment)
        pictures = await asyncio.to_thread(_data_urls, segment) if self.sees else []
        try:
            return await self._ask(text, pictures, segment.most_tokens)
        except ProviderFailed as error:
            if not pictures or not refuses_pictures(error.__cause__):
                raise
            self.sees = False
            return await self._ask(text, [], segment.most_tokens)

    async def _ask(self, text: str, pictures: list[str], most_tokens: int) -> str:
        content: Any = [{"type": "text", "text": text}, *({"type": "image_url", "image_url": {"url": url}} for url in pictures)]
        try:
            model = self._model or await self._first_model()
            reply = await self._clock.timed(
                self._client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": content if pictures else text}], max_tokens=2 * most_tokens
                )
            )
            return str(reply.choices[0].message.content or "")
        except Exception as error:  # the client and the server have many ways to fail
            raise ProviderFailed(f"The summarising server failed ({type(error).__name__}).") from error

    async def _first_model(self) -> str:
        async for model in self._client.models.list():
            self._model = str(model.id)
            return self._model
        raise ProviderFailed("The summarising server lists no model.")


def refuses_pictures(error: BaseException | None) -> bool:
    """Whether a server took the request for a wrong one, rather than failing at it."""
    return getattr(error, "status_code", None) in (400, 404, 413, 415, 422)


def _data_urls(segment: Segment) -> list[str]:
    return [data_url(frame.image) for frame in segment.frames]
