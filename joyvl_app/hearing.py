"""The microphone's way into a session: windows, voice activity, turns, words. Speech recognition never delays the ear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

import numpy as np

from joyvl_app.asr.endpointing import STEP, Began, Ended, Endpointer, Paused
from joyvl_app.audio import HEARD_RATE, WINDOW, Resampler, pcm, windows
from joyvl_app.domain import AudioChunk, Pcm, Transcript
from joyvl_app.errors import JoyError
from joyvl_app.mailbox import AudioQueue
from joyvl_app.plain import sentence
from joyvl_app.playout import Playout
from joyvl_app.ports import Clock, Ear, Transcriber, VoiceDetector
from joyvl_app.settings import Settings

_TURNS = 4  # stretches of speech waiting to be read; the oldest is dropped
_LONG = 3.0  # seconds of loading after which it is told
_GONE = 1.0  # seconds without a sample in the middle of a turn: the microphone has gone
_PATIENCE, _REST = 3, 60.0  # faults in a row, and the seconds of rest they earn
_REPEAT = 300.0  # seconds until the same complaint is made again
_CAPTION_EVERY = 1.2  # seconds of speech between two captions


class Listener(Protocol):
    """Whom the user talks to: told at once that somebody speaks, then what it was."""

    @property
    def language(self) -> str: ...
    @property
    def endpoint(self) -> float: ...
    def began(self, t: float) -> None: ...
    def ended(self, t: float) -> None: ...
    def partial(self, text: str) -> None: ...
    def understood(self, heard: Transcript | None) -> bool: ...  # None: no words; false: it was the assistant's own voice
    def tell(self, text: str) -> None: ...


class Hearing:
    """Feed it with `put`; `run` does the rest until cancelled. A fault of an engine is told once and the watch goes on."""

    def __init__(self, listener: Listener, transcriber: Transcriber, detector: VoiceDetector, playout: Playout,
                 clock: Clock, settings: Settings) -> None:  # fmt: skip
        self._listener, self._transcriber, self._detector = listener, transcriber, detector
        self._playout, self._clock = playout, clock
        self._audio = AudioQueue(settings.audio_backlog)
        self._turns: asyncio.Queue[Ended] = asyncio.Queue(_TURNS)
        self._endpointer = Endpointer(settings.turn_seconds)
        self._resampler = Resampler(HEARD_RATE)
        self._rest: Pcm = np.zeros(0, np.int16)
        self._ear: Ear | None = None
        self._connected = asyncio.Event()
        self._drafting: tuple[AudioChunk, asyncio.Task[str]] | None = None  # speech that is being read ahead
        self._captioned = 0.0
        self._told: dict[str, float] = {}
        self._faults, self._rests_until = 0, 0.0

    @property
    def turn_under_way(self) -> bool:
        return self._endpointer.speaking

    def put(self, chunk: AudioChunk) -> None:
        """What the microphone took; `chunk.t` is when its first sample was heard."""
        self._audio.put(chunk)
        self._connected.set()
        if self._audio.dropped_seconds:
            self._tell_once("I cannot keep up with the microphone; some of it is not heard.")

    def finish_turn(self) -> None:
        """The turn is over now, without waiting for silence: the key was released, the microphone switched off."""
        if ended := self._endpointer.finish():
            self._end(ended)

    def forget(self) -> None:
        """Nothing of what was heard so far counts any more."""
        self._audio.clear()
        self._rest = self._rest[:0]
        if self._endpointer.finish():
            self._listener.ended(self._clock.now())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._prepare())
            group.create_task(self._listen())
            group.create_task(self._read())

    async def _prepare(self) -> None:
        """Load the transcriber once there is a microphone; a large one takes a while, and says so."""
        await self._connected.wait()
        loading = asyncio.ensure_future(self._transcriber.start())
        try:
            await asyncio.wait((loading,), timeout=_LONG)
            if not loading.done():
                self._listener.tell(
                    f"Speech recognition ({self._transcriber.name}) is being loaded; what you say is kept meanwhile."
                )
            await loading
        except JoyError as error:
            self._tell_once(f"What is said cannot be understood; typing works. {error}")
        except Exception as error:  # a plug-in's fault must not end the watch
            self._tell_once(f"What is said cannot be understood ({type(error).__name__}); typing works.")
        finally:
            loading.cancel()

    # --- the ear ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        first = await self._audio.get()
        try:
            await self._detector.start()
        except JoyError as error:
            return self._tell_once(f"The microphone cannot be used. {error}")
        self._ear = self._detector.open()
        await self._hear(self._ear, first)
        while True:
            if (chunk := await self._next_chunk()) is None:
                self.finish_turn()
            else:
                await self._hear(self._ear, chunk)

    async def _next_chunk(self) -> AudioChunk | None:
        """None when the microphone falls silent for good in the middle of a turn."""
        if not self.turn_under_way:
            return await self._audio.get()
        getting = asyncio.ensure_future(self._audio.get())
        limit = asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + _GONE))
        try:
            await asyncio.wait((getting, limit), return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else None
        finally:
            getting.cancel()
            limit.cancel()

    async def _hear(self, ear: Ear, chunk: AudioChunk) -> None:
        samples = np.concatenate([self._rest, self._resampler.take(pcm(chunk.samples), chunk.rate)])
        whole = samples.size // WINDOW * WINDOW
        near, self._rest = samples[:whole], samples[whole:]
        if not whole:
            return
        far = self._playout.played(whole)
        try:
            sounds = await ear.listen(near, far)
        except JoyError as error:
            return self._tell_once(f"The microphone is not heard at the moment. {error}")
        except Exception as error:  # a plug-in's fault must not end the watch
            return self._tell_once(f"The microphone is not heard at the moment ({type(error).__name__}).")
        t = chunk.t + chunk.seconds - (samples.size / HEARD_RATE)
        for number, (window, sound) in enumerate(zip(windows(near), sounds, strict=True), 1):
            turn = self._endpointer.take(t + number * STEP, window, sound, self._listener.endpoint)
            match turn:
                case Began():
                    self._captioned = turn.t
                    self._listener.began(turn.t)
                case Paused():
                    self._draft(turn.speech)
                case Ended():
                    self._end(turn)
        self._caption(chunk.t)

    def _end(self, ended: Ended) -> None:
        if self._turns.full():
            self._turns.get_nowait()
            self._tell_once("I cannot keep up with what is said; a part of it is not understood.")
        self._turns.put_nowait(ended)
        if ended.over:
            self._listener.ended(ended.speech.t + ended.speech.seconds)

    # --- the words ---------------------------------------------------------------------------------------------------

    def _caption(self, t: float) -> None:
        """Words while they are spoken, by engines quick enough for that."""
        if self.turn_under_way and self._transcriber.quick and t - self._captioned >= _CAPTION_EVERY:
            self._captioned = t
            self._draft(self._endpointer.so_far())

    def _draft(self, speech: AudioChunk) -> None:
        """Begin to read what may be the whole turn; one reading at a time."""
        if self._drafting and not self._drafting[1].done():
            return
        if self._clock.now() < self._rests_until:
            return
        task = asyncio.ensure_future(self._transcriber.transcribe(speech, self._listener.language))
        self._drafting = (speech, task)
        task.add_done_callback(self._show)

    def _show(self, task: asyncio.Task[str]) -> None:
        if not task.cancelled() and not task.exception() and self.turn_under_way and (text := sentence(task.result())):
            self._listener.partial(text)

    async def _read(self) -> None:
        while True:
            ended = await self._turns.get()
            resting = self._clock.now() < self._rests_until
            speech, text = ended.speech, "" if resting else await self._words(ended)
            heard = Transcript(text, round(speech.t, 3), round(speech.t + speech.seconds - ended.quiet, 3))
            if not self._listener.understood(heard if text else None) and self._ear:
                self._ear.mistaken()

    async def _words(self, ended: Ended) -> str:
        try:
            text = sentence(await self._reading(ended))
            self._faults = 0
            return text
        except JoyError as error:
            self._failed(str(error))
        except Exception as error:  # a plug-in's fault must not end the watch
            self._failed(f"The transcriber failed ({type(error).__name__}).")
        return ""

    def _reading(self, ended: Ended) -> Awaitable[str]:
        """What was read ahead when the silence began, if nothing was said since; else a reading of the whole."""
        if self._drafting:
            (speech, task), self._drafting = self._drafting, None
            missed = ended.speech.seconds - speech.seconds
            if speech.t == ended.speech.t and missed <= ended.quiet and not task.cancelled():
                return task
        return self._transcriber.transcribe(ended.speech, self._listener.language)

    def _failed(self, fault: str) -> None:
        """An engine that fails again and again is left alone for a while: each call may cost a thread."""
        self._faults += 1
        if self._faults >= _PATIENCE:
            self._faults, self._rests_until = 0, self._clock.now() + _REST
        self._tell_once(f"What was said could not be understood; typing still works. {fault}")

    def _tell_once(self, text: str) -> None:
        now = self._clock.now()
        if now - self._told.get(text, -_REPEAT) >= _REPEAT:
            self._told[text] = now
            self._listener.tell(text)
