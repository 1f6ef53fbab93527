"""One utterance at a time. Urgent ones go first, stale ones are dropped, and the user's voice silences all that is not urgent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from joyvl_app.domain import AudioChunk
from joyvl_app.errors import JoyError
from joyvl_app.events import Event, Saying, Spoken, State
from joyvl_app.parts import Controls
from joyvl_app.playout import Playout
from joyvl_app.ports import Clock, Synthesizer
from joyvl_app.tts.pieces import language_of, pieces, rest_of

STALE_AFTER = 8.0  # seconds a sentence may wait for the floor before its moment has passed
_QUEUE = 8
_AHEAD = 3.0  # seconds of audio made before it is due
_ECHO = 2.0  # seconds for which a sentence may still come back from the room
_LONGEST_PIECE = 60.0  # seconds of audio for one piece; a voice that gives more has gone wrong


@dataclass(frozen=True)
class Utterance:
    text: str
    decision_t: float
    urgent: bool = False


@dataclass
class _Part:
    """A piece that sounds from `begin` to `end`."""

    text: str
    begin: float
    end: float


@dataclass
class _Sound:
    """What of an utterance was sent to the loudspeaker."""

    utterance: Utterance
    parts: list[_Part] = field(default_factory=list)

    @property
    def start(self) -> float | None:
        return self.parts[0].begin if self.parts else None

    @property
    def end(self) -> float:
        return self.parts[-1].end if self.parts else 0.0

    def add(self, text: str, begin: float, seconds: float, more: bool) -> None:
        """So many seconds of a piece, `more` of the one before or the first of a new one."""
        if more:
            self.parts[-1].end += seconds
        else:
            self.parts.append(_Part(text, begin, begin + seconds))

    def unsaid(self, now: float) -> str:
        """What nobody has heard by `now`."""
        rest = [rest_of(part.text, max(0.0, now - part.begin) / max(part.end - part.begin, 1e-3))
                for part in self.parts if part.end > now]  # fmt: skip
        later = pieces(self.utterance.text)[len(self.parts) :]
        return " ".join(part for part in [*rest, *later] if part)


class Speech:
    """Speaks through the first of `voices` that can; without one, sentences are shown as captions the moment they are due.

    `emit` keeps an event, `show` only shows it. `hold` keeps the floor for the user, `release` gives it back.
    """

    def __init__(self, clock: Clock, emit: Callable[[Event], None], show: Callable[[Event], None], controls: Controls,
                 voices: tuple[Synthesizer, ...], playout: Playout) -> None:  # fmt: skip
        self._clock, self._emit, self._show, self._controls = clock, emit, show, controls
        self.voices, self._playout = voices, playout
        self._waiting: deque[Utterance] = deque(maxlen=_QUEUE)
        self._ready = asyncio.Event()
        self._floor = asyncio.Event()
        self._floor.set()
        self._early_end = asyncio.Event()  # the browser says that its own voice is done
        self._current: tuple[asyncio.Task[None], _Sound] | None = None
        self._told: set[str] = set()
        self._said: deque[tuple[float, str]] = deque(maxlen=_QUEUE)  # when it was over, and the text
        self.last, self.unsaid = "", ""

    @property
    def speaking(self) -> bool:
        return self._current is not None or bool(self._waiting)

    @property
    def sounding(self) -> Utterance | None:
        """What is being said right now."""
        return self._current[1].utterance if self._current else None

    def said_since(self, t: float) -> str:
        """All that may still have sounded in the room at `t` or later."""
        now = [self._current[1].utterance.text] if self._current else []
        return " ".join([*(text for end, text in self._said if end + _ECHO >= t), *now])

    def say(self, utterance: Utterance) -> None:
        if not self._usable(utterance.text):
            self.last = utterance.text
            self._emit(_spoken(utterance, self._clock.now(), self._clock.now()))
            return
        if utterance.urgent:
            self._cut()
            self._waiting.appendleft(utterance)
        else:
            self._waiting.append(utterance)
        self._ready.set()

    def interrupt(self) -> None:
        """Stop the current sentence and forget the waiting ones."""
        self._waiting.clear()
        self._cut()

    def yield_floor(self) -> None:
        """The user speaks: what is being said stops, what waited is not said; both are remembered as unsaid."""
        now = self._clock.now()
        dropped, self._waiting = [*self._waiting], deque(maxlen=_QUEUE)
        self._cut()
        for utterance in dropped:
            self._emit(_spoken(utterance, now, now, cut=True, unsaid=utterance.text))

    def hold(self) -> None:
        self._floor.clear()

    def release(self) -> None:
        self._floor.set()

    def ended_elsewhere(self) -> None:
        """The page's own voice has come to the end of the sentence."""
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
        """Nobody is spoken over, except by what is urgent where the scenario allows it."""
        while self._waiting and not self._floor.is_set() and not self._may_interrupt(self._waiting[0]):
            self._ready.clear()
            waits = [asyncio.ensure_future(event.wait()) for event in (self._floor, self._ready)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    def _may_interrupt(self, utterance: Utterance) -> bool:
        return utterance.urgent and self._controls.urgent_interrupts

    def _usable(self, text: str) -> list[Synthesizer]:
        language = language_of(text)
        return [voice for voice in self.voices if voice.ready and language in voice.languages] if self._controls.voiced else []

    def _cut(self) -> None:
        self._playout.clear()
        if self._current:
            self._current[0].cancel()

    async def _speak_next(self, utterance: Utterance) -> None:
        if not utterance.urgent and self._clock.now() - utterance.decision_t > STALE_AFTER:
            self._emit(State(t=self._clock.now(), name="notice", detail=f"Not said, its moment had passed: {utterance.text}"))
            return
        sound = _Sound(utterance)
        task = asyncio.create_task(self._speak(sound))
        self._current = (task, sound)
        try:
            await asyncio.wait((task,))  # an interrupted sentence ends here; our own cancellation goes on
        finally:
            task.cancel()
            self._current = None

    async def _speak(self, sound: _Sound) -> None:
        cut = True
        try:
            await self._play(sound)
            cut = False
        finally:
            now, utterance = self._clock.now(), sound.utterance
            unsaid = sound.unsaid(now) if cut else ""
            self.last, self.unsaid = utterance.text, unsaid
            self._said.append((now, utterance.text))
            start = now if sound.start is None else sound.start
            self._emit(_spoken(utterance, start, max(start, now), cut, unsaid))

    async def _play(self, sound: _Sound) -> None:
        """Sentence after sentence, each made while the one before it sounds; a voice that fails hands over to the next."""
        self._early_end.clear()
        voices = self._usable(sound.utterance.text)
        for piece in pieces(sound.utterance.text):
            while voices and not await self._sound_piece(voices[0], piece, sound):
                voices = voices[1:]
        await self._until(sound.end)

    async def _sound_piece(self, voice: Synthesizer, piece: str, sound: _Sound) -> bool:
        sounds = False
        try:
            async for chunk in voice.stream(piece, self._controls.speed):
                self._put(chunk, piece, voice, sound, sounds)
                sounds = True
                await self._until(sound.end - _AHEAD)
        except JoyError as error:
            self._tell_once(f"The voice {voice.name} cannot be used, another or the captions go on. {error}")
        except Exception as error:  # a plug-in's fault must not end the watch
            self._tell_once(f"The voice {voice.name} failed ({type(error).__name__}); another or the captions go on.")
        return sounds

    def _put(self, chunk: AudioChunk, piece: str, voice: Synthesizer, sound: _Sound, more: bool) -> None:
        now, utterance = self._clock.now(), sound.utterance
        if not 0 < chunk.seconds < _LONGEST_PIECE:
            raise ValueError(f"{chunk.seconds:.0f} seconds of sound for one sentence")
        if sound.start is None:
            self._playout.make_room()
            saying = Saying(
                t=now, text=utterance.text, decision_t=utterance.decision_t, voice=voice.name, urgent=utterance.urgent
            )
            self._show(saying)
        sound.add(piece, max(sound.end, now), chunk.seconds, more)
        if voice.audible:
            self._playout.put(chunk, self._controls.volume)

    async def _until(self, t: float) -> None:
        """Until the loudspeaker has come to `t`, or the page says that its own voice is done."""
        sleeping = asyncio.ensure_future(self._clock.sleep_until(t))
        early = asyncio.ensure_future(self._early_end.wait())
        try:
            await asyncio.wait((sleeping, early), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            early.cancel()

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._emit(State(t=self._clock.now(), name="notice", detail=text))


def _spoken(utterance: Utterance, start: float, end: float, cut: bool = False, unsaid: str = "") -> Spoken:
    return Spoken(t=end, t_start=start, t_end=end, text=utterance.text, decision_t=utterance.decision_t, cut=cut, unsaid=unsaid)
