"""A talk: what was asked, said and found out over a clip, with its seconds. The form that all training data passes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from joyvl_app.deciders.embedded.words import is_chinese
from joyvl_app.dialect import parse
from joyvl_app.dialect.tokens import DELEGATION, RESPONSE
from joyvl_app.domain import Answer, Decision, Frame, Image, Moment, Silence
from joyvl_app.errors import BadInput
from joyvl_app.train.past import MOST_SECONDS, Past

SHOWN = 0.06  # seconds: the picture of second n may be that much younger
CARRIED = 4  # seconds that a chunk takes along from the one before (JOYVL_REPRIME_FRAMES)


@dataclass(frozen=True)
class Line:
    """Words at second `t` of the clip."""

    t: float
    text: str

    @property
    def delegates(self) -> bool:
        """Whether it hands a question over."""
        return DELEGATION in self.text


@dataclass(frozen=True)
class Talk:
    """One clip's talk. `results` are what the background brain found, to be passed on by the response that follows."""

    id: str
    family: str
    seconds: int
    questions: tuple[Line, ...] = ()
    responses: tuple[Line, ...] = ()
    results: tuple[Line, ...] = ()

    @property
    def language(self) -> str:
        """Of what is asked, as the app would be set to."""
        return "zh" if any(is_chinese(line.text) for line in (*self.questions, *self.responses)) else "en"


@dataclass(frozen=True)
class Second:
    """One pair of turns: when, what was asked and found since the second before, and what is to be said."""

    t: float
    question: str = ""
    results: tuple[str, ...] = ()
    decision: Decision = field(default_factory=Silence)
    near: bool = False  # a response falls within two seconds: silence here is harder than elsewhere


_NEAR = 2


def check_talk(talk: Talk) -> None:
    """Raises BadInput with the reason for which this clip is of no use."""
    if talk.seconds < 1:
        raise BadInput("it is shorter than a second")
    if not talk.questions and not talk.responses:
        raise BadInput("nothing is asked in it and nothing said")
    for name, lines in (("question", talk.questions), ("response", talk.responses), ("result", talk.results)):
        for line in lines:
            if not line.text.strip():
                raise BadInput(f"the {name} at {line.t:g} s is empty")
            if not 0 <= line.t <= talk.seconds - 1 + SHOWN:
                raise BadInput(
                    f"the {name} at {line.t:g} s lies past the end of the clip (its last picture is at {talk.seconds - 1} s)"
                )
        if any(b.t < a.t for a, b in pairwise(lines)):
            raise BadInput(f"the times of its {name}s are out of order")
    for line in talk.responses:
        if isinstance(_decision(line), Silence):
            raise BadInput(f"the response at {line.t:g} s says nothing: {line.text[:60]!r}")
    places = _places(talk)
    if len(set(places)) < len(places):
        raise BadInput("two responses fall on the same second")


def seconds_of(talk: Talk) -> list[Second]:
    """One pair of turns a second: a question or a result belongs to the first second at or after it, a response to the first one
    whose picture can show why. Raises BadInput when the talk is of no use.
    """
    check_talk(talk)
    asked: dict[int, list[str]] = {}
    for line in talk.questions:
        asked.setdefault(_after(line.t, talk.seconds), []).append(line.text)
    found: dict[int, list[str]] = {}
    for line in talk.results:
        found.setdefault(_after(line.t, talk.seconds), []).append(line.text)
    said = {place: _decision(line) for place, line in zip(_places(talk), talk.responses, strict=True)}
    near = {place + k for place in said for k in range(-_NEAR, _NEAR + 1)}
    return [
        Second(float(n), "\n".join(asked.get(n, ())), tuple(found.get(n, ())), said.get(n, Silence()), n in near)
        for n in range(talk.seconds)
    ]


def moments_of(
    talk: Talk, images: Sequence[Image], start: float = 0.0, chunk: int | None = None, context: str = ""
) -> list[tuple[Moment, Decision, bool]]:
    """The moments that the app would show a decider, what it should decide, and whether that is near a response.

    `start` is the session second of the first one, `context` the memory in front of it. A question stands until the next; every
    MOST_SECONDS a chunk begins, in front of which stands what the app would remember. With `chunk` only its moments and the
    CARRIED ones before it, and no other image is asked for.
    """
    seconds, past = seconds_of(talk), Past()
    if len(images) != len(seconds):
        raise BadInput(f"it has {len(images)} pictures for {len(seconds)} seconds")
    first = 0 if chunk is None else max(0, chunk * MOST_SECONDS - CARRIED)
    last = len(seconds) if chunk is None else (chunk + 1) * MOST_SECONDS
    told, standing, given = list[tuple[Moment, Decision, bool]](), "", 0.0
    for number, second in enumerate(seconds[:last]):
        t = start + second.t
        if second.question:
            standing, given = second.question, t
        moment = Moment(
            t, instruction=standing, instruction_t=given, context=past.context() or context,
            chunk_id=past.chunk_id, language=talk.language,
        )  # fmt: skip
        past.observe(moment, second.decision)
        if number >= first:
            answers = tuple(Answer(f"{number}.{n}", "ready", result) for n, result in enumerate(second.results))
            moment = replace(moment, frames=(Frame(t, images[number]),), answers=answers)
            told.append((moment, second.decision, second.near))
    return told


def chunks_of(talk: Talk) -> int:
    return -(-talk.seconds // MOST_SECONDS)


def _decision(line: Line) -> Decision:
    return parse(f"{RESPONSE} {' '.join(line.text.split())}").decision


def _places(talk: Talk) -> list[int]:
    """The second of each response: the first whose picture can show why, and never before the question or result it follows."""
    places = []
    for line in talk.responses:
        before = [_after(given.t, talk.seconds) for given in (*talk.questions, *talk.results) if given.t <= line.t]
        places.append(max(_after(line.t - SHOWN, talk.seconds), *before, 0))
    return places


def _after(t: float, seconds: int) -> int:
    """The first whole second at or after `t`."""
    return min(seconds - 1, int(-(-t // 1)))
