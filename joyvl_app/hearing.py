"""The microphone's way into a session: windows, voice activity, turns, words. Speech recognition never delays the ear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from joyvl_app.asr.endpointing import STEP, Began, Ended, Endpointer, Paused
from joyvl_app.audio import HEARD_RATE, WINDOW, Resampler, pcm, windows
from joyvl_app.domain import AudioChunk, Pcm, Transcript
from joyvl_app.errors import words_of
from joyvl_app.mailbox import AudioQueue
from joyvl_app.plain import sentence
from joyvl_app.playout import Playout
from joyvl_app.ports import Clock, Ear, Transcriber, VoiceDetector
from joyvl_app.settings import Settings
from joyvl_app.ticks import within

_TURNS = 4  # stretches of speech waiting to be read; the oldest is dropped
_GONE = 1.0  # seconds without a sample in the middle of a turn: the microphone has gone
_HURRIED = 0.25  # seconds of silence that are enough once the key was released
_CAPTION_EVERY = 3.0  # seconds of speech without a pause after which it is read for a caption
_LONG = 3.0  # seconds of loading after which it is told
_PATIENCE, _REST = 3, 60.0  # faults of the transcriber in a row, and the seconds of rest they earn
_EAR_REST = 5.0  # seconds of rest after a fault of the ear
_REPEAT = 300.0  # seconds until the same complaint is made again


@dataclass(frozen=True)
class Reading:
    """A turn that was read: `heard` (None: no words). `foreign`: certainly not the assistant's own voice; `echoes`: that comes
    back in this room; `last`: no other turn waits to be read.
    """

    heard: Transcript | None
    foreign: bool = True
    echoes: bool = False
    last: bool = True


class Listener(Protocol):
    """Whom the user talks to: told at once that somebody speaks, then what it was. `understood`: whether it was the user's."""

    @property
    def language(self) -> str: ...
    @property
    def endpoint(self) -> float: ...
    def began(self, t: float) -> None: ...
    def ended(self, t: float) -> None: ...
    def partial(self, text: str) -> None: ...
    def understood(self, reading: Reading) -> bool: ...
    def tell(self, text: str) -> None: ...


class Hearing:
    """Feed it with `put`; `run` does the rest until cancelled. A fault of an engine is told and the watch goes on."""

    def __init__(self, listener: Listener, transcriber: Transcriber, detector: VoiceDetector, playout: Playout,
                 clock: Clock, settings: Settings) -> None:  # fmt: skip
        self._listener, self._transcriber, self._detector = listener, transcriber, detector
        self._playout, self._clock = playout, clock
        self._audio = AudioQueue(settings.audio_backlog)
        self._turns: asyncio.Queue[tuple[float, Ended]] = asyncio.Queue(_TURNS)  # when the voice began, and all of it
        self._endpointer = Endpointer(settings.speech_seconds)
        self._resampler = Resampler(HEARD_RATE)
        self._rest: Pcm = np.zeros(0, np.int16)
        self._running = self._hurried = False
        self._connected = asyncio.Event()
        self._ear: Ear | None = None
        self._ear_rests_until = self._rests_until = 0.0
        self._drafting: tuple[AudioChunk, asyncio.Task[str]] | None = None  # speech that is being read ahead
        self._to_draft: AudioChunk | None = None
        self._began = self._captioned = 0.0
        self._faults, self._lost, self._generation = 0, 0.0, 0
        self._told: dict[str, float] = {}

    @property
    def turn_under_way(self) -> bool:
        return self._endpointer.speaking

    def put(self, chunk: AudioChunk) -> None:
        """What the microphone took; `chunk.t` is when its first sample was heard."""
        if not self._running:
            return
        self._audio.put(chunk)
        self._connected.set()
        if self._audio.dropped_seconds > self._lost:
            self._lost = self._audio.dropped_seconds
            self._tell("I cannot keep up with the microphone; some of it is not heard.")

    def finish_turn(self) -> None:
        """The key was released or the microphone switched off: what is still on its way counts, a long silence is not needed."""
        self._hurried = self.turn_under_way

    def forget(self) -> None:
        """Nothing of what was heard so far counts any more."""
        self._audio.clear()
        self._rest, self._hurried = self._rest[:0], False
        self._generation += 1
        if self._drafting:
            self._drafting[1].cancel()
        self._drafting = self._to_draft = None
        while not self._turns.empty():
            self._turns.get_nowait()
        if self._endpointer.finish():
            self._listener.ended(self._clock.now())
        self._listener.understood(Reading(None))

    async def run(self) -> None:
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._prepare())
                group.create_task(self._listen())
                group.create_task(self._read())
        finally:
            self._running = False
            if self._drafting:
                self._drafting[1].cancel()

    async def _prepare(self) -> None:
        """Load the transcriber once there is a microphone; a large one takes a while, and says so."""
        await self._connected.wait()
        loading = asyncio.ensure_future(self._transcriber.start())
        try:
            await asyncio.wait((loading,), timeout=_LONG)
            if not loading.done():
                self._tell(f"Speech recognition ({self._transcriber.name}) is being loaded; what you say is kept meanwhile.")
            await loading
        except Exception as error:  # whatever a plug-in raises, the watch goes on
            self._tell(f"What is said cannot be understood; typing works. {words_of(error)}")
        finally:
            loading.cancel()

    # --- the ear ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            chunk = await self._next_chunk()
            if chunk is None:
                self._end(self._endpointer.finish())
            elif self._clock.now() >= self._ear_rests_until:
                try:
                    await self._hear(chunk)
                except Exception as error:  # whatever a plug-in raises, nobody holds the floor for ever
                    self._ear, self._ear_rests_until = None, self._clock.now() + _EAR_REST
                    self._end(self._endpointer.finish())
                    self._tell(f"The microphone is not heard at the moment; typing works. {words_of(error)}")

    async def _next_chunk(self) -> AudioChunk | None:
        """None when the microphone falls silent for good in the middle of a turn."""
        if not self.turn_under_way:
            return await self._audio.get()
        with suppress(TimeoutError):
            return await within(self._clock, _HURRIED if self._hurried else _GONE, self._audio.get())
        return None

    async def _hear(self, chunk: AudioChunk) -> None:
        if self._ear is None:
            await self._detector.start()
            self._ear = self._detector.open()
        samples = np.concatenate([self._rest, self._resampler.take(pcm(chunk.samples), chunk.rate)])
        whole = samples.size // WINDOW * WINDOW
        near, self._rest = samples[:whole], samples[whole:]
        if not whole:
            return
        sounds = await self._ear.listen(near, self._playout.played(whole, self._audio.seconds), self.turn_under_way)
        t = chunk.t + chunk.seconds - samples.size / HEARD_RATE
        for number, (window, sound) in enumerate(zip(windows(near), sounds, strict=True), 1):
            silence = _HURRIED if self._hurried else self._listener.endpoint
            self._follow(self._endpointer.take(t + number * STEP, window, sound, silence))
        if self.turn_under_way and self._transcriber.quick and chunk.t - self._captioned >= _CAPTION_EVERY:
            self._draft(self._endpointer.so_far())

    def _follow(self, turn: Began | Paused | Ended | None) -> None:
        match turn:
            case Began():
                self._began = self._captioned = turn.t
                self._listener.began(turn.t)
            case Paused():
                self._draft(turn.speech)
            case Ended():
                self._end(turn)

    def _end(self, ended: Ended | None) -> None:
        if ended is None:
            return
        if self._turns.full():
            self._turns.get_nowait()
            self._tell("I cannot keep up with what is said; a part of it is not understood.")
        self._turns.put_nowait((self._began, ended))
        end = ended.speech.t + ended.speech.seconds
        if ended.over:
            self._hurried = False
            self._listener.ended(end)
        else:
            self._began = end  # of the next piece

    # --- the words ---------------------------------------------------------------------------------------------------

    def _draft(self, speech: AudioChunk) -> None:
        """Read what may be the whole turn, ahead of its end; the newest speech waits for a reading under way."""
        self._captioned = speech.t + speech.seconds
        self._to_draft = speech
        if not (self._drafting and not self._drafting[1].done()) and self._clock.now() >= self._rests_until:
            self._begin_draft()

    def _begin_draft(self) -> None:
        speech, self._to_draft = self._to_draft, None
        if speech is not None:
            task = asyncio.ensure_future(self._transcriber.transcribe(speech, self._listener.language))
            self._drafting = (speech, task)
            task.add_done_callback(self._drafted)

    def _drafted(self, task: asyncio.Task[str]) -> None:
        mine = self._drafting is not None and self._drafting[1] is task
        if task.cancelled() or task.exception() or not mine or not self.turn_under_way:
            return
        if text := sentence(task.result()):
            self._listener.partial(text)
        self._begin_draft()

    async def _read(self) -> None:
        while True:
            began, ended = await self._turns.get()
            generation = self._generation
            text = "" if self._clock.now() < self._rests_until else await self._words(ended)
            if generation != self._generation:  # paused meanwhile: it was not meant for us
                continue
            end = ended.speech.t + ended.speech.seconds - ended.quiet
            heard = Transcript(text, round(began, 3), round(max(began, end), 3)) if text else None
            echoes = self._ear is not None and self._ear.echoes
            if not self._listener.understood(Reading(heard, ended.foreign, echoes, self._turns.empty())) and self._ear:
                self._ear.mistaken()

    async def _words(self, ended: Ended) -> str:
        try:
            text = sentence(await self._reading(ended))
            self._faults = 0
            return text
        except Exception as error:  # whatever a plug-in raises, the next turn is read
            self._faults += 1
            self._tell(f"What was said could not be understood; typing works. {words_of(error)}")
            if self._faults >= _PATIENCE:  # an engine that fails again and again is left alone: each call may cost a thread
                self._faults, self._rests_until = 0, self._clock.now() + _REST
                self._tell("Speech is not understood for the next minute; typing works.", always=True)
            return ""

    def _reading(self, ended: Ended) -> Awaitable[str]:
        """What was read ahead when the silence began, if nothing was said since; else a reading of the whole."""
        self._to_draft = None
        if self._drafting:
            (speech, task), self._drafting = self._drafting, None
            missed = ended.speech.seconds - speech.seconds
            failed = task.done() and (task.cancelled() or task.exception() is not None)
            if speech.t == ended.speech.t and missed <= ended.quiet and not failed:
                return task
        return self._transcriber.transcribe(ended.speech, self._listener.language)

    def _tell(self, text: str, always: bool = False) -> None:
        """Not the same thing again and again."""
        now = self._clock.now()
        if always or now - self._told.get(text, -_REPEAT) >= _REPEAT:
            self._told = {known: t for known, t in self._told.items() if now - t < _REPEAT} | {text: now}
            self._listener.tell(text)
