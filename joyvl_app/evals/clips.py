"""A case's clip as a source: a file, a rendered screenplay or a package's clip; cut, and looped as a case asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pydantic import Field, model_validator

from joyvl_app.domain import Frame, Image
from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import CaseSpec, Footage, Loop
from joyvl_app.evals.media import fetched
from joyvl_app.evals.render.film import film, sensor_noise
from joyvl_app.evals.render.screenplay import Screenplay
from joyvl_app.ports import Source
from joyvl_app.scenario import Strict
from joyvl_app.sources import open_source
from joyvl_app.sources.video import VideoSource

_RATE = 6  # pictures a second offered to the session, which looks at two
_LOOP_RATE = 2  # of a looped clip: every one is looked at
_LAMP = 60.0  # seconds between a lamp's goings on and off
_SWELL = 90.0  # seconds of one swell of the light


class Cut(Strict):
    """Seconds `from` … `to` of the file, played to and fro until `seconds` are filled (once, when left out)."""

    since: float = Field(ge=0, alias="from")
    to: float = Field(gt=0)
    seconds: float | None = Field(default=None, gt=0, le=600)

    @model_validator(mode="after")
    def _forwards(self) -> Cut:
        if self.to <= self.since:
            raise ValueError(f"to ({self.to:g}) does not lie after from ({self.since:g})")
        return self

    @property
    def length(self) -> float:
        return self.seconds or self.to - self.since

    @property
    def loops(self) -> bool:
        """Whether the same pictures come again."""
        return self.length > 1.01 * (self.to - self.since)


class ClipSpec(Strict):
    """Where a clip comes from: one of `file` (beside the case file, or in the project), `package` or `screenplay`."""

    file: str = ""
    package: str = ""
    member: str = ""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    screenplay: Screenplay | None = None
    footage: Footage = "real"
    edit: tuple[Cut, ...] = Field(default=(), max_length=100)
    source: str = ""

    @model_validator(mode="after")
    def _one_origin(self) -> ClipSpec:
        if sum((bool(self.file), bool(self.package), self.screenplay is not None)) != 1:
            raise ValueError("give exactly one of file, package and screenplay")
        if self.package and not (self.member and self.sha256):
            raise ValueError("a package needs member and sha256")
        return self


@dataclass(frozen=True)
class Clip:
    """A clip that is there: its file, and how it is cut."""

    path: Path
    footage: Footage
    edit: tuple[Cut, ...] = ()


def find_clip(spec: ClipSpec, beside: Path, project: Path, cache: Path) -> Clip:
    """The clip on disk, rendered or fetched if need be. Raises BadInput when there is none."""
    if spec.screenplay:
        return Clip(film(spec.screenplay, cache / "clips"), "rendered", spec.edit)
    if spec.package:
        return Clip(fetched(spec.package, spec.member, spec.sha256, cache / "media"), spec.footage, spec.edit)
    for folder in (beside, project):
        if (folder / spec.file).is_file():
            return Clip(folder / spec.file, spec.footage, spec.edit)
    raise BadInput(f"there is no video {spec.file}")


def clip_seconds(clip: Clip) -> float:
    """How long it plays, cuts included. Raises BadInput when it is no video."""
    if clip.edit:
        return sum(cut.length for cut in clip.edit)
    source = VideoSource(clip.path, _RATE, 64)
    try:
        if source.seconds:
            return source.seconds
        return max(frame.t for frame in source.pictures()) + 1 / _RATE  # some recorders store no duration
    finally:
        source.close()


def open_clip(clip: Clip, case: CaseSpec, max_side: int) -> Source:
    """The pictures that a case's session sees."""
    if case.loop:
        return _Looped(_collected(clip, case, max_side, _LOOP_RATE), case.loop, clip.path.name)
    if clip.edit or case.start:
        return _Reel(_collected(clip, case, max_side, _RATE), clip.path.name)
    return open_source(str(clip.path), _RATE, max_side)


def clip_frames(clip: Clip, case: CaseSpec, max_side: int = 1_280) -> Iterator[tuple[Image, int]]:
    """The pictures of the part that a case shows, and how many of them make a second."""
    for image in _collected(clip, case, max_side, _RATE):
        yield image, _RATE


def pictures_at(clip: Clip, case: CaseSpec, times: list[float], max_side: int) -> list[Image]:
    """The pictures that the case's session sees at these seconds (a loop's without noise)."""
    reel = _collected(clip, case, max_side, _RATE)
    if case.loop:
        return [_to_and_fro(reel, int(t * _RATE)) for t in times]
    return [reel[min(len(reel) - 1, max(0, int(t * _RATE)))] for t in times]


class _Reel:
    """Pictures in memory."""

    def __init__(self, images: list[Image], name: str) -> None:
        self.name, self._images = name, images
        self.seconds: float | None = len(images) / _RATE

    async def frames(self) -> AsyncIterator[Frame]:
        for number, image in enumerate(self._images):
            yield Frame(number / _RATE, image)

    async def aclose(self) -> None:
        return None


class Dark:
    """A grey field once a second: what a decider without eyes is shown, since it cannot tell and nothing need be decoded."""

    def __init__(self, seconds: float) -> None:
        self.name = "dark"
        self.seconds: float | None = seconds
        self._looks = int(seconds) + 1

    async def frames(self) -> AsyncIterator[Frame]:
        grey = np.full((2, 2, 3), 128, np.uint8)
        for number in range(self._looks):
            yield Frame(float(number), grey)

    async def aclose(self) -> None:
        return None


class _Looped:
    """Pictures to and fro, each with noise and light of its own, so that no two are equal."""

    def __init__(self, images: list[Image], loop: Loop, name: str) -> None:
        self.name, self._images, self._loop = name, images, loop
        self.seconds: float | None = loop.seconds

    async def frames(self) -> AsyncIterator[Frame]:
        height, width = self._images[0].shape[:2]
        noise = sensor_noise(np.random.default_rng(self._loop.seed), (width, height), self._loop.noise)
        for number in range(int(self._loop.seconds * _LOOP_RATE)):
            t = number / _LOOP_RATE
            image = _to_and_fro(self._images, number)
            yield Frame(t, noise(cv2.convertScaleAbs(image, alpha=self._gain(t)) if self._loop.light else image))

    def _gain(self, t: float) -> float:
        lamp = 0.5 * self._loop.light if int(t / _LAMP) % 2 else 0.0
        return 1.0 + self._loop.light * float(np.sin(2 * np.pi * t / _SWELL)) - lamp

    async def aclose(self) -> None:
        return None


def _to_and_fro(images: list[Image], number: int) -> Image:
    turn = max(1, 2 * len(images) - 2)
    place = number % turn
    return images[place if place < len(images) else turn - place]


def _collected(clip: Clip, case: CaseSpec, max_side: int, rate: int) -> list[Image]:
    """All pictures of the (cut) clip that the case watches, `rate` a second."""
    if not clip.edit:
        return _between(clip.path, case.start, case.end, max_side, rate)
    reel: list[Image] = []
    for cut in clip.edit:
        images = _between(clip.path, cut.since, cut.to, max_side, rate)
        reel += [_to_and_fro(images, number) for number in range(round(cut.length * rate))]
    return reel[int(case.start * rate) : int(case.end * rate) if case.end else None]


def _between(path: Path, start: float, end: float | None, max_side: int, rate: int) -> list[Image]:
    source = VideoSource(path, rate, max_side)
    images: list[Image] = []
    last: Image | None = None
    try:
        for frame in source.pictures(0.0, end):  # onto an even grid: each picture stays until the next one comes
            while last is not None and start + len(images) / rate < frame.t - 1e-3:
                images.append(last)
            last = frame.image
    finally:
        source.close()
    if last is not None and end is not None:
        images += [last] * max(0, round((end - start) * rate) - len(images))
    elif last is not None:
        images.append(last)
    if not images:
        raise BadInput(f"{path.name} has no picture between {start:g} and {end or 0:g} s.")
    return images
