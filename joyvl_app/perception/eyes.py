"""One session's eyes: every look goes through detector, tracker, faces, expression, flames and motion, as far as it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from joyvl_app.domain import Box, Frame, Image
from joyvl_app.perception.detector import Detector
from joyvl_app.perception.doubts import Doubts
from joyvl_app.perception.faces import ExpressionReader, FaceFinder
from joyvl_app.perception.flames import FlameWatch
from joyvl_app.perception.life import LifeWatch
from joyvl_app.perception.motion import Change, Grey, Motion, thumbnail
from joyvl_app.perception.tracks import Track, Tracker, overlap

_LOOK_AGAIN = 15.0  # seconds after which even a still picture is looked at anew
PICTURE = "picture of a person"
_INSIDE = 0.7  # of a face: how much of it must lie within a person to be theirs
_SAME = 0.0012  # share of the picture that may differ for the last detection to stand (a far person is larger)


@dataclass(frozen=True)
class Look:
    """What one picture showed. `things` are tracked boxes, confirmed by a second look; `fresh` those seen once so far."""

    t: float
    things: tuple[Box, ...]
    fresh: tuple[Box, ...]
    faces: tuple[Box, ...]
    expressions: dict[str, float]
    flame: Box | None
    change: Change
    thumbnail: Grey = field(repr=False)


class Finder(Protocol):
    """Objects in a picture; `undistorted` asks for the other view (detector.py)."""

    def __call__(self, image: Image, undistorted: bool = False) -> list[Box]: ...


@dataclass(frozen=True)
class Nets:
    """The networks as functions of a picture, shared between sessions."""

    detector: Finder
    faces: Callable[[Image], list[Box]]
    expression: Callable[[Image, Box], dict[str, float]]

    @classmethod
    def load(cls) -> Nets:
        """The warm-up. Raises MissingPart when a weight is missing or damaged."""
        return cls(Detector(), FaceFinder(), ExpressionReader())


class Eyes:
    """Per-session state around the shared networks. Blocking: call `look` on a worker thread."""

    def __init__(self, nets: Nets) -> None:
        self._nets = nets
        self._motion = Motion()
        self._tracker, self._face_tracker = Tracker(), Tracker()
        self._doubts, self._life = Doubts(), LifeWatch()
        self._flames = FlameWatch()
        self._detected: tuple[Grey, float, list[Box], list[Box]] | None = None

    @property
    def motion(self) -> Motion:
        return self._motion

    @property
    def in_doubt(self) -> bool:
        """Whether `look_again` would settle something."""
        return self._doubts.open

    def look_again(self) -> bool:
        """Take a second view of what the last look left open; tells whether it confirmed anything. Blocking, as `look` is."""
        confirmed = self._doubts.look_again(lambda image: self._nets.detector(image, undistorted=True))
        if confirmed:
            self._detected = None  # even a still picture is looked at anew
        return confirmed

    def look(self, frame: Frame) -> Look:
        grey = thumbnail(frame.image)
        change = self._motion.observe(grey)
        boxes, faces = self._detect(frame, grey)
        tracks = self._tracker.observe(frame.t, boxes)
        face_tracks = self._face_tracker.observe(frame.t, faces)
        self._life.observe(frame.t, frame.image, [track.box for track in tracks if track.box.label == "person"])
        return Look(
            t=frame.t,
            things=self._believed(frame.t, [track.box for track in tracks if track.confirmed]),
            fresh=self._believed(frame.t, [track.box for track in tracks if not track.confirmed and track.seen == frame.t]),
            faces=self._real_faces([track.box for track in face_tracks if track.confirmed], tracks),
            expressions=self._expressions(frame.image, faces),
            flame=self._flames.observe(frame.image),
            change=change,
            thumbnail=grey,
        )

    def _believed(self, t: float, boxes: list[Box]) -> tuple[Box, ...]:
        """Who has shown no life is left out at first, and is a picture after a while."""
        believed = []
        for box in boxes:
            if box.label != "person" or self._life.living(box):
                believed.append(box)
            elif self._life.picture(box, t):
                believed.append(replace(box, label=PICTURE))
        return tuple(believed)

    def _real_faces(self, faces: list[Box], tracks: list[Track]) -> tuple[Box, ...]:
        """Without the faces of people who have shown no life."""
        still = [track.box for track in tracks if track.box.label == "person" and not self._life.living(track.box)]
        return tuple(face for face in faces if not any(overlap(face, box) > _INSIDE for box in still))

    def _detect(self, frame: Frame, grey: Grey) -> tuple[list[Box], list[Box]]:
        """Objects and faces; a picture that has not changed since they were last found is not searched again."""
        last = self._detected
        if last and frame.t - last[1] < _LOOK_AGAIN and self._motion.differs(grey, last[0]) < _SAME:
            return last[2], last[3]
        boxes, faces = self._nets.detector(frame.image), self._nets.faces(frame.image)
        boxes = self._doubts.settle(frame.t, frame.image, boxes, self._tracker.knows)
        self._detected = (grey, frame.t, boxes, faces)
        return boxes, faces

    def _expressions(self, image: Image, faces: list[Box]) -> dict[str, float]:
        """Of the largest face."""
        if not faces:
            return {}
        return self._nets.expression(image, max(faces, key=lambda face: face.area))
