"""Deciders and brains by name, and what a session is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from joyvl_app.choice import choose, obstacle
from joyvl_app.deciders.asked import Asked
from joyvl_app.deciders.gate import Gated
from joyvl_app.errors import BadInput
from joyvl_app.memory.archive import Archive
from joyvl_app.memory.memories import Memories, Visit, make_summarizer
from joyvl_app.parts import Controls, Parts
from joyvl_app.ports import Brain, Clock, Decider, Synthesizer
from joyvl_app.registry import Entry, Registry
from joyvl_app.settings import Settings
from joyvl_app.voices import Voices
from joyvl_app.worker import Worker


def _embedded(clock: Clock, settings: Settings) -> Decider:
    from joyvl_app.deciders.embedded.decider import EmbeddedDecider

    return EmbeddedDecider(clock)


def _silent(clock: Clock, settings: Settings) -> Decider:
    from joyvl_app.deciders.baselines import silent

    return silent()


def _chatty(clock: Clock, settings: Settings) -> Decider:
    from joyvl_app.deciders.baselines import chatty

    return chatty()


def _turn_based(clock: Clock, settings: Settings) -> Decider:
    return Asked("turn_based", _behind_baseline(clock, settings))


def _polling(clock: Clock, settings: Settings) -> Decider:
    return Asked("polling", _behind_baseline(clock, settings), settings.poll_seconds)


def _behind_baseline(clock: Clock, settings: Settings) -> Decider:
    if settings.baseline in ("turn_based", "polling"):
        raise BadInput("JOYVL_BASELINE names the decider that turn_based and polling ask: one with eyes, such as embedded.")
    return DECIDERS.make(settings.baseline, clock, settings)


def _scripted_decider(clock: Clock, settings: Settings) -> Decider:
    from joyvl_app.deciders.scripted import ScriptedDecider

    return ScriptedDecider(clock)


def _vlm(clock: Clock, settings: Settings) -> Decider:
    from joyvl_app.deciders.vlm.decider import VlmDecider

    return VlmDecider(clock, settings)


def _openai_chat(clock: Clock, settings: Settings) -> Decider:
    from joyvl_app.deciders.openai_chat.decider import OpenAiDecider

    return OpenAiDecider(clock, settings)


def _memory_brain(clock: Clock, settings: Settings) -> Brain:
    from joyvl_app.brain.recall import MemoryBrain

    return MemoryBrain(clock)


def _agent(clock: Clock, settings: Settings) -> Brain:
    from joyvl_app.brain.agent import AgentBrain

    return AgentBrain(clock, settings)


def _local(clock: Clock, settings: Settings) -> Brain:
    from joyvl_app.brain.local import local_brain

    return local_brain(clock, settings)


def _canned(clock: Clock, settings: Settings) -> Brain:
    from joyvl_app.brain.canned import CannedBrain

    return CannedBrain()


def _scripted_brain(clock: Clock, settings: Settings) -> Brain:
    from joyvl_app.brain.scripted import ScriptedBrain

    return ScriptedBrain(clock)


_EYES = (("onnxruntime", "onnxruntime"), ("rapidocr", "rapidocr"), ("cv2", "opencv-python-headless"))

_MODEL = (("torch", "torch"), ("transformers", "transformers"), ("accelerate", "accelerate"))
_CLIENT = (("openai", "openai"),)
_TOOLS = (("pint", "pint"), ("simpleeval", "simpleeval"))
_AGENT = (("langchain", "langchain"),)
_GGUF = (("xllamacpp", "xllamacpp"),)

COSTLY = ("vlm", "openai_chat")  # worth a gate in front

DECIDERS: Registry[Decider] = Registry("decider")
DECIDERS.add("embedded", Entry(_embedded, "sees and reads on the CPU, decides by rules from your instruction", _EYES))
DECIDERS.add("vlm", Entry(_vlm, "a vision-language model on this machine, for a GPU", _MODEL))
DECIDERS.add("openai_chat", Entry(_openai_chat, "a vision-language model behind an OpenAI-compatible server", _CLIENT))
DECIDERS.add("silent", Entry(_silent, "baseline: never speaks"))
DECIDERS.add("chatty", Entry(_chatty, "baseline: speaks every second"))
DECIDERS.add("turn_based", Entry(_turn_based, "baseline: answers only when asked (JOYVL_BASELINE decides then)"))
DECIDERS.add("polling", Entry(_polling, "baseline: asks itself every JOYVL_POLL_SECONDS"))
DECIDERS.add("scripted", Entry(_scripted_decider, "follows a script; for demos and tests"))

BRAINS: Registry[Brain] = Registry("brain")
BRAINS.add("memory", Entry(_memory_brain, "answers from memory, clock and calculator alone", _TOOLS))
BRAINS.add("agent", Entry(_agent, "a chat model with read-only tools (JOYVL_BRAIN_MODEL)", (*_TOOLS, *_AGENT)))
BRAINS.add("local", Entry(_local, "a GGUF model on this machine (JOYVL_BRAIN_MODEL=FILE.gguf)", (*_TOOLS, *_AGENT, *_GGUF)))
BRAINS.add("canned", Entry(_canned, "says that no brain is connected"))
BRAINS.add("scripted", Entry(_scripted_brain, "prepared answers; for demos and tests"))


class Deciders:
    """Deciders by name, each made when it is first asked for and shared by all sessions."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._made: dict[str, Decider] = {}
        self._making = threading.Lock()  # asked for on the loop and off it
        self._gates = Worker("gate", clock)

    def get(self, name: str) -> Decider:
        """Raises BadInput for an unknown name, MissingPart naming what to install."""
        with self._making:
            if name not in self._made:
                self._made[name] = DECIDERS.make(name, self._clock, self._settings)
            return self._made[name]

    def gated(self, name: str) -> Decider:
        """The same behind the static-scene gate, where the settings want one."""
        decider, gate = self.get(name), self._settings.gate
        return (
            Gated(decider, self._settings.gate_seconds, self._gates)
            if gate == "on" or (gate == "auto" and name in COSTLY)
            else decider
        )

    async def aclose(self) -> None:
        for decider in self._made.values():
            await decider.aclose()
        self._gates.close()


@dataclass(frozen=True)
class Providers:
    """What all sessions share."""

    deciders: Deciders
    chosen: str
    brain: Brain
    voices: Voices
    memories: Memories
    clock: Clock

    @property
    def decider(self) -> Decider:
        return self.deciders.get(self.chosen)

    def parts(
        self,
        settings: Settings,
        controls: Controls,
        visit: Visit,
        voices: tuple[Synthesizer, ...] = (),
        clock: Clock | None = None,
    ) -> Parts:
        """One session's parts: the shared providers (the decider that its visit names), these voices, and a memory of its own on
        its `clock`, with key frames in the archive as long as its user wants them.
        """
        name = visit.decider or self.chosen
        memory = self.memories.make(visit, clock or self.clock, lambda: controls.pictures)
        by_itself = settings.decider == "auto" and name == self.chosen != "embedded"
        fallback = (lambda: self.deciders.gated("embedded")) if by_itself else None
        transcriber, detector = self.voices.ears()
        return Parts(self.deciders.gated(name), memory, self.brain, voices, transcriber, detector, fallback)

    async def aclose(self) -> None:
        await self.deciders.aclose()
        await self.brain.aclose()
        await self.memories.aclose()
        await self.voices.aclose()


def offered_deciders(settings: Settings) -> list[str]:
    """The deciders that a session may be switched to: the chosen one, the embedded one, and the models that can be had."""
    names = [chosen_decider(settings), "embedded"]
    names += ["openai_chat"] if settings.openai_urls else []
    names += ["vlm"] if Path(settings.model).expanduser().is_dir() or obstacle(settings) is None else []
    return [name for name in dict.fromkeys(names) if not DECIDERS.check(name).missing()]


def chosen_decider(settings: Settings) -> str:
    """The name of the decider that the settings mean."""
    return choose(settings).name


def chosen_brain(settings: Settings) -> str:
    """The name of the brain that the settings mean: the agent as soon as it has a model."""
    if settings.brain != "auto":
        return settings.brain
    model = settings.brain_model
    return "memory" if not model else "local" if model.endswith(".gguf") else "agent"


def build_providers(settings: Settings, clock: Clock, open_archive: Callable[[], Archive | None] = lambda: None) -> Providers:
    """The providers that the settings name; the archive is opened last. Raises BadInput or MissingPart."""
    deciders, chosen = Deciders(settings, clock), chosen_decider(settings)
    deciders.get(chosen)
    brain = BRAINS.make(chosen_brain(settings), clock, settings)
    voices, summarizer = Voices(settings, clock), make_summarizer(settings, clock)
    return Providers(deciders, chosen, brain, voices, Memories(settings, summarizer, open_archive()), clock)
