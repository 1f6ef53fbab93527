"""Baselines with eyes: an assistant that speaks only when it is asked, and one that asks itself every so often.

Both are how video assistants work that were not trained to decide. They see as well as what they ask: it watches all the while,
and only what it would say of its own accord is dropped.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.domain import Decision, Moment, Silence, Transcript
from joyvl_app.ports import Decider, Remembers, Watcher

_LOOK = 1.0  # seconds
_EARLY = 0.3  # seconds: a second is decided when its picture comes, not on the stroke
_QUESTION = {"en": "What do you see?", "zh": "你看到了什么？"}


class Asked:
    """`inner` speaks only in seconds in which the user spoke or instructed, and every `every` seconds if given."""

    def __init__(self, name: str, inner: Decider, every: float | None = None) -> None:
        self.name, self._inner, self._every = name, inner, every

    async def start(self) -> None:
        await self._inner.start()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def remember(self, path: Path) -> None:
        if isinstance(self._inner, Remembers):
            self._inner.remember(path)

    def open(self, session_id: str) -> AskedWatcher:
        return AskedWatcher(self._inner.open(session_id), self._every)


class AskedWatcher(PlainWatcher):
    """A new instruction counts as a question, and is answered after a second's look at what there is."""

    def __init__(self, inner: Watcher, every: float | None) -> None:
        super().__init__()
        self._inner, self._every = inner, every or math.inf
        self._instructed: tuple[str, float] | None = None
        self._due = math.inf

    async def decide(self, moment: Moment) -> Decision:
        self._inner.host = self.host
        instructed = moment.instruction, moment.instruction_t
        if instructed != self._instructed:
            self._instructed, self._due = instructed, moment.t + _LOOK if moment.instruction else math.inf
        if moment.heard or moment.answers:
            return await self._inner.decide(moment)
        if moment.t >= self._due - _EARLY:
            self._due = moment.t + self._every
            return await self._inner.decide(_with_question(moment))
        unasked = await self._inner.decide(moment)
        return Silence(0.0, unasked.evidence)

    def hush(self) -> None:
        self._inner.hush()

    def reset(self) -> None:
        self._inner.reset()
        self._instructed, self._due = None, math.inf

    async def aclose(self) -> None:
        await self._inner.aclose()


def _with_question(moment: Moment) -> Moment:
    question = _QUESTION.get(moment.language, _QUESTION["en"])
    return replace(moment, heard=(Transcript(question, moment.t, moment.t),))
