"""Voices and transcribers by name, which of them `auto` means, and in which order voices stand in for one another."""

from __future__ import annotations

from joyvl_app.errors import JoyError
from joyvl_app.ports import Clock, Synthesizer, Transcriber, VoiceDetector
from joyvl_app.registry import Entry, Registry
from joyvl_app.settings import Settings


def _hibari(clock: Clock, settings: Settings) -> Synthesizer:
    from joyvl_app.tts.hibari import HibariSynthesizer

    return HibariSynthesizer(clock, settings.voice_seconds)


def _melo(clock: Clock, settings: Settings) -> Synthesizer:
    from joyvl_app.tts.melo import MeloSynthesizer

    return MeloSynthesizer(clock, settings.melo_model, settings.voice_seconds)


def _espeak(clock: Clock, settings: Settings) -> Synthesizer:
    from joyvl_app.tts.espeak import EspeakSynthesizer

    return EspeakSynthesizer(clock, settings.voice_seconds)


def _browser(clock: Clock, settings: Settings) -> Synthesizer:
    from joyvl_app.tts.browser import BrowserSynthesizer

    return BrowserSynthesizer()


def _tones(clock: Clock, settings: Settings) -> Synthesizer:
    from joyvl_app.tts.scripted import ScriptedSynthesizer

    return ScriptedSynthesizer()


def _moonshine(clock: Clock, settings: Settings) -> Transcriber:
    from joyvl_app.asr.moonshine import MoonshineTranscriber

    return MoonshineTranscriber(clock, settings.transcriber_seconds)


def _whisper(clock: Clock, settings: Settings) -> Transcriber:
    from joyvl_app.asr.whisper import WhisperTranscriber

    return WhisperTranscriber(clock, settings)


def _scripted(clock: Clock, settings: Settings) -> Transcriber:
    from joyvl_app.asr.scripted import ScriptedTranscriber

    return ScriptedTranscriber()


def _silero(clock: Clock, settings: Settings) -> VoiceDetector:
    from joyvl_app.asr.silero import SileroDetector

    return SileroDetector(clock)


def _loudness(clock: Clock, settings: Settings) -> VoiceDetector:
    from joyvl_app.asr.scripted import LoudnessDetector

    return LoudnessDetector()


_HEARING = (("silero_vad", "silero-vad"), ("livekit", "livekit"), ("soxr", "soxr"))

VOICES: Registry[Synthesizer] = Registry("voice")
VOICES.add("hibari", Entry(_hibari, "English, on the CPU, inside its package", (("hibari", "hibari-tts"),)))
VOICES.add(
    "melo", Entry(_melo, "MeloTTS, English and Chinese; weights from the hub or a folder", (("sherpa_onnx", "sherpa-onnx"),))
)
VOICES.add("espeak", Entry(_espeak, "many languages, robotic; GPL-3", (("espeakng_loader", "espeakng-loader"),)))
VOICES.add("browser", Entry(_browser, "the browser's own voice; no sound from the server"))
VOICES.add("scripted", Entry(_tones, "plain tones; for demos and tests"))

TRANSCRIBERS: Registry[Transcriber] = Registry("transcriber")
_MOONSHINE, _WHISPER = ("moonshine_voice", "moonshine-voice==0.0.73"), ("whisper", "openai-whisper")
TRANSCRIBERS.add("moonshine", Entry(_moonshine, "English, on the CPU", (_MOONSHINE, *_HEARING)))
TRANSCRIBERS.add("whisper", Entry(_whisper, "openai-whisper, any size and language", (_WHISPER, *_HEARING)))
TRANSCRIBERS.add("scripted", Entry(_scripted, "follows a script; for demos and tests"))

_DETECTORS: Registry[VoiceDetector] = Registry("voice detector")
_DETECTORS.add("silero", Entry(_silero, "silero's network, behind an echo canceller", _HEARING))
_DETECTORS.add("loudness", Entry(_loudness, "loud is speech; for demos and tests"))

_ORDER = ("hibari", "melo", "espeak", "browser")  # who stands in for whom
CHOICES = ("auto", *_ORDER, "none")


class Voices:
    """Each is made when it is first asked for and shared by all sessions. Raises BadInput or MissingPart on a wrong setting."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._made: dict[str, Synthesizer] = {}
        self._ears: tuple[Transcriber, VoiceDetector] | None = None
        if settings.synthesizer not in ("auto", "none"):
            VOICES.check(settings.synthesizer)
        if settings.transcriber not in ("auto", "none"):
            TRANSCRIBERS.check(settings.transcriber)

    @property
    def offered(self) -> list[str]:
        """What the page may choose from: all that can speak here."""
        names = dict.fromkeys((self._settings.synthesizer, *CHOICES))
        return [name for name in names if name in ("auto", "none") or self._ready(name)]

    def chain(self, name: str = "") -> tuple[Synthesizer, ...]:
        """The voice of this name (else the setting's) and those that stand in for it. Raises BadInput or MissingPart."""
        name = name or self._settings.synthesizer
        if name in ("none", "browser", "scripted"):
            return (self._get(name),) if name != "none" else ()
        first = [] if name == "auto" else [name]
        return tuple(self._get(each) for each in dict.fromkeys([*first, *filter(self._ready, _ORDER)]))

    def ears(self) -> tuple[Transcriber, VoiceDetector] | tuple[None, None]:
        """What hears the microphone; none where the setting says so or packages are missing."""
        name = "moonshine" if self._settings.transcriber == "auto" else self._settings.transcriber
        if name == "none" or (self._settings.transcriber == "auto" and TRANSCRIBERS.entries[name].missing()):
            return None, None
        if self._ears is None:
            detector = "loudness" if name == "scripted" else "silero"
            made = TRANSCRIBERS.make(name, self._clock, self._settings)
            self._ears = made, _DETECTORS.make(detector, self._clock, self._settings)
        return self._ears

    async def warm_up(self) -> None:
        """Load the voice that will speak first; its faults are told when it is to speak."""
        for voice in self.chain()[:1]:
            try:
                await voice.start()
            except JoyError:
                return

    async def aclose(self) -> None:
        for part in (*self._made.values(), *(self._ears or ())):
            await part.aclose()

    def _get(self, name: str) -> Synthesizer:
        if name not in self._made:
            self._made[name] = VOICES.make(name, self._clock, self._settings)
        return self._made[name]

    def _ready(self, name: str) -> bool:
        """Whether it can speak without being fetched first, or the settings ask for it all the same."""
        if VOICES.entries[name].missing():
            return False
        if name != "melo" or self._settings.synthesizer == "melo":
            return True
        from joyvl_app.tts.melo import is_here

        return is_here(self._settings.melo_model)
