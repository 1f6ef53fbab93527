"""A screenplay: what is on stage from when to when. Positions and sizes are fractions of the picture, times are seconds.

An act has fully entered at `from` + `enter_s` and is fully gone at `to`; these are the times that a case's events name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from joyvl_app.scenario import Strict

Fraction = Annotated[float, Field(ge=-0.5, le=1.5)]
Size = Annotated[float, Field(gt=0, le=2)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
Style = Literal["dev", "test"]  # of drawn things: what one split shows, the other never does
Side = Annotated[int, Field(ge=32, le=1_920, multiple_of=2)]  # video is coded in even sizes
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]


class Act(Strict):
    """Something on stage. `enter` is how it comes, and goes again in `leave_s` seconds the same way."""

    since: float = Field(default=0.0, ge=0, alias="from")
    to: float = Field(default=1e6, gt=0)
    enter: Literal["cut", "left", "right", "rise", "fade"] = "cut"
    enter_s: float = Field(default=0.0, ge=0, le=10)
    leave_s: float = Field(default=0.0, ge=0, le=10)
    at: tuple[Fraction, Fraction] = (0.5, 0.5)

    def marks(self) -> tuple[float, float]:
        """When it is fully there, and when it is fully gone."""
        return self.since + self.enter_s, self.to


class PhotoAct(Act):
    """A photograph of assets/evals/photos; `sway` moves it like somebody who stands, `framed` hangs it on the wall."""

    show: Literal["photo"] = "photo"
    photo: Name
    height: Size = 0.8
    sway: float = Field(default=0.0, ge=0, le=0.1)
    mirror: bool = False
    framed: bool = False


class PictureAct(Act):
    """A drawn thing of assets/train/pictures ("set/name"); `hue` turns its colours (degrees of 180), `turn` the thing itself.

    As other hands might draw it: `stretch` widens it, `vivid` and `bright` scale its colours' saturation and value, `shade` lets
    so much light fall from `lit` (degrees).
    """

    show: Literal["picture"] = "picture"
    picture: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}/[a-z0-9_]{1,40}$")]
    height: Size = 0.5
    hue: int = Field(default=0, ge=-90, le=90)
    turn: float = Field(default=0.0, ge=-45, le=45)
    stretch: float = Field(default=1.0, ge=0.5, le=2)
    vivid: float = Field(default=1.0, ge=0, le=2)
    bright: float = Field(default=1.0, ge=0.25, le=2)
    shade: float = Field(default=0.0, ge=0, le=0.8)
    lit: float = Field(default=0.0, ge=0, le=360)
    mirror: bool = False
    sway: float = Field(default=0.0, ge=0, le=0.1)


class WordsAct(Act):
    """Text, with `{n}` counting `start`, `start` + `step` … every `every` seconds when that is above 0."""

    show: Literal["words"] = "words"
    text: str = Field(min_length=1, max_length=200)
    size: Size = 0.08
    bold: bool = False
    font: Name | None = None  # of assets/train/fonts, which has capital letters and figures; else the split's own
    ink: Colour = "#ffffff"
    plate: Colour | None = None
    every: float = Field(default=0.0, ge=0, le=60)
    start: int = 0
    step: int = 1


class CardAct(Act):
    """A price card."""

    show: Literal["card"] = "card"
    name: str = Field(max_length=60)
    price: str = Field(max_length=20)
    style: Style


class SlideAct(Act):
    """A full slide; with `build` above 0 its lines come one after the other, so many seconds apart."""

    show: Literal["slide"] = "slide"
    title: str = Field(max_length=80)
    lines: tuple[str, ...] = Field(default=(), max_length=6)
    photo: Name | None = None
    build: float = Field(default=0.0, ge=0, le=30)
    style: Style


class PointerAct(Act):
    """A pointer that wanders over everything."""

    show: Literal["pointer"] = "pointer"
    ink: Colour = "#e02828"


class FlameAct(Act):
    """A fire that grows for `grow` seconds at its foot `at`."""

    show: Literal["flame"] = "flame"
    height: Size = 0.4
    grow: float = Field(default=5.0, ge=0, le=60)
    style: Style


class PatchAct(Act):
    """A plain coloured thing (a jacket, a ball, a lamp) that goes to and fro by `swing` every `period` seconds."""

    show: Literal["patch"] = "patch"
    ink: Colour
    size: tuple[Size, Size] = (0.15, 0.3)
    round: bool = False
    swing: float = Field(default=0.0, ge=0, le=1)
    period: float = Field(default=6.0, gt=0, le=60)


class LeavesAct(Act):
    """Leaves in the wind over the picture's edge."""

    show: Literal["leaves"] = "leaves"
    style: Style
    many: int = Field(default=60, ge=1, le=400)


AnyAct = Annotated[
    PhotoAct | PictureAct | WordsAct | CardAct | SlideAct | PointerAct | FlameAct | PatchAct | LeavesAct,
    Field(discriminator="show"),
]


class Backdrop(Strict):
    """What is behind everything: one colour shading into another, before it a room or the `clutter` of coloured shapes, or a
    photograph out of focus. `zoom` shows that part of the photograph around `at`, `mirror` the other way round.
    """

    kind: Literal["plain", "room", "clutter", "photo"] = "plain"
    colours: tuple[Colour, Colour] = ("#b8b4a8", "#8c887c")
    photo: Name | None = None
    blur: int = Field(default=0, ge=0, le=40)
    zoom: float = Field(default=1.0, ge=1, le=4)
    at: tuple[float, float] = (0.5, 0.5)
    mirror: bool = False


class Light(Strict):
    """From `at` on, the light goes to `gain` within `over` seconds: a lamp, a cloud."""

    at: float = Field(ge=0)
    gain: float = Field(ge=0.2, le=2)
    over: float = Field(default=1.0, ge=0, le=60)


class Screenplay(Strict):
    seconds: float = Field(ge=1, le=600)
    seed: int = 0
    split: Style = "dev"  # whose photographs and fonts
    fps: int = Field(default=10, ge=2, le=30)
    size: tuple[Side, Side] = (640, 480)
    noise: float = Field(default=2.0, ge=0, le=20)
    backdrop: Backdrop = Backdrop()
    lights: tuple[Light, ...] = Field(default=(), max_length=50)
    acts: tuple[AnyAct, ...] = Field(default=(), max_length=400)

    def marks(self) -> list[float]:
        """Every second at which an act is fully there or fully gone, or a line of a slide has come, in order."""
        marks = {mark for act in self.acts for mark in act.marks() if mark <= self.seconds}
        for act in self.acts:
            if isinstance(act, SlideAct) and act.build:
                marks |= {act.since + act.enter_s + act.build * n for n in range(len(act.lines) + 1)}
            if isinstance(act, WordsAct) and act.every:
                marks |= {act.since + act.every * n for n in range(int((min(act.to, self.seconds) - act.since) / act.every) + 1)}
        return sorted(marks)
