"""One session's eyes: every look goes through detector, tracker, faces, expression, flames and motion, as far as it changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyvl_app.domain import Box, Frame, Image
from joyvl_app.perception.detector import Detector
from joyvl_app.perception.faces import ExpressionReader, FaceFinder
from joyvl_app.perception.flames import FlameWatch
from joyvl_app.perception.motion import Change, Grey, Motion, thumbnail
from joyvl_app.perception.tracks import Tracker

_LOOK_AGAIN = 15.0  # seconds after which even a still picture is looked at anew
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


class Nets:
    """The networks, shared between sessions: loading them is the warm-up."""

    def __init__(self) -> None:
        self.detector = Detector()
        self.faces = FaceFinder()
        self.expression = ExpressionReader()


class Eyes:
    """Per-session state around the shared networks. Blocking: call `look` on a worker thread."""

    def __init__(self, nets: Nets) -> None:
        self._nets = nets
        self._motion = Motion()
        self._tracker, self._face_tracker = Tracker(), Tracker()
        self._flames = FlameWatch()
        self._detected: tuple[Grey, float, list[Box], list[Box]] | None = None

    @property
    def motion(self) -> Motion:
        return self._motion

    def look(self, frame: Frame) -> Look:
        grey = thumbnail(frame.image)
        change = self._motion.observe(grey)
        boxes, faces = self._detect(frame, grey)
        tracks = self._tracker.observe(frame.t, boxes)
        face_tracks = self._face_tracker.observe(frame.t, faces)
        return Look(
            t=frame.t,
            things=tuple(track.box for track in tracks if track.confirmed),
            fresh=tuple(track.box for track in tracks if not track.confirmed and track.seen == frame.t),
            faces=tuple(track.box for track in face_tracks if track.confirmed),
            expressions=self._expressions(frame.image, faces),
            flame=self._flames.observe(frame.image),
            change=change,
            thumbnail=grey,
        )

    def _detect(self, frame: Frame, grey: Grey) -> tuple[list[Box], list[Box]]:
        """Objects and faces; a picture that has not changed since they were last found is not searched again."""
        last = self._detected
        if last and frame.t - last[1] < _LOOK_AGAIN and self._motion.differs(grey, last[0]) < _SAME:
            return last[2], last[3]
        boxes, faces = self._nets.detector(frame.image), self._nets.faces(frame.image)
        self._detected = (grey, frame.t, boxes, faces)
        return boxes, faces

    def _expressions(self, image: Image, faces: list[Box]) -> dict[str, float]:
        """Of the largest face."""
        if not faces:
            return {}
        return self._nets.expression(image, max(faces, key=lambda face: face.area))
