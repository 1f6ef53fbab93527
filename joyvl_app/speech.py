"""One utterance at a time. Urgent ones go first, stale ones are dropped, and an interruption silences everything older."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from joyvl_app.errors import JoyError
from joyvl_app.events import Event, Spoken, State
from joyvl_app.mailbox import AudioQueue
from joyvl_app.ports import Clock, Synthesizer

STALE_AFTER = 8.0  # seconds a sentence may wait for the floor before its moment has passed
_QUEUE = 8


@dataclass(frozen=True)
class Utterance:
    text: str
    decision_t: float
    urgent: bool = False


class Speech:
    """Speaks through `synthesizer` into `out`; without one, sentences are shown as captions the moment they are due."""

    def __init__(self, clock: Clock, emit: Callable[[Event], None], synthesizer: Synthesizer | None, out: AudioQueue) -> None:
        self._clock, self._emit, self._synthesizer, self._out = clock, emit, synthesizer, out
        self._waiting: deque[Utterance] = deque(maxlen=_QUEUE)
        self._ready = asyncio.Event()
        self._current: asyncio.Task[None] | None = None
        self._generation = 0

    @property
    def speaking(self) -> bool:
        return self._current is not None or bool(self._waiting)

    def say(self, utterance: Utterance) -> None:
        if self._synthesizer is None:
            self._emit(_spoken(utterance, self._clock.now(), self._clock.now()))
            return
        if utterance.urgent:
            self._cut()
            self._waiting.appendleft(utterance)
        else:
            self._waiting.append(utterance)
        self._ready.set()

    def interrupt(self) -> None:
        """Stop the current sentence, forget the waiting ones, and drop what is not yet played."""
        self._waiting.clear()
        self._cut()

    async def run(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._waiting:
                await self._speak_next(self._waiting.popleft())

    def _cut(self) -> None:
        self._generation += 1
        self._out.clear()
        if self._current:
            self._current.cancel()

    async def _speak_next(self, utterance: Utterance) -> None:
        if not utterance.urgent and self._clock.now() - utterance.decision_t > STALE_AFTER:
            self._emit(State(t=self._clock.now(), name="notice", detail=f"Not said, its moment had passed: {utterance.text}"))
            return
        self._current = asyncio.create_task(self._speak(utterance))
        try:
            await asyncio.wait((self._current,))  # an interrupted sentence ends here; our own cancellation goes on
        finally:
            self._current.cancel()
            self._current = None

    async def _speak(self, utterance: Utterance) -> None:
        generation, start, cut = self._generation, self._clock.now(), True
        try:
            await self._play(utterance.text, generation)
            cut = False
        except JoyError as error:
            cut = False  # the caption carries it
            self._emit(State(t=self._clock.now(), name="notice", detail=f"The voice failed, captions go on: {error}"))
        finally:
            self._emit(_spoken(utterance, start, self._clock.now(), cut))

    async def _play(self, text: str, generation: int) -> None:
        assert self._synthesizer is not None
        end = self._clock.now()
        async for chunk in self._synthesizer.stream(text):
            if generation != self._generation:
                return
            end = max(end, self._clock.now()) + chunk.seconds
            self._out.put(chunk)
        await self._clock.sleep_until(end)


def _spoken(utterance: Utterance, start: float, end: float, cut: bool = False) -> Spoken:
    return Spoken(t=end, t_start=start, t_end=end, text=utterance.text, decision_t=utterance.decision_t, cut=cut)
