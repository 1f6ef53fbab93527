"""The life of delegated questions: bounded in number, time and size; a failure becomes a failed Answer.

An answer that comes after the user has turned to something else is offered, not blurted. What a brain wants to do to the world
is asked of the user first, and expires to "no".
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from joyvl_app.deciders.embedded.phrases import shortened
from joyvl_app.domain import Answer, AnswerStatus, Delegation
from joyvl_app.errors import words_of
from joyvl_app.events import Answered, DelegationChanged, DelegationState, Event, Permission, PermissionState
from joyvl_app.ports import Brain, Clock, SessionTools
from joyvl_app.settings import Settings
from joyvl_app.ticks import within

_MAX_DIGEST = 400
_MAX_STEP = 200
_MAX_STEPS = 40  # shown of one question; a brain that goes on is not heard
_MAX_DETAILS = 2_000  # characters of what an action would do
_PATIENCE = 15.0  # seconds within which an answer still belongs to what the user says now
_OFFER_STANDS = 60.0
_WORDS = re.compile(r"[一-鿿]|[^\W一-鿿]+")


@dataclass(frozen=True)
class Limits:
    at_most: int
    seconds: float
    card_chars: int
    permission_seconds: float

    @classmethod
    def of(cls, s: Settings) -> Limits:
        return cls(s.delegations_max, s.delegation_seconds, s.answer_chars, s.permission_seconds)


@dataclass
class _Unsaid:
    """An answer that waits to be said; `offer` is said in its place when the topic has moved on."""

    answer: Answer
    question: str
    since: float
    offer: str = ""
    offered_at: float | None = None

    def shown(self) -> Answer:
        return replace(self.answer, digest=self.offer) if self.offer else self.answer


class _Errand:
    """One question's line to the user: its steps, and leave to act."""

    def __init__(self, task: Delegation, owner: Delegations) -> None:
        self._task, self._owner = task, owner
        self._steps = itertools.count(1)

    def report(self, step: str) -> None:
        if next(self._steps) <= _MAX_STEPS:
            self._owner.change(self._task, "running", " ".join(step.split())[:_MAX_STEP])

    async def allowed(self, action: str, details: str) -> bool:
        return await self._owner.ask(self._task, action, details)


class Delegations:
    """Runs each question in the background, pushes its answer through `deliver`, and keeps it until it was said."""

    def __init__(self, brain: Brain, tools: SessionTools, clock: Clock, emit: Callable[[Event], None],
                 deliver: Callable[[], None], limits: Limits) -> None:  # fmt: skip
        self._brain, self._tools, self._clock = brain, tools, clock
        self._emit, self._deliver, self._limits = emit, deliver, limits
        self._numbers, self._requests = itertools.count(1), itertools.count(1)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._unsaid: dict[str, _Unsaid] = {}
        self._asked: dict[tuple[str, int], asyncio.Future[bool]] = {}
        self._topic = 0

    # --- answers that wait ---------------------------------------------------------------------------------------

    @property
    def unsaid(self) -> tuple[Answer, ...]:
        return tuple(waiting.shown() for waiting in self._unsaid.values() if waiting.offered_at is None)

    def overdue(self, wait: float, floor_free_at: float) -> Answer | None:
        """The oldest answer that has been ready and unsaid for `wait` seconds of a free floor."""
        now = self._clock.now()
        ready = (waiting for waiting in self._unsaid.values() if waiting.offered_at is None)
        due = (waiting.shown() for waiting in ready if now - max(waiting.since, floor_free_at) >= wait)
        return next(due, None)

    @property
    def offering(self) -> bool:
        """Whether a "tell me" would mean an answer."""
        return any(self._stands(waiting) for waiting in self._unsaid.values())

    def _stands(self, waiting: _Unsaid) -> bool:
        return waiting.offered_at is not None and self._clock.now() - waiting.offered_at <= _OFFER_STANDS

    def accepted(self, delegation_id: str = "") -> Answer | None:
        """The answer that the user wants to hear now: the one last offered, or (however long ago) the one named."""
        named = {number: waiting for number, waiting in self._unsaid.items() if waiting.offer}
        offered = [
            number
            for number, waiting in named.items()
            if number == delegation_id or (not delegation_id and self._stands(waiting))
        ]
        if not offered:
            return None
        taken = self._unsaid[offered[-1]]
        taken.offer, taken.offered_at, taken.since = "", None, self._clock.now()
        return taken.answer

    def was_said(self, text: str) -> None:
        """Note which ready answers a spoken text has passed on."""
        now = self._clock.now()
        for number, waiting in list(self._unsaid.items()):
            if not _shares_words(waiting.question if waiting.offer else waiting.answer.digest, text):
                continue
            if waiting.offer:
                waiting.offered_at = now
                continue
            del self._unsaid[number]
            answer = waiting.answer
            self._emit(Answered(t=now, id=answer.id, state="spoken", digest=answer.digest))

    def topic_moved(self) -> None:
        """The user has said something else."""
        self._topic += 1

    # --- questions -----------------------------------------------------------------------------------------------

    def submit(self, task: Delegation, group: asyncio.TaskGroup) -> None:
        """Hand a question to the brain; its `id` is given here."""
        task = replace(task, id=f"d{next(self._numbers)}")
        self.change(task, "submitted")
        if len(self._running) >= self._limits.at_most:
            busy = _IN_WORDS["busy"][task.language == "zh"]
            self._finish(task, Answer(task.id, "failed", busy), self._topic)
            return
        job = self._running[task.id] = group.create_task(self._solve(task, self._topic))
        topic = self._topic
        job.add_done_callback(lambda _: self._never_begun(task, topic))

    def cancel(self, delegation_id: str) -> None:
        if found := self._running.get(delegation_id):
            found.cancel()

    def close(self) -> None:
        for job in self._running.values():
            job.cancel()

    def _never_begun(self, task: Delegation, topic: int) -> None:
        """Cancelled before its first step: it is over all the same."""
        if task.id in self._running:
            self._finish(task, Answer(task.id, "cancelled", ""), topic)

    async def _solve(self, task: Delegation, topic: int) -> None:
        self.change(task, "running")
        try:
            self._finish(task, await self._within_limits(task), topic)
        except asyncio.CancelledError:
            self._finish(task, Answer(task.id, "cancelled", ""), topic)
            raise

    async def _within_limits(self, task: Delegation) -> Answer:
        zh = task.language == "zh"
        try:
            solving = self._brain.solve(task, self._tools, _Errand(task, self))
            return _checked(await within(self._clock, self._limits.seconds, solving))
        except TimeoutError:
            return Answer(task.id, "timed_out", _IN_WORDS["late"][zh])
        except Exception as error:  # a plug-in's fault must not end the watch
            return Answer(task.id, "failed", _IN_WORDS["failed"][zh], words_of(error))

    def _finish(self, task: Delegation, answer: Answer, topic: int) -> None:
        self._running.pop(task.id, None)
        for key in [key for key in self._asked if key[0] == task.id]:
            self._asked.pop(key).cancel()
        digest = " ".join(answer.digest.split())[:_MAX_DIGEST]
        answer = replace(answer, id=task.id, digest=digest, card=answer.card[: self._limits.card_chars])
        state: DelegationState = _STATES[answer.status]
        self.change(task, state)
        now = self._clock.now()
        moved_on = bool(digest) and topic != self._topic and now - task.t > _PATIENCE
        told = Answered(
            t=now, id=task.id, state=state, digest=digest, card=answer.card, frames=answer.frames[:4], offered=moved_on
        )
        self._emit(told)
        if not digest:
            return
        offer = _IN_WORDS["offer"][task.language == "zh"].format(question=_short(task.question)) if moved_on else ""
        self._unsaid[task.id] = _Unsaid(answer, _short(task.question), now, offer)
        while len(self._unsaid) > 2 * self._limits.at_most:
            del self._unsaid[next(iter(self._unsaid))]
        self._deliver()

    def change(self, task: Delegation, state: DelegationState, detail: str = "") -> None:
        if state != "running" or task.id in self._running:  # nothing is heard of what was given up
            self._emit(DelegationChanged(t=self._clock.now(), id=task.id, state=state, question=task.question, detail=detail))

    # --- leave to act ----------------------------------------------------------------------------------------------

    async def ask(self, task: Delegation, action: str, details: str) -> bool:
        """Whether the user allows an action; nobody's word for some seconds is a "no"."""
        if task.id not in self._running or len(details) > _MAX_DETAILS:
            return False  # nobody can allow what does not fit to be read
        key = (task.id, next(self._requests))
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[key] = future

        def told(state: PermissionState) -> None:
            self._emit(
                Permission(t=self._clock.now(), id=task.id, request=key[1], action=action[:_MAX_STEP], details=details,
                           seconds=self._limits.permission_seconds, state=state)
            )  # fmt: skip

        told("asked")
        try:
            granted = await within(self._clock, self._limits.permission_seconds, future)
        except TimeoutError:
            told("expired")
            return False
        finally:
            self._asked.pop(key, None)
        told("granted" if granted else "refused")
        return granted

    def decide(self, delegation_id: str, request: int, granted: bool) -> None:
        """The user's word on what a brain wants to do."""
        future = self._asked.get((delegation_id, request))
        if future and not future.done():
            future.set_result(granted)


def _checked(answer: Answer) -> Answer:
    """A plug-in's answer, if it is one. Raises TypeError, ValueError."""
    if not isinstance(answer, Answer) or answer.status not in _STATES:
        raise TypeError("this is no answer")
    frames = tuple(float(t) for t in answer.frames)
    return replace(answer, digest=str(answer.digest), card=str(answer.card), frames=tuple(t for t in frames if 0 <= t < 1e9))


_STATES: dict[AnswerStatus, DelegationState] = {
    "ready": "ready",
    "failed": "failed",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
}

_IN_WORDS: dict[str, tuple[str, str]] = {
    "busy": ("I am already looking into several things; ask me again soon.", "我正在查好几件事，请稍后再问。"),
    "late": ("I could not find that out in time.", "我没能及时查出来。"),
    "failed": ("I could not find that out.", "我没能查出来。"),
    "offer": ("I have found something about “{question}”. Shall I tell you?", "关于“{question}”我查到了，要说给你听吗？"),
}


def _short(question: str) -> str:
    return shortened(" ".join(question.split()))


def _shares_words(digest: str, text: str) -> bool:
    """At least half of the digest's words (Chinese: signs) are in the text: models reword what they pass on."""
    words, spoken = (set(_WORDS.findall(part.lower())) for part in (digest, text))
    return bool(words) and len(words & spoken) * 2 >= len(words)
