"""What a family writes down while it stages an episode."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from joyvl_app.train import wording as w
from joyvl_app.train.staging import Stage
from joyvl_app.train.talks import Line
from joyvl_app.train.worlds import CLASSES


@dataclass
class Script:
    """What a family writes: questions, responses, and the events that these answer with the wordings that are accepted."""

    questions: list[Line] = field(default_factory=list)
    responses: list[Line] = field(default_factory=list)
    events: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    results: list[Line] = field(default_factory=list)

    def ask(self, t: float, text: str) -> None:
        self.questions.append(Line(t, text))

    def say(self, t: float, text: str, *accept: str) -> None:
        """Something happens at `t`; it is said in the first second whose picture can show it."""
        self.responses.append(Line(float(ceil(t)), w.article(text)))
        self.events.append((t, accept))


def pick(stage: Stage, but: tuple[str, ...] = ()) -> str:
    return str(stage.rng.choice([name for name in CLASSES if name not in but]))
