"""Speech in and out of one session: who has the floor, what the user says about the voice itself, and whose voice is whose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from joyvl_app.domain import AudioChunk, Role, Transcript
from joyvl_app.errors import JoyError
from joyvl_app.events import Adjusted, Event, Hearing, Saying, Spoken
from joyvl_app.hearing import Hearing as Microphone
from joyvl_app.hearing import Reading
from joyvl_app.intent import Intent, classify
from joyvl_app.own_voice import without_own
from joyvl_app.parts import Controls, Parts
from joyvl_app.playout import Playout
from joyvl_app.ports import Clock, Synthesizer
from joyvl_app.settings import Settings
from joyvl_app.speech import Speech
from joyvl_app.status import Status
from joyvl_app.utterance import Utterance

_LEAN = 0.7  # by so much "speak less often" moves the sensitivity
_LOUDER, _FASTER = 1.5, 1.2
VOLUMES, SPEEDS, LEANS = (0.2, 3.0), (0.6, 2.0), (-3.0, 3.0)
_HOLD = 5.0  # seconds for which the floor waits for what was said to be understood and decided
_ECHO = 0.6  # seconds for which a sentence may still come back from the room
_MOSTLY = 0.6  # of the time it was heard something of ours sounded: it may all be ours
_COMMAND_WORDS = 3  # so short a command is obeyed even if the assistant was just saying the word


class Voice:
    """`heard` takes what the user said; `emit` keeps an event, `show` only shows it."""

    def __init__(self, parts: Parts, controls: Controls, clock: Clock, settings: Settings, status: Status,
                 emit: Callable[[Event], None], show: Callable[[Event], None],
                 heard: Callable[[Transcript], Intent]) -> None:  # fmt: skip
        self.playout = Playout()
        self.role: Role = "user"  # whose voice the microphone brings; a soundtrack's belongs to the scene
        self._controls, self._clock, self._status = controls, clock, status
        self._keep, self._show_now, self._heard = emit, show, heard
        self._speech = Speech(clock, self._emit, self._show, controls, parts.voices, self.playout)
        self._longest = settings.utterance_chars
        self._microphone: Microphone | None = None
        self._languages: tuple[str, ...] = ()
        self._other_voices = asyncio.Event()
        self._held_until = 0.0
        self._user_speaks = self._reading = self._reply_due = self._warned = False
        if parts.transcriber and parts.detector:
            self._languages = parts.transcriber.languages
            self._microphone = Microphone(self, parts.transcriber, parts.detector, self.playout, clock, settings)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speech.run())
            group.create_task(self._keep_voices_ready())
            if self._microphone:
                group.create_task(self._microphone.run())

    async def _keep_voices_ready(self) -> None:
        """Load what is to speak, the first choice last told of: until it is there, those behind it speak."""
        while True:
            self._other_voices.clear()
            for voice in reversed(self._speech.voices):
                if not voice.ready:
                    await self._load(voice)
            await self._other_voices.wait()

    async def _load(self, voice: Synthesizer) -> None:
        try:
            await voice.start()
        except JoyError as error:
            self.tell(f"The voice {voice.name} cannot be used. {error}")
        except Exception as error:  # a plug-in's fault must not end the watch
            self.tell(f"The voice {voice.name} cannot be used ({type(error).__name__}).")

    # --- out ---------------------------------------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        return self._speech.speaking

    @property
    def floor_free(self) -> bool:
        """Nobody speaks, and nobody waits for a reply."""
        return not (self._speech.speaking or self._user_speaks or self._reading or self._reply_due)

    def decided(self, on_what_was_heard: bool) -> None:
        """A decision was taken; if it was the one on the user's words, what else waits to be said may follow."""
        self._reply_due = self._reply_due and not on_what_was_heard
        self._release()

    def say(self, text: str, t: float, urgent: bool = False, reply: bool = False) -> None:
        text = text if len(text) <= self._longest else text[: self._longest - 1] + "…"
        self._speech.say(Utterance(text, t, urgent, reply))

    def interrupt(self) -> None:
        self._speech.interrupt()

    def ended_elsewhere(self, number: int) -> None:
        """The page's own voice is done with the sentence of this number."""
        self._speech.ended_elsewhere(number)

    def speak_with(self, voices: tuple[Synthesizer, ...]) -> None:
        """From the next sentence on; the one that sounds is finished."""
        self._speech.voices = voices
        self._other_voices.set()

    def be_silent(self, silent: bool) -> None:
        """Captions only, from now on."""
        self._controls.voiced = not silent
        if silent:
            self._speech.fall_silent()

    def obey(self, intent: Intent) -> None:
        """What the user wants of the voice itself; an intent of another kind changes nothing."""
        if intent in (Intent.REPEAT, Intent.CONTINUE):
            text = self._speech.last if intent is Intent.REPEAT else self._speech.take_unsaid()
            return self.say(text, self._clock.now()) if text else self.tell("There is nothing to say again.")
        controls = self._controls
        match intent:
            case Intent.LOUDER | Intent.SOFTER:
                controls.volume = _within(controls.volume * (_LOUDER if intent is Intent.LOUDER else 1 / _LOUDER), VOLUMES)
            case Intent.FASTER | Intent.SLOWER:
                controls.speed = _within(controls.speed * (_FASTER if intent is Intent.FASTER else 1 / _FASTER), SPEEDS)
            case Intent.LESS | Intent.MORE:
                controls.sensitivity = _within(controls.sensitivity + (_LEAN if intent is Intent.MORE else -_LEAN), LEANS)
            case _:
                return
        leans, volume, speed = (round(value, 2) for value in (controls.sensitivity, controls.volume, controls.speed))
        self._emit(Adjusted(t=self._clock.now(), sensitivity=leans, volume=volume, speed=speed))

    def _emit(self, event: Event) -> None:
        self._keep(event)
        if isinstance(event, Spoken):
            self._status.floor("listening" if self._user_speaks else None)

    def _show(self, event: Event) -> None:
        self._show_now(event)
        if isinstance(event, Saying):
            self._status.floor("speaking")

    # --- in: what the microphone has to say ------------------------------------------------------------------------------

    def listen(self, chunk: AudioChunk) -> None:
        """What the microphone took; nothing is heard while paused."""
        if self._microphone and not self._controls.paused:
            self._microphone.put(chunk)

    def finish_turn(self) -> None:
        """The user has let go of the key, or switched the microphone off."""
        if self._microphone:
            self._microphone.finish_turn()

    def forget(self) -> None:
        """Paused: what was being said to it is not for it."""
        if self._microphone:
            self._microphone.forget()

    @property
    def language(self) -> str:
        return self._controls.language

    @property
    def endpoint(self) -> float:
        return self._controls.endpoint

    def began(self, t: float) -> None:
        """Barge-in: whoever speaks has the floor, but for an urgent sentence where the scenario lets it go on."""
        if self.role != "user":
            return
        self._user_speaks = True
        self._speech.hold()
        saying = self._speech.sounding
        if not (saying and saying.urgent and self._controls.urgent_interrupts):
            self._speech.yield_floor()
        self._status.floor("listening")
        if self.language not in self._languages and not self._warned:
            self._warned = True
            known = " and ".join(self._languages)
            self.tell(f"Speech is recognised in {known} here, not in {self.language}; JOYVL_TRANSCRIBER=whisper knows more.")

    def ended(self, t: float) -> None:
        if self.role != "user":
            return
        self._user_speaks, self._reading = False, True
        self._held_until = self._clock.now() + _HOLD
        self._status.floor("thinking")

    def partial(self, text: str) -> None:
        self._show_now(Hearing(t=self._clock.now(), text=text))

    def understood(self, reading: Reading) -> bool:
        self._reading = not reading.last
        if not (self._user_speaks or self._reading):
            self._status.floor("speaking" if self._speech.sounding else None)
            self.partial("")
        heard = reading.heard
        text = self._users_own(heard, reading) if heard else ""
        if heard and text:
            self._take_in(replace(heard, text=text, role=self.role))
        elif heard:
            self.tell(f"Taken for my own voice: {heard.text}")
            self._speech.resume()
        self._release()
        return bool(text) or heard is None

    def _take_in(self, heard: Transcript) -> None:
        try:
            asked = self._heard(heard) is Intent.ASK and heard.role == "user"
            self._reply_due = self._reply_due or asked
        except JoyError as error:
            self.tell(str(error))

    def _release(self) -> None:
        """The floor is free again once the user has spoken, was understood, and the decision on it was taken; or after a while,
        for a transcriber or a decider may take very long.
        """
        late = self._clock.now() >= self._held_until
        if not self._user_speaks and (late or not (self._reading or self._reply_due)):
            if late and self._reading and not self._speech.sounding:
                self._status.floor(None)
            self._speech.release()

    def tell(self, text: str) -> None:
        self._status.tell(text)

    def _users_own(self, heard: Transcript, reading: Reading) -> str:
        """Without what only came back from the loudspeaker, as far as it sounded while this was heard."""
        if classify(heard.text) in (Intent.STOP, Intent.QUIET) and len(heard.text.split()) <= _COMMAND_WORDS:
            return heard.text
        if not reading.foreign and self._speech.said_during(heard.t_start, heard.t_end, _ECHO)[1] >= _MOSTLY:
            return ""
        said, share = self._speech.said_during(heard.t_start, heard.t_end, _ECHO if reading.echoes else 0.0)
        rest = without_own(heard.text, said, share * (heard.t_end - heard.t_start)) if said else heard.text
        return rest if rest or share >= _MOSTLY else heard.text


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])
