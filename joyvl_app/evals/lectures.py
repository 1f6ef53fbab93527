"""Long memory, measured: rendered lectures whose slides are asked about minutes after they were shown.

The material (assets/evals/lectures.yaml) is drawn by a seed; none of its words are in the code.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from joyvl_app.build import Providers, build_providers
from joyvl_app.clock import ManualClock
from joyvl_app.evals.render.film import film
from joyvl_app.evals.render.material import EVALS
from joyvl_app.evals.render.screenplay import Screenplay, SlideAct
from joyvl_app.event_log import EventLog
from joyvl_app.events import Answered, Event, Spoken
from joyvl_app.memory.memories import ScratchArchive, Visit
from joyvl_app.parts import Controls
from joyvl_app.scenario import Strict, read_yaml
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.sources import VideoSource
from joyvl_app.watching import watch

Split = Literal["dev", "test", "held"]
_SHOWN = 12.0  # seconds that a slide stands
_LATER = 360.0  # seconds between a slide and the question about it
_APART = 6.0  # seconds between two questions
_FPS = 2


class Ask(Strict):
    """A question, and words that must all be in its answer."""

    ask: str
    accept: tuple[str, ...]


class Topic(Strict):
    """A slide and what is asked about it."""

    title: str
    lines: tuple[str, ...]
    asks: tuple[Ask, ...]


@dataclass(frozen=True)
class Lecture:
    """A rendered lecture and what is asked about it, when."""

    play: Screenplay
    asks: tuple[tuple[float, Ask], ...]


@dataclass(frozen=True)
class Recalled:
    """One question, the answer that was given (and spoken), and whether it held what it must."""

    ask: Ask
    answer: str
    spoken: bool
    right: bool


def lectures(split: Split, seed: int, topics_each: int) -> list[Lecture]:
    """All topics of a split, shuffled and dealt out to lectures."""
    topics = TypeAdapter(dict[str, list[Topic]]).validate_python(read_yaml(EVALS / "lectures.yaml", "lectures"))[split]
    random.Random(seed).shuffle(topics)
    return [_lecture(topics[i : i + topics_each], split, seed + i) for i in range(0, len(topics), topics_each)]


def _lecture(topics: Sequence[Topic], split: Split, seed: int) -> Lecture:
    acts = [
        _slide(topic.title, topic.lines, number * _SHOWN, (number + 1) * _SHOWN, split) for number, topic in enumerate(topics)
    ]
    asks = [ask for topic in topics for ask in topic.asks]
    first = len(topics) * _SHOWN + _LATER
    timed = tuple((first + number * _APART, ask) for number, ask in enumerate(asks))
    end = first + len(asks) * _APART + 4
    acts.append(_slide("Break", (), len(topics) * _SHOWN, end, split))
    play = Screenplay(seconds=end, seed=seed, split=_style(split), fps=_FPS, size=(640, 360), noise=1.0, acts=tuple(acts))
    return Lecture(play, timed)


def _style(split: Split) -> Literal["dev", "test"]:
    """Whose fonts; what was held back looks like the test's."""
    return "dev" if split == "dev" else "test"


def _slide(title: str, lines: tuple[str, ...], since: float, to: float, split: Split) -> SlideAct:
    return SlideAct.model_validate(
        {"show": "slide", "title": title, "lines": lines, "from": since, "to": to, "style": _style(split)}
    )


async def recall(lecture: Lecture, settings: Settings, folder: Path) -> list[Recalled]:
    """Watch the lecture with the embedded decider and the default brain, and ask. Time is the manual clock's."""
    clock = ManualClock()
    providers = build_providers(settings, clock, lambda: ScratchArchive(clock))
    await providers.decider.start()
    try:
        return _judged(lecture, await _events(lecture, providers, settings, clock, folder))
    finally:
        await providers.aclose()


async def _events(
    lecture: Lecture, providers: Providers, settings: Settings, clock: ManualClock, folder: Path
) -> list[Event]:  # fmt: skip
    source = VideoSource(film(lecture.play, folder), _FPS, settings.frame_max_side)
    controls, log = Controls("Comment on each new slide."), EventLog()
    visit = Visit("lecture", "local", "lecture", source.name, "embedded")
    session = Session("lecture", providers.parts(settings, controls, visit), controls, clock, log, settings)
    kept: list[Event] = []
    log.follow(lambda number, event: kept.append(event))
    cues = [(t, lambda session, ask=ask: session.hear(ask.ask)) for t, ask in lecture.asks]
    await watch(session, source, clock, None, cues)
    return kept


def _judged(lecture: Lecture, events: Sequence[Event]) -> list[Recalled]:
    answers = [event for event in events if isinstance(event, Answered | Spoken)]
    judged = []
    for t, ask in lecture.asks:
        near = [event for event in answers if t <= event.t < t + _APART]
        found = next((event.digest for event in near if isinstance(event, Answered) and event.state == "ready"), "")
        said = next((event.text for event in near if isinstance(event, Spoken) and found and event.text.startswith(found)), "")
        right = bool(found) and all(word.lower() in found.lower() for word in ask.accept) and ":" in found
        judged.append(Recalled(ask, found or " / ".join(e.text for e in near if isinstance(e, Spoken)), bool(said), right))
    return judged


async def recall_all(split: Split, seed: int = 7, topics_each: int = 6) -> list[Recalled]:
    """Every question of a split."""
    settings = Settings.model_validate({"decider": "embedded", "brain": "memory"})
    with tempfile.TemporaryDirectory() as folder:
        return [one for lecture in lectures(split, seed, topics_each) for one in await recall(lecture, settings, Path(folder))]
