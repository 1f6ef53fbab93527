"""A study as its file says it: items (clip, aspect, instruction) and, for each system, an event log or a screen recording.

Unknown keys are refused. `read_study` looks at nothing but the YAML; whether everything it names can be shown is for checking.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from joyvl_app.errors import BadInput
from joyvl_app.scenario import MAX_INSTRUCTION, Strict, Words, read_yaml

Answer = Literal["left", "right", "tie", "both_bad"]
ANSWERS: tuple[Answer, ...] = ("left", "right", "tie", "both_bad")
QUESTIONS = ("quality", "timing", "overall")
Kind = Literal["rated", "gold", "trap", "practice"]
MOST_ITEMS = 5_000

ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"  # of a study: it stands in addresses
StudyId = Annotated[str, StringConstraints(pattern=rf"^{ID}$")]
_RESERVED = ("studies", "enter")  # addresses of ours
_LEAST_NAME = 3  # letters of a name that would be recognised
_Id = Annotated[str, StringConstraints(pattern=r"^[\w][\w.+-]{0,63}$")]
_Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


class Asked(Strict):
    """What the user said to both assistants at second `t` of the item."""

    t: _Seconds
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_INSTRUCTION)]


class Side(Strict):
    """One system on one item: its event log on the item's clip, or a screen recording of it.

    Second `offset` of a recording is where the item's clip begins. With `turns` (an event log that somebody wrote down from the
    recording) the item's clip is shown instead, or the recording cut to `crop` (left, top, width, height as shares).
    """

    log: str = ""
    recording: str = ""
    offset: _Seconds = 0.0
    turns: str = ""
    crop: tuple[_Share, _Share, _Share, _Share] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.log) == bool(self.recording):
            raise ValueError("give exactly one of log and recording")
        if self.log and (self.turns or self.crop or self.offset):
            raise ValueError("turns, crop and offset belong to a recording")
        if self.crop and not _inside(*self.crop):
            raise ValueError("crop is left, top, width and height, as shares of the picture that lie inside it")
        return self


def _inside(left: float, top: float, width: float, height: float) -> bool:
    return min(width, height) >= 0.05 and left + width <= 1.001 and top + height <= 1.001


class Item(Strict):
    """One moment to compare. `expect`: of a trap the answer that its captions ask for, of a gold item who must win."""

    id: _Id
    aspect: _Name
    instruction: Annotated[str, StringConstraints(min_length=1, max_length=MAX_INSTRUCTION)]
    kind: Kind = "rated"
    clip: str = ""
    start: _Seconds = 0.0
    end: _Seconds | None = None
    asked: tuple[Asked, ...] = Field(default=(), max_length=50)
    language: Literal["en", "zh"] = "en"
    expect: str = ""
    sides: dict[_Name, Side] = Field(default_factory=dict, max_length=20)

    @property
    def files(self) -> list[str]:
        """What it names, besides itself."""
        named = [self.clip, *(name for side in self.sides.values() for name in (side.log, side.recording, side.turns))]
        return [name for name in named if name]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end:g}) does not lie after start ({self.start:g})")
        if self.kind == "trap":
            if self.expect not in ANSWERS or self.sides or not self.clip:
                raise ValueError(f"a trap has a clip, no sides, and expects one of {', '.join(ANSWERS)}")
        elif len(self.sides) < 2:
            raise ValueError("sides: two systems at least are needed")
        elif self.kind == "gold" and self.expect not in self.sides:
            raise ValueError(f"expect: a gold item names the side that must win: {', '.join(self.sides)}")
        elif any(side.log for side in self.sides.values()) and not self.clip:
            raise ValueError("clip: an event log needs the clip that was watched")
        return self


class Spec(Strict):
    """A study's file. `subject` is who the others are compared with; `hide` are names to be blotted out of captions."""

    id: StudyId
    title: Words
    subject: _Name
    consent: Words | None = None
    guide: Words | None = None
    per_rater: int = Field(default=20, ge=1, le=500)
    invitation: bool = False
    completion: str = Field(default="", max_length=32, pattern=r"^[\w-]*$")
    hide: tuple[_Name, ...] = Field(default=(), max_length=50)
    voice: bool = True
    items: tuple[Item, ...] = Field(min_length=1, max_length=MOST_ITEMS)

    @property
    def systems(self) -> list[str]:
        """Who is compared, each once."""
        return list(dict.fromkeys(name for item in self.items for name in item.sides))

    @property
    def telling(self) -> list[str]:
        """The texts that raters read and that name a system."""
        texts = [words for told in (self.consent, self.guide) if told for words in (told.en, told.zh)]
        texts += [text for item in self.items for text in (item.instruction, *(said.text for said in item.asked))]
        return [text for text in texts if any(_names(text, name) for name in self.systems)]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.id in _RESERVED:
            raise ValueError(f"id: {self.id} is taken by the page itself")
        if given_away := [name for name in self.systems if _names(f"{self.id} {self.title.en} {self.title.zh}", name)]:
            raise ValueError(f"id, title: raters see them, and {given_away[0]} is one of the systems that they must not know")
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"items: there are two called {item.id}")
            seen.add(item.id)
            if item.kind != "trap" and self.subject not in item.sides:
                raise ValueError(f"item {item.id}: the subject {self.subject} is not among its sides")
        if not any(item.kind == "rated" for item in self.items):
            raise ValueError("items: none of them is to be rated")
        return self


def _names(text: str, name: str) -> bool:
    return len(name) >= _LEAST_NAME and bool(re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE))


@dataclass(frozen=True)
class Study:
    """A study's file, and the folder that its paths start from."""

    spec: Spec
    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name


def read_study(path: Path) -> Study:
    """A study.yaml, or a folder with one. Raises BadInput naming the file, the item and what is wrong."""
    file = path / "study.yaml" if path.is_dir() else path
    raw = read_yaml(file, f"study {file}")
    try:
        return Study(Spec.model_validate(raw), file.parent)
    except ValidationError as error:
        faults = "; ".join(_told(fault, raw) for fault in error.errors()[:5])
        raise BadInput(f"{file}: {faults}.") from error


def _told(fault: Any, raw: Any) -> str:
    """A fault in words: item, field, what is wrong."""
    place, words = list(fault["loc"]), fault["msg"].removeprefix("Value error, ").rstrip(".")
    if fault["type"] == "extra_forbidden":
        words = "there is no such field"
    item = ""
    if len(place) > 1 and place[0] == "items" and isinstance(place[1], int):
        given = raw["items"][place[1]]
        item = f"item {given.get('id', place[1] + 1) if isinstance(given, dict) else place[1] + 1}, "
        place = place[2:]
    where = ".".join(str(part) for part in place)
    return f"{item}{f'field {where}: ' if where else ''}{words}"
