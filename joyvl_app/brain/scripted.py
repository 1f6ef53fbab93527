"""A brain with prepared answers and a known delay, on the session's own clock."""

from __future__ import annotations

from collections.abc import Mapping

from joyvl_app.domain import Answer, Delegation
from joyvl_app.errors import ProviderFailed
from joyvl_app.ports import Clock, Errand, Provider, SessionTools


class ScriptedBrain(Provider):
    """Answers a question whose text contains a key of `answers`; anything else fails."""

    def __init__(self, clock: Clock, answers: Mapping[str, str] | None = None, seconds: float = 2.0) -> None:
        self._clock, self._answers, self._seconds = clock, dict(answers or {}), seconds

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer:
        errand.report("looking it up")
        await self._clock.sleep_until(self._clock.now() + self._seconds)
        for key, digest in self._answers.items():
            if key.lower() in task.question.lower():
                return Answer(task.id, "ready", digest, digest)
        raise ProviderFailed("I have no answer prepared for that.")
