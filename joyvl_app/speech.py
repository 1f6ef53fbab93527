"""One utterance at a time. Urgent ones go first, stale ones are dropped, and the user's voice silences all that is not urgent."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from joyvl_app.domain import AudioChunk
from joyvl_app.errors import JoyError
from joyvl_app.events import Event, Saying, Spoken, State
from joyvl_app.parts import Controls
from joyvl_app.playout import Playout
from joyvl_app.ports import Clock, Synthesizer
from joyvl_app.ticks import first_of
from joyvl_app.tts.pieces import language_of, pieces
from joyvl_app.utterance import Part, Sounding, Utterance

STALE_AFTER = 8.0  # seconds a sentence may wait for the floor before its moment has passed …
URGENT_STALE_AFTER = 60.0  # … and an urgent one
_QUEUE = 8
_AHEAD = 3.0  # seconds of audio made before it is due
_LONGEST_PIECE = 60.0  # seconds of audio for one piece; a voice that gives more has gone wrong


class Speech:
    """Speaks through the first of `voices` that can; without one, sentences are shown as captions the moment they are due.

    `emit` keeps an event, `show` only shows it. `hold` keeps the floor for the user, `release` gives it back.
    """

    def __init__(self, clock: Clock, emit: Callable[[Event], None], show: Callable[[Event], None], controls: Controls,
                 voices: tuple[Synthesizer, ...], playout: Playout) -> None:  # fmt: skip
        self._clock, self._emit, self._show, self._controls = clock, emit, show, controls
        self.voices, self._playout = voices, playout
        self._waiting: deque[Utterance] = deque()
        self._ready, self._floor = asyncio.Event(), asyncio.Event()
        self._floor.set()
        self._early_end = asyncio.Event()  # the browser says that its own voice is done
        self._current: tuple[asyncio.Task[None], Sounding] | None = None
        self._numbers = itertools.count(1)
        self._told: set[str] = set()
        self._said: deque[tuple[float, float, str]] = deque(maxlen=_QUEUE)  # what sounded, from when to when
        self.last, self._unsaid, self._resumable = "", "", ""

    @property
    def speaking(self) -> bool:
        return self._current is not None or bool(self._waiting)

    @property
    def sounding(self) -> Utterance | None:
        """What is being said right now."""
        return self._current[1].utterance if self._current else None

    def said_during(self, start: float, end: float, tail: float) -> tuple[str, float]:
        """What sounded in the room then, `tail` seconds of echo included, and which share of the time it did."""
        spans = [*self._said]
        if self._current and (begin := self._current[1].start) is not None:
            spans.append((begin, self._clock.now(), self._current[1].utterance.text))
        heard = [(min(end, until + tail) - max(start, since), text) for since, until, text in spans]
        shared = [(seconds, text) for seconds, text in heard if seconds > 0]
        return " ".join(text for _, text in shared), sum(seconds for seconds, _ in shared) / max(end - start, 0.1)

    def take_unsaid(self) -> str:
        """What an interruption left unsaid; nothing the second time."""
        unsaid, self._unsaid = self._unsaid, ""
        return unsaid

    def say(self, utterance: Utterance) -> None:
        if not self._usable(utterance.text):
            self.last = utterance.text
            self._emit(self._spoken(utterance))
            return
        if utterance.urgent and not (self.sounding and self.sounding.urgent):
            self._cut()
        rank = _rank(utterance)
        behind = sum(_rank(waiting) < rank + (not utterance.reply) for waiting in self._waiting)
        self._waiting.insert(behind, utterance)
        while len(self._waiting) > _QUEUE:
            oldest = next((waiting for waiting in self._waiting if not waiting.urgent), self._waiting[-1])
            self._waiting.remove(oldest)
            self._pass_over(oldest)
        self._ready.set()

    def interrupt(self) -> None:
        """Stop the current sentence and forget the waiting ones."""
        self._resumable = ""
        self._drop_waiting()
        self._cut()

    def fall_silent(self) -> None:
        """From now on captions are enough: what waits is shown."""
        shown, self._waiting = [*self._waiting], deque()
        self._cut()
        for utterance in shown:
            self._emit(self._spoken(utterance))

    def yield_floor(self) -> None:
        """The user speaks: what is being said stops, what waited is not said; an urgent sentence comes back afterwards."""
        urgent = [utterance for utterance in self._waiting if utterance.urgent]
        if self._current and self._current[1].hardly_heard(self._clock.now()):
            urgent.insert(0, replace(self._current[1].utterance, again=True))
        self._waiting = deque(utterance for utterance in self._waiting if not utterance.urgent)
        self.interrupt()
        if self._current and not urgent and not self._current[1].utterance.again:
            self._resumable = self._current[1].unsaid(self._clock.now())
        self._waiting.extend(urgent)
        self._ready.set()

    def resume(self) -> None:
        """The last time it yielded was a mistake: say the rest, once."""
        rest, self._resumable = self._resumable, ""
        if rest:
            self.say(Utterance(rest, self._clock.now(), again=True))

    def hold(self) -> None:
        self._floor.clear()

    def release(self) -> None:
        self._floor.set()

    def ended_elsewhere(self, number: int) -> None:
        """The page's own voice has come to the end of the sentence of this number."""
        if self._current and self._current[1].by_browser and self._current[1].number == number:
            self._early_end.set()

    async def run(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._waiting:
                await self._wait_for_floor()
                if self._waiting:
                    await self._speak_next(self._waiting.popleft())

    async def _wait_for_floor(self) -> None:
        """Nobody is spoken over, except by what is urgent where the scenario allows it. What grows stale meanwhile is told."""
        while self._waiting and not self._floor.is_set() and not self._may_interrupt(self._waiting[0]):
            self._ready.clear()
            await first_of(self._floor.wait(), self._ready.wait(), self._clock.sleep_until(self._clock.now() + 1.0))
            for utterance in [waiting for waiting in self._waiting if self._is_stale(waiting)]:
                self._waiting.remove(utterance)
                self._pass_over(utterance)

    def _may_interrupt(self, utterance: Utterance) -> bool:
        return utterance.urgent and self._controls.urgent_interrupts

    def _is_stale(self, utterance: Utterance) -> bool:
        return self._clock.now() - utterance.decision_t > (URGENT_STALE_AFTER if utterance.urgent else STALE_AFTER)

    def _usable(self, text: str) -> list[Synthesizer]:
        language = language_of(text)
        return [voice for voice in self.voices if voice.ready and language in voice.languages] if self._controls.voiced else []

    def _cut(self) -> None:
        self._playout.clear()
        if self._current:
            self._current[0].cancel()

    def _drop_waiting(self) -> None:
        dropped, self._waiting = [*self._waiting], deque()
        for utterance in dropped:
            self._emit(self._spoken(utterance, cut=True, unsaid=utterance.text))

    def _pass_over(self, utterance: Utterance) -> None:
        self._emit(State(t=self._clock.now(), name="notice", detail=f"Not said, its moment had passed: {utterance.text}"))

    async def _speak_next(self, utterance: Utterance) -> None:
        if self._is_stale(utterance):
            return self._pass_over(utterance)
        sound = Sounding(utterance, next(self._numbers))
        task = asyncio.create_task(self._play(sound))
        self._current = (task, sound)
        try:
            await asyncio.wait((task,))  # an interrupted sentence ends here; our own cancellation goes on
        finally:
            task.cancel()
            self._current = None
            self._finish(sound)

    def _finish(self, sound: Sounding) -> None:
        now, utterance = self._clock.now(), sound.utterance
        unsaid = " ".join(sound.lost) if sound.finished else sound.unsaid(now)
        self.last = utterance.text
        if sound.finished:
            self._resumable = ""
        else:
            self._unsaid = unsaid
        start = now if sound.start is None else sound.start
        if sound.start is not None:
            self._said.append((start, now, utterance.text.removesuffix(unsaid)))
        self._emit(self._spoken(utterance, start, cut=not sound.finished, unsaid=unsaid))

    async def _play(self, sound: Sounding) -> None:
        """Sentence after sentence, each made while the one before it sounds; a voice that fails hands over to the next."""
        self._early_end.clear()
        voices = self._usable(sound.utterance.text)
        for piece in pieces(sound.utterance.text):
            while voices and not await self._sound_piece(voices[0], piece, sound):
                voices = voices[1:]
            if not voices:
                sound.lost.append(piece)  # the caption carries it
        await self._until(sound.end)
        sound.finished = True

    async def _sound_piece(self, voice: Synthesizer, piece: str, sound: Sounding) -> bool:
        sounds = False
        try:
            async for chunk in voice.stream(piece, self._controls.speed):
                self._put(chunk, piece, voice, sound, more=sounds)
                sounds = True
                await self._until(sound.end - _AHEAD)
        except JoyError as error:
            self._tell_once(f"The voice {voice.name} cannot be used, another or the captions go on. {error}")
        except Exception as error:  # a plug-in's fault must not end the watch
            self._tell_once(f"The voice {voice.name} failed ({type(error).__name__}); another or the captions go on.")
        return sounds

    def _put(self, chunk: AudioChunk, piece: str, voice: Synthesizer, sound: Sounding, more: bool) -> None:
        now = self._clock.now()
        if not 0 < chunk.seconds < _LONGEST_PIECE or (more and sound.end - sound.parts[-1].begin > _LONGEST_PIECE):
            raise ValueError("no sound, or far too much of it")
        if sound.start is None:
            self._begin(voice, sound)
        if more:
            sound.parts[-1].end = max(sound.end, now) + chunk.seconds
        else:
            begin = max(sound.end, now)
            sound.parts.append(Part(piece, begin, begin + chunk.seconds))
        if voice.audible:
            self._playout.put(chunk, self._controls.volume)

    def _begin(self, voice: Synthesizer, sound: Sounding) -> None:
        self._playout.make_room()
        sound.by_browser, utterance = not voice.audible, sound.utterance
        self._show(
            Saying(
                t=self._clock.now(), text=utterance.text, decision_t=utterance.decision_t, voice=voice.name,
                number=sound.number, urgent=utterance.urgent,
            )
        )  # fmt: skip

    async def _until(self, t: float) -> None:
        """Until the loudspeaker has come to `t`, or the page says that its own voice is done."""
        await first_of(self._clock.sleep_until(t), self._early_end.wait())

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._emit(State(t=self._clock.now(), name="notice", detail=text))

    def _spoken(self, utterance: Utterance, start: float | None = None, cut: bool = False, unsaid: str = "") -> Spoken:
        now = self._clock.now()
        begin = now if start is None else start
        return Spoken(
            t=now, t_start=begin, t_end=now, text=utterance.text, decision_t=utterance.decision_t, cut=cut, unsaid=unsaid
        )


def _rank(utterance: Utterance) -> int:
    """What is urgent goes first, then what the user waits for; within a rank the newest reply, else the oldest sentence."""
    return 0 if utterance.urgent else 1 if utterance.reply else 2
