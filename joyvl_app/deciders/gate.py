"""A static-scene gate before any decider: a second in which nothing changed costs a small picture's comparison, no more.

Let through always: a changed picture and the seconds after it, a new instruction, an answer, speech, doubt, a picture every so
often, and everything while an instruction speaks of time.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import cv2
import numpy as np

from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.embedded.grammar import parse_instruction
from joyvl_app.deciders.embedded.specs import Timer
from joyvl_app.domain import Decision, Evidence, Moment, Silence, Transcript
from joyvl_app.perception.motion import Grey, Motion, thumbnail
from joyvl_app.ports import Decider, Host, Summarizer, Watcher
from joyvl_app.worker import Worker

STILL = "still"  # the tag of a second that was not looked at
_SIZE = (160, 120)
_AFTERMATH = 3.0  # seconds after a change that are looked at too: what happens takes more than a frame
_IN_DOUBT = 0.25  # the probability from which the next second is looked at too
_CELL = 4  # pixels of the small picture: a change must fill most of a cell somewhere, however small the whole
_FILLED = 0.4


# What speaks of time or of nothing happening, beyond what the grammar knows as a timer. A gate that stays open is only dearer.
_TIME = re.compile(
    r"\b(?:seconds?|minutes?|mins?|hours?|o'clock|noon|midnight|countdown|count down|nothing happens|for a while|too long|"
    r"running commentary|constantly|continuously|still|idle|motionless|(?<!every )(?<!each )(?<!any )(?<!next )time)\b|"
    r"\d\s*(?:s|sec|min|h)\b|\d{1,2}:\d{2}|"
    r"[\u79d2\u949f]|\u5206\u949f|\u5c0f\u65f6|\u70b9\u949f|\u65f6\u95f4|\u4e45|\u4e00\u76f4|\u4e0d\u52a8|\u6ca1\u6709\u52a8|\u5012\u6570",
    re.I,
)


class Gated:
    """A decider behind a gate; its sessions have one each."""

    def __init__(self, inner: Decider, every: float, worker: Worker) -> None:
        self.name, self._inner, self._every, self._worker = inner.name, inner, every, worker

    @property
    def about(self) -> str:
        return str(getattr(self._inner, "about", ""))

    @property
    def summarizer(self) -> Summarizer | None:
        return getattr(self._inner, "summarizer", None)

    async def start(self) -> None:
        await self._inner.start()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def open(self, session_id: str) -> GateWatcher:
        return GateWatcher(self._inner.open(session_id), self._every, self._worker)


class GateWatcher(PlainWatcher):
    """`passed` and `gated` count the seconds."""

    def __init__(self, inner: Watcher, every: float, worker: Worker) -> None:
        self._inner, self._every, self._worker = inner, every, worker
        self.news: asyncio.Event = inner.news
        self.passed = self.gated = 0
        self._kept: Grey | None = None
        self._now: Grey | None = None
        self._given: tuple[str, float] | None = None
        self._unheard: tuple[Transcript, ...] = ()
        self._answers: frozenset[str] = frozenset()
        self._forget()

    @property
    def host(self) -> Host:
        return self._inner.host

    @host.setter
    def host(self, host: Host) -> None:
        self._inner.host = host

    def understood(self, instruction: str, language: str) -> str:
        return self._inner.understood(instruction, language)

    def hush(self) -> None:
        self._hushed = True  # also for a second whose pictures are still being compared
        self._inner.hush()

    def reset(self) -> None:
        self._forget()
        self._inner.reset()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def decide(self, moment: Moment) -> Decision:
        self._hushed = False
        if self._unheard:
            moment = replace(moment, heard=(*self._unheard, *moment.heard))
        passes = await self._must_pass(moment)
        if self._hushed:  # what was told in this second is told in the next
            self._unheard, self._given, self._answers = moment.heard, None, frozenset()
            return Silence()
        self._unheard = ()
        if not passes:
            self.gated += 1
            return Silence(0.0, Evidence(tags=((STILL, 1.0),)))
        self._settled = False  # until the decision is there: one that fails is asked again
        decision = await self._inner.decide(moment)
        self.passed += 1
        self._settled = isinstance(decision, Silence) and decision.p_act < _IN_DOUBT
        self._asked_t = moment.t
        self._kept = self._now
        return decision

    # --- what counts as a change -----------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._motion = Motion()
        self._kept = self._now = None
        self._changed_t = self._asked_t = float("-inf")
        self._given = None
        self._timed = self._hushed = False
        self._unheard = ()
        self._answers = frozenset()
        self._settled = False

    async def _must_pass(self, moment: Moment) -> bool:
        told = self._is_told(moment)
        if not moment.frames:
            return True
        if await self._worker.run(lambda: self._has_changed(moment)):
            self._changed_t = moment.t
        due = moment.t - self._changed_t < _AFTERMATH or moment.t - self._asked_t >= self._every
        return told or due or self._timed or not self._settled

    def _has_changed(self, moment: Moment) -> bool:
        """Whether any look differs from the last one that was let through. About a millisecond each, off the loop."""
        changed = False
        for frame in moment.frames:
            self._now = thumbnail(frame.image, _SIZE)
            self._motion.observe(self._now)
            changed = changed or self._kept is None or differs(self._now, self._kept, self._motion.step)
        return changed

    def _is_told(self, moment: Moment) -> bool:
        """Whether something was said or answered since the second before; also notes whether an instruction speaks of time."""
        given, answers = (moment.instruction, moment.instruction_t), frozenset(answer.id for answer in moment.answers)
        told = bool(moment.heard) or given != self._given or bool(answers - self._answers)
        if given != self._given:
            timers = any(isinstance(spec, Timer) for spec in parse_instruction(moment.instruction))
            self._timed = timers or bool(_TIME.search(moment.instruction))
        self._given, self._answers = given, answers
        return told


def differs(now: Grey, kept: Grey, step: float) -> bool:
    """Whether some cell of the picture is not as it was, an even change of brightness apart. `step` in grey levels."""
    difference = now - kept
    changed = (np.abs(difference - np.median(difference)) > step).astype(np.float32)
    height, width = changed.shape
    cells = cv2.resize(changed, (width // _CELL, height // _CELL), interpolation=cv2.INTER_AREA)
    return bool(cells.max() >= _FILLED)
