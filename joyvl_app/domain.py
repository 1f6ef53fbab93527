"""The values at the seams: frozen, typed, without I/O.

Times `t` are seconds since the session began. Pictures are RGB uint8 of shape (height, width, 3).
Boxes are fractions of the picture, so they survive any rescaling between camera, detector and page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
MODEL_PIXELS = 262_144  # width times height of a picture, at most, as a model is shown it
REPLY_TOKENS = 128  # of a model, at most, unless the settings say otherwise
Pcm = NDArray[np.int16]
Role = Literal["user", "scene", "assistant"]
AnswerStatus = Literal["ready", "failed", "timed_out", "cancelled"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture, RGB uint8 (height, width, 3), captured at session second `t`."""

    t: float
    image: Image


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """Mono 16-bit samples at `rate` hertz, starting at session second `t`."""

    t: float
    rate: int
    samples: Pcm

    @property
    def seconds(self) -> float:
        return self.samples.size / self.rate


@dataclass(frozen=True)
class Sound:
    """What a window of 32 ms holds: `p_speech`, the probability of speech, whether it has a pitch (a cough has none), and
    whether there is more in it than may come back of the assistant's own voice.
    """

    p_speech: float
    voiced: bool
    foreign: bool = True


@dataclass(frozen=True)
class Transcript:
    """What was said or typed between `t_start` and `t_end`; `final` is false for a partial."""

    text: str
    t_start: float
    t_end: float
    role: Role = "user"
    final: bool = True


@dataclass(frozen=True)
class Box:
    """A labelled region; corners are fractions of width and height, origin top left; `track` 0 is untracked."""

    label: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float
    track: int = 0

    @property
    def area(self) -> float:
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class Evidence:
    """Why a decision was taken: regions, texts read on screen, and scored tags such as a scene change."""

    boxes: tuple[Box, ...] = ()
    texts: tuple[str, ...] = ()
    tags: tuple[tuple[str, float], ...] = ()


NOTHING = Evidence()


@dataclass(frozen=True)
class Silence:
    """Nothing needs saying. `p_act` is the probability that something should be said now."""

    p_act: float = 0.0
    evidence: Evidence = NOTHING


@dataclass(frozen=True)
class Respond:
    """Say `text` now; an `urgent` one may interrupt what is being said."""

    text: str
    p_act: float = 1.0
    evidence: Evidence = NOTHING
    urgent: bool = False


@dataclass(frozen=True)
class Delegate:
    """Hand `question` to the background brain and say `note` meanwhile (it may be empty)."""

    question: str
    note: str = ""
    p_act: float = 1.0
    evidence: Evidence = NOTHING
    urgent: bool = False


Decision = Silence | Respond | Delegate


@dataclass(frozen=True)
class Delegation:
    """A question handed to the brain at session second `t`. The decider worded it; `asked` and `instruction` are what the
    user said, the only words in it that anybody may be trusted to have meant.
    """

    id: str
    question: str
    t: float
    asked: str = ""
    instruction: str = ""
    language: str = "en"


@dataclass(frozen=True)
class Answer:
    """What came of a delegation: one sentence to say (`digest`), a card to show (Markdown), and the seconds of its pictures."""

    id: str
    status: AnswerStatus
    digest: str
    card: str = ""
    frames: tuple[float, ...] = ()


@dataclass(frozen=True)
class Turn:
    """One entry of the question-and-answer history."""

    kind: Literal["query", "response"]
    t: float
    text: str


@dataclass(frozen=True, eq=False)
class Moment:
    """All that a decider sees of one second; live, replayed and training seconds are the same value.

    `frames` are the looks since the moment before, oldest first, the last one being now (none: the camera is blind).
    `heard` holds what was said since then, `answers` every delegated answer that is still unsaid, `context` the text
    prefix from memory, `instruction_t` the second at which the instruction was last given. A decider that caches starts
    afresh when `chunk_id` changes. `mute`: nothing may be said yet, for nobody has asked for anything.
    """

    t: float
    frames: tuple[Frame, ...] = ()
    instruction: str = ""
    instruction_t: float = 0.0
    heard: tuple[Transcript, ...] = ()
    answers: tuple[Answer, ...] = ()
    context: str = ""
    chunk_id: int = 0
    speaking: bool = False
    sensitivity: float = 0.0
    language: str = "en"
    persona: str = ""
    mute: bool = False


@dataclass(frozen=True)
class Summary:
    """A stretch of the past in words; long-term blocks and mid-term summaries look alike."""

    t_start: float
    t_end: float
    text: str


@dataclass(frozen=True)
class Segment:
    """A stretch of a session to be put into `most_tokens`: what was decided and heard in it and some of its pictures, or
    (for a long-term block) the summaries it is made of.
    """

    t_start: float
    t_end: float
    most_tokens: int
    decisions: tuple[tuple[float, Decision], ...] = ()
    heard: tuple[Transcript, ...] = ()
    frames: tuple[Frame, ...] = ()
    summaries: tuple[Summary, ...] = ()
    notes: str = ""  # a digest of all this, for a model
    language: str = "en"


@dataclass(frozen=True)
class Passage:
    """Something that the memory found: where it comes from (`kind`: screen, seen, heard, said, told, found, summary), when it
    was, in session seconds and as wall time (`at`, seconds since 1970, of its start), and whether in the present session.
    """

    kind: str
    t_start: float
    t_end: float
    at: float
    text: str
    here: bool = True
    words: str = ""  # what it is found by, where that is more than the text


def acts(p_act: float, sensitivity: float) -> bool:
    """Whether a decision speaks: `sensitivity` is added to logit(p_act), and the result must be at least one half."""
    p = min(max(p_act, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p)) + sensitivity >= 0.0
