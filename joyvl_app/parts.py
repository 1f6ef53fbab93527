"""What a session is made of, and what its user may change while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from joyvl_app.ports import Brain, Decider, Memory, Synthesizer, Transcriber, VoiceDetector


@dataclass(frozen=True)
class Parts:
    """The providers one session runs on; all but the memory are shared between sessions.

    `voices` stand in the order of preference: the first that speaks a sentence's language and does not fail says it.
    """

    decider: Decider
    memory: Memory
    brain: Brain
    voices: tuple[Synthesizer, ...] = ()
    transcriber: Transcriber | None = None
    detector: VoiceDetector | None = None
    fallback: Callable[[], Decider] | None = None  # where the app chose the decider and it turns out unusable


@dataclass
class Controls:
    """What the user may change while it runs; the next second obeys."""

    instruction: str = ""
    sensitivity: float = 0.0
    language: str = "en"
    persona: str = ""
    paused: bool = False
    pictures: bool = False  # key frames go into the archive
    voiced: bool = True  # false: captions only
    speed: float = 1.0
    volume: float = 1.0
    endpoint: float = 0.7  # seconds of silence that end the user's turn
    urgent_interrupts: bool = False  # whether an urgent sentence may be spoken over the user
