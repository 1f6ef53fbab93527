"""Explicit tables: name → how to make a provider. Nothing heavy is imported until its provider is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Generic, TypeVar

from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.memory.window import Window
from joyvl_app.parts import Parts
from joyvl_app.ports import Brain, Clock, Decider, Synthesizer
from joyvl_app.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """How to make a provider, what it is for, and the packages it needs (import name → install name)."""

    make: Callable[[Clock], T]
    about: str
    needs: tuple[tuple[str, str], ...] = ()

    def missing(self) -> list[str]:
        return [install for module, install in self.needs if find_spec(module) is None]


class Registry(Generic[T]):
    """One port's providers by name. A repeated name is refused, an unknown one lists the choices."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._entries: dict[str, Entry[T]] = {}

    def add(self, name: str, entry: Entry[T]) -> None:
        if name in self._entries:
            raise BadInput(f"There is already a {self._port} called '{name}'.")
        self._entries[name] = entry

    @property
    def entries(self) -> dict[str, Entry[T]]:
        return dict(self._entries)

    def make(self, name: str, clock: Clock) -> T:
        """Raises BadInput for an unknown name, MissingPart naming what to install."""
        return self.check(name).make(clock)

    def check(self, name: str) -> Entry[T]:
        """The entry of a name that can be made. Raises as `make`."""
        if name not in self._entries:
            raise BadInput(f"There is no {self._port} '{name}'. Choose from: {', '.join(self._entries)}.")
        entry = self._entries[name]
        if missing := entry.missing():
            raise MissingPart(f"The {self._port} '{name}' needs: pip install {' '.join(missing)}")
        return entry


def _embedded(clock: Clock) -> Decider:
    from joyvl_app.deciders.embedded.decider import EmbeddedDecider

    return EmbeddedDecider(clock)


def _silent(clock: Clock) -> Decider:
    from joyvl_app.deciders.baselines import silent

    return silent()


def _chatty(clock: Clock) -> Decider:
    from joyvl_app.deciders.baselines import chatty

    return chatty()


def _scripted_decider(clock: Clock) -> Decider:
    from joyvl_app.deciders.scripted import ScriptedDecider

    return ScriptedDecider(clock)


def _canned(clock: Clock) -> Brain:
    from joyvl_app.brain.canned import CannedBrain

    return CannedBrain()


def _scripted_brain(clock: Clock) -> Brain:
    from joyvl_app.brain.scripted import ScriptedBrain

    return ScriptedBrain(clock)


def _captions_only(clock: Clock) -> Synthesizer | None:
    return None


def _scripted_voice(clock: Clock) -> Synthesizer | None:
    from joyvl_app.tts.scripted import ScriptedSynthesizer

    return ScriptedSynthesizer()


_EYES = (("onnxruntime", "onnxruntime"), ("rapidocr", "rapidocr"), ("cv2", "opencv-python-headless"))

DECIDERS: Registry[Decider] = Registry("decider")
DECIDERS.add("embedded", Entry(_embedded, "sees and reads on the CPU, decides by rules from your instruction", _EYES))
DECIDERS.add("silent", Entry(_silent, "baseline: never speaks"))
DECIDERS.add("chatty", Entry(_chatty, "baseline: speaks every second"))
DECIDERS.add("scripted", Entry(_scripted_decider, "follows a script; for demos and tests"))

BRAINS: Registry[Brain] = Registry("brain")
BRAINS.add("canned", Entry(_canned, "says that no brain is connected"))
BRAINS.add("scripted", Entry(_scripted_brain, "prepared answers; for demos and tests"))

VOICES: Registry[Synthesizer | None] = Registry("voice")
VOICES.add("none", Entry(_captions_only, "captions only"))
VOICES.add("scripted", Entry(_scripted_voice, "plain tones; for demos and tests"))


@dataclass(frozen=True)
class Providers:
    """What all sessions share."""

    decider: Decider
    brain: Brain
    synthesizer: Synthesizer | None

    def parts(self, settings: Settings) -> Parts:
        """One session's parts: the shared providers and a memory of its own."""
        memory = Window(settings.chunk_seconds, settings.qa_pairs)
        return Parts(self.decider, memory, self.brain, self.synthesizer)

    async def aclose(self) -> None:
        await self.decider.aclose()
        await self.brain.aclose()
        if self.synthesizer:
            await self.synthesizer.aclose()


def chosen_decider(settings: Settings) -> str:
    """The name behind `auto`: on a bare machine the embedded decider."""
    return "embedded" if settings.decider == "auto" else settings.decider


def build_providers(settings: Settings, clock: Clock) -> Providers:
    """The providers that the settings name. Raises BadInput or MissingPart."""
    return Providers(
        DECIDERS.make(chosen_decider(settings), clock),
        BRAINS.make(settings.brain, clock),
        VOICES.make(settings.synthesizer, clock),
    )
