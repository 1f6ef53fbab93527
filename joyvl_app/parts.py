"""What a session is made of, and what its user may change while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from joyvl_app.ports import Brain, Decider, Memory, Synthesizer


@dataclass(frozen=True)
class Parts:
    """The providers one session runs on; decider, brain and voice are shared between sessions."""

    decider: Decider
    memory: Memory
    brain: Brain
    synthesizer: Synthesizer | None = None
    fallback: Callable[[], Decider] | None = None  # where the app chose the decider and it turns out unusable


@dataclass
class Controls:
    """What the user may change while it runs; the next second obeys."""

    instruction: str = ""
    sensitivity: float = 0.0
    language: str = "en"
    persona: str = ""
    paused: bool = False
