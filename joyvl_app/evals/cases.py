"""A case: a clip, what is asked when, what should be said when, and where nothing should be said.

The format is a superset of the released training annotations (formats.py reads those). One YAML file holds one clip and
the cases on it; every fault is told with file, case and field, and nothing runs before all files are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from joyvl_app.scenario import MAX_INSTRUCTION, Strict

EARLY, LATE = 1.0, 2.0  # seconds around an event in which a turn is timely
Capability = Literal[
    "monitoring", "counting", "reading", "time", "greeting",
    "translation", "guidance", "commentary", "memory", "delegation",
]  # fmt: skip
Footage = Literal["real", "rendered"]
Split = Literal["dev", "test"]
Span = tuple[float, float]

# The paper's six aspects, and which capability each is judged by; greeting, reading and delegation were not judged there.
ASPECTS: dict[str, tuple[Capability, ...]] = {
    "monitoring and alerting": ("monitoring",),
    "real-time counting": ("counting",),
    "real-time translation": ("translation",),
    "time awareness": ("time",),
    "live commentary and guidance": ("commentary", "guidance"),
    "long visual memory": ("memory",),
}
TARGETED: tuple[Capability, ...] = ("monitoring", "counting", "reading", "time", "greeting")

_Id = Annotated[str, StringConstraints(pattern=r"^[\w][\w.+-]{0,99}$")]
_Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_INSTRUCTION)]


class Said(Strict):
    """A sentence of the user at session second `t`."""

    t: _Seconds
    text: _Text


class Expected(Strict):
    """Something that should be said (or delegated) at `t`; it is still timely until `until`.

    `accept` lists wordings of which one must occur in the turn (as whole words, case and punctuation apart; an entry that
    starts with "re:" is a regular expression); `like` is a sentence that the turn must resemble. With neither, any will do.
    """

    t: _Seconds
    until: _Seconds | None = None
    accept: tuple[str, ...] = Field(default=(), max_length=40)
    like: str = ""
    kind: Literal["speak", "delegate"] = "speak"
    poll: float = Field(default=LATE, ge=0, le=600)  # seconds after the event in which a turn is timely

    @property
    def window(self) -> Span:
        """From when to when a turn hits this event."""
        return self.t - EARLY, self.last + self.poll

    @property
    def last(self) -> float:
        """The last second at which it still goes on."""
        return self.t if self.until is None else self.until

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.until is not None and self.until < self.t:
            raise ValueError(f"until ({self.until:g}) lies before t ({self.t:g})")
        for wording in self.accept:
            if wording.startswith("re:"):
                _compiled(wording)
            elif not re.search(r"\w", wording):
                raise ValueError(f"accept: '{wording}' holds no word")
        return self


def _compiled(wording: str) -> None:
    try:
        re.compile(wording[3:])
    except re.error as error:
        raise ValueError(f"accept: '{wording}' is no regular expression ({error})") from error


class Loop(Strict):
    """Play the clip to and fro for `seconds`, as another camera would see it: with sensor noise (grey levels) and a `light` that
    swells and fades by that share, and by half of it at once whenever, once a minute, a lamp goes on or off."""

    seconds: float = Field(ge=1, le=7_200)
    noise: float = Field(default=2.0, ge=0, le=20)
    light: float = Field(default=0.0, ge=0, le=0.5)
    seed: int = 0


class CaseSpec(Strict):
    """One case as it stands in a file. `quiet` left out means: everything that is not near an event or a sentence."""

    id: _Id
    capability: Capability
    instruction: str = Field(default="", max_length=MAX_INSTRUCTION)  # from the first second on
    instructions: tuple[Said, ...] = Field(default=(), max_length=100)  # later ones; each replaces the one before
    heard: tuple[Said, ...] = Field(default=(), max_length=200)
    events: tuple[Expected, ...] = Field(default=(), max_length=200_000)
    quiet: tuple[Span, ...] | None = None
    language: Literal["en", "zh"] = "en"
    sensitivity: float = Field(default=0.0, ge=-4, le=4)
    loop: Loop | None = None
    footage: Footage | None = None  # where it is not the clip's: a rendered flame in a real street
    start: _Seconds = 0.0  # the case watches the clip from here …
    end: _Seconds | None = None  # … to here
    tags: tuple[_Id, ...] = Field(default=(), max_length=20)
    why: str = ""  # for people: what makes it worth having

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for a, b in pairwise(sorted((e.t, e.last) for e in self.events)):
            if b[0] < a[1]:
                raise ValueError(f"events: the windows {a} and {b} overlap")
        spans = sorted(self.quiet or ())
        for start, end in spans:
            if not 0 <= start < end:
                raise ValueError(f"quiet: ({start:g}, {end:g}) is not a span of time")
        for a, b in pairwise(spans):
            if b[0] < a[1]:
                raise ValueError(f"quiet: the windows {a} and {b} overlap")
        self._apart(spans)
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end:g}) does not lie after start ({self.start:g})")
        return self

    def _apart(self, spans: list[Span]) -> None:
        """No event may be timely in a quiet span. Both are few or in order, so a sorted walk suffices."""
        windows = sorted(event.window for event in self.events)
        place = 0
        for start, end in spans:
            while place < len(windows) and windows[place][1] <= start:
                place += 1
            if place < len(windows) and windows[place][0] < end:
                raise ValueError(f"quiet: the window {(start, end)} overlaps that of an event {windows[place]}")


@dataclass(frozen=True)
class Case:
    """A case ready to run: what its file says, plus where it comes from, its clip and its length in seconds."""

    spec: CaseSpec
    file: str
    split: str
    clip: str
    footage: Footage
    seconds: float
    looped: bool = False  # the same pictures come again, by a loop or by cuts that go to and fro

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def quiet(self) -> tuple[Span, ...]:
        """Where nothing should be said."""
        return tuple(sorted(self.spec.quiet)) if self.spec.quiet is not None else _between(self.spec, self.seconds)


_REPLY = 5.0  # seconds that the answer to a sentence, or a word about a new instruction, may take
_LEAST_QUIET = 1.0


def _between(spec: CaseSpec, seconds: float) -> tuple[Span, ...]:
    """All that is left of the clip outside the events' windows and the first seconds after a sentence."""
    taken = [event.window for event in spec.events]
    taken += [(said.t, said.t + _REPLY) for said in (*spec.heard, *spec.instructions)]
    if not spec.instruction.strip():  # before anything was asked, silence is no merit
        taken.append((0.0, min((said.t for said in spec.instructions), default=0.0)))
    elif spec.events:
        taken.append((0.0, _REPLY))
    spans, free = [], 0.0
    for start, end in sorted(taken):
        if start - free >= _LEAST_QUIET:
            spans.append((free, start))
        free = max(free, end)
    return (*spans, (free, seconds)) if seconds - free >= _LEAST_QUIET else tuple(spans)
