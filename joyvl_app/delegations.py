"""The life of delegated questions: bounded in number, time and size; a failure becomes a failed Answer."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable

from joyvl_app.domain import Answer, AnswerStatus, Delegation
from joyvl_app.errors import JoyError
from joyvl_app.events import Answered, DelegationChanged, DelegationState, Event
from joyvl_app.ports import Brain, Clock, SessionTools
from joyvl_app.ticks import within

_MAX_DIGEST = 400
_WORDS = re.compile(r"[一-鿿]|[^\W一-鿿]+")


class Delegations:
    """Runs each question in the background, pushes its answer through `deliver`, and keeps it until it was said."""

    def __init__(
        self,
        brain: Brain,
        tools: SessionTools,
        clock: Clock,
        emit: Callable[[Event], None],
        deliver: Callable[[], None],
        *,
        at_most: int,
        seconds: float,
        card_chars: int,
    ) -> None:
        self._brain, self._tools, self._clock = brain, tools, clock
        self._emit, self._deliver = emit, deliver
        self._at_most, self._seconds, self._card_chars = at_most, seconds, card_chars
        self._numbers = itertools.count(1)
        self._running: dict[str, tuple[Delegation, asyncio.Task[None]]] = {}
        self._unsaid: dict[str, tuple[Answer, float]] = {}

    @property
    def unsaid(self) -> tuple[Answer, ...]:
        return tuple(answer for answer, _ in self._unsaid.values())

    def overdue(self, wait: float, floor_free_at: float) -> Answer | None:
        """The oldest answer that has been ready and unsaid for `wait` seconds of a free floor."""
        now = self._clock.now()
        ready = (answer for answer, since in self._unsaid.values() if now - max(since, floor_free_at) >= wait)
        return next(ready, None)

    def submit(self, question: str, group: asyncio.TaskGroup) -> None:
        task = Delegation(f"d{next(self._numbers)}", question, self._clock.now())
        self._change(task, "submitted")
        if len(self._running) >= self._at_most:
            self._finish(task, Answer(task.id, "failed", "I am already looking into several things; ask me again soon."))
            return
        self._running[task.id] = (task, group.create_task(self._solve(task)))

    def cancel(self, delegation_id: str) -> None:
        if found := self._running.get(delegation_id):
            found[1].cancel()

    def was_said(self, text: str) -> None:
        """Note which ready answers a spoken text has passed on."""
        for answer in self.unsaid:
            if _shares_words(answer.digest, text):
                self._unsaid.pop(answer.id)
                self._emit(Answered(t=self._clock.now(), id=answer.id, state="spoken", digest=answer.digest))

    def close(self) -> None:
        for _, job in self._running.values():
            job.cancel()

    async def _solve(self, task: Delegation) -> None:
        def report(step: str) -> None:
            self._change(task, "running", step[:200])

        self._change(task, "running")
        try:
            self._finish(task, await self._within_limits(task, report))
        except asyncio.CancelledError:
            self._finish(task, Answer(task.id, "cancelled", ""))
            raise

    async def _within_limits(self, task: Delegation, report: Callable[[str], None]) -> Answer:
        try:
            return await within(self._clock, self._seconds, self._brain.solve(task, self._tools, report))
        except TimeoutError:
            return Answer(task.id, "timed_out", "I could not find that out in time.")
        except JoyError as error:
            return Answer(task.id, "failed", str(error))
        except Exception as error:  # a plug-in's fault must not end the watch
            return Answer(task.id, "failed", f"I could not find that out ({type(error).__name__}).")

    def _finish(self, task: Delegation, answer: Answer) -> None:
        self._running.pop(task.id, None)
        answer = Answer(answer.id, answer.status, answer.digest[:_MAX_DIGEST], answer.card[: self._card_chars])
        state: DelegationState = _STATES[answer.status]
        self._change(task, state)
        now = self._clock.now()
        self._emit(Answered(t=now, id=answer.id, state=state, digest=answer.digest, card=answer.card))
        if answer.digest:
            self._unsaid[answer.id] = (answer, now)
            self._deliver()

    def _change(self, task: Delegation, state: DelegationState, detail: str = "") -> None:
        self._emit(DelegationChanged(t=self._clock.now(), id=task.id, state=state, question=task.question, detail=detail))


_STATES: dict[AnswerStatus, DelegationState] = {
    "ready": "ready",
    "failed": "failed",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
}


def _shares_words(digest: str, text: str) -> bool:
    """At least half of the digest's words (Chinese: signs) are in the text: models reword what they pass on."""
    words, spoken = (set(_WORDS.findall(part.lower())) for part in (digest, text))
    return bool(words) and len(words & spoken) * 2 >= len(words)
