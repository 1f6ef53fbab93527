"""Several servers: a session stays with one (its prefix cache lives there) until that dies; the dead are asked again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection
from dataclasses import dataclass, field

from openai import APIStatusError, AsyncOpenAI, OpenAIError

from joyvl_app.errors import BadInput, ProviderFailed

_PROBE_SECONDS = 3.0
_NOBODY = (502, 503, 504)
_LONGEST_PAUSE = 60.0  # seconds between two questions whether a dead server lives again


@dataclass(eq=False)
class Endpoint:
    """One server and what was learned of it: whether it streams, knows vLLM's extra parameters, how many pictures it takes."""

    name: str  # for people: addresses are nobody's business but the operator's
    client: AsyncOpenAI
    model: str
    model_is_given: bool = False
    sessions: set[str] = field(default_factory=set)
    up: bool = True
    failures: int = 0
    streams: bool = True
    extras: bool = True
    has_streamed: bool = False
    has_taken_extras: bool = False
    most_pictures: int = 1_000
    trouble: str = ""  # what it said last

    async def model_name(self) -> str:
        """The configured name, else the first that the server lists. Raises OpenAIError, BadInput."""
        if not self.model:
            listed = await self.client.models.list()
            names = [str(model.id) for model in (listed.data or [])]
            if not names:
                raise BadInput(f"{self.name} lists no model. Set JOYVL_OPENAI_MODEL.")
            self.model = names[0]
        return self.model

    def forget(self) -> None:
        """What was found out may have changed with the server's restart."""
        self.streams = self.extras = True
        self.has_streamed = self.has_taken_extras = False
        self.most_pictures = 1_000
        if not self.model_is_given:
            self.model = ""


class Pool:
    """Picks by stickiness, then by the fewest sessions. `watch` runs in the background and brings servers back."""

    def __init__(self, endpoints: Collection[Endpoint], pause: float = 1.0) -> None:
        self.endpoints = list(endpoints)
        self._pause = pause
        self._homes: dict[str, Endpoint] = {}
        self._revivals: dict[Endpoint, asyncio.Task[None]] = {}

    def pick(self, session: str, tried: Collection[Endpoint] = ()) -> Endpoint:
        """The session's server. Raises ProviderFailed when none is up that was not tried already."""
        home = self._homes.get(session)
        if home and home.up and home not in tried:
            return home
        free = [endpoint for endpoint in self.endpoints if endpoint.up and endpoint not in tried]
        if not free:
            told = next((endpoint.trouble for endpoint in self.endpoints if endpoint.trouble), "No model server answers.")
            raise ProviderFailed(f"{told} I go on asking.")
        self.leave(session)
        home = self._homes[session] = min(free, key=lambda endpoint: len(endpoint.sessions))
        home.sessions.add(session)
        return home

    def leave(self, session: str) -> None:
        if home := self._homes.pop(session, None):
            home.sessions.discard(session)

    def worked(self, endpoint: Endpoint) -> None:
        endpoint.failures, endpoint.up, endpoint.trouble = 0, True, ""

    def failed(self, endpoint: Endpoint, trouble: str) -> None:
        """Out of the running until it answers a question again."""
        endpoint.failures += 1
        endpoint.up, endpoint.trouble = False, trouble
        if endpoint not in self._revivals:
            self._revivals[endpoint] = asyncio.create_task(self._revive(endpoint))

    async def aclose(self) -> None:
        tasks = list(self._revivals.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for endpoint in self.endpoints:
            await endpoint.client.close()

    async def _revive(self, endpoint: Endpoint) -> None:
        """Ask again and again, ever more rarely, with a little chance so that many do not ask at once."""
        pause = self._pause * 2 ** min(endpoint.failures - 1, 10)
        try:
            while not endpoint.up:
                await asyncio.sleep(min(_LONGEST_PAUSE, pause) * random.uniform(0.7, 1.3))
                pause *= 2
                if not endpoint.up and await _answers(endpoint) and not endpoint.up:
                    endpoint.forget()
                    endpoint.up = True
        finally:
            self._revivals.pop(endpoint, None)


async def _answers(endpoint: Endpoint) -> bool:
    """Whether anybody is there who answers questions; a proxy that says otherwise is nobody."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await endpoint.client.models.list()
    except APIStatusError as error:
        return error.status_code not in _NOBODY
    except (OpenAIError, TimeoutError, ValueError, AttributeError):
        return False
    return True
