"""A second view for what is doubtful: a new thing that only one view of the picture shows is not believed, and a known one that
fades is held if the other view still shows it well.

The detector's squashed view sees small things well and takes a paper on a lawn for a dog; the undistorted view is the other
way round. The second view costs a pass of its own, so it is taken between two decisions, and its verdict serves the next look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from joyvl_app.domain import Box, Image
from joyvl_app.perception.tracks import overlap

_DOUBT, _SURE = 0.38, 0.68  # scores between which a new thing is doubtful
_SURE_PERSON = 0.56  # people score high, and seldom are anything else
_FADING = 0.42  # a known thing below this may be lost
_SEEN_AGAIN = 0.35  # the least score in the other view
_SAME, _ALIKE = 0.5, 0.5  # overlap, and the smaller area's share of the larger
_LEAST = 0.012  # of the picture; what is smaller the other view shows no better
_REMEMBER = 6.0  # seconds for which a refused thing is not asked about again
_VALID = 1.6  # seconds for which a verdict serves the looks after it
_MOST = 40


@dataclass(frozen=True)
class _Question:
    """One picture, and what was new and doubtful in it."""

    t: float
    image: Image
    new: tuple[Box, ...]


class Doubts:
    """One session's open questions about what it sees."""

    def __init__(self) -> None:
        self._open: _Question | None = None
        self._seen: tuple[float, list[Box]] = (float("-inf"), [])  # when the other view was taken, and what it showed
        self._refused: list[tuple[Box, float]] = []

    @property
    def open(self) -> bool:
        """Whether a second view would settle something."""
        return self._open is not None

    def settle(self, t: float, image: Image, boxes: Sequence[Box], known: Callable[[Box], bool]) -> list[Box]:
        """The boxes of this look that can be believed by now; what cannot is kept as a question for `look_again`."""
        self._refused = [(box, at) for box, at in self._refused if t - at <= _REMEMBER]
        believed: list[Box] = []
        new: list[Box] = []
        fading = False
        for box in boxes:
            known_one, again = known(box), self._again(t, box)
            if box.area < _LEAST or not (box.score < _FADING if known_one else _doubtful(box)):
                believed.append(box)
            elif known_one or again >= _SEEN_AGAIN:
                believed.append(replace(box, score=max(box.score, again)))
                fading = fading or again < _SEEN_AGAIN
            elif not any(_same(box, refused) for refused, _ in self._refused):
                new.append(box)
        self._open = _Question(t, image, tuple(new)) if new or fading else None
        return believed

    def look_again(self, undistorted: Callable[[Image], list[Box]]) -> bool:
        """Take the other view of the picture in question; tells whether it confirmed a new thing. Blocking."""
        question, self._open = self._open, None
        if question is None:
            return False
        self._seen = (question.t, undistorted(question.image))
        missing = [box for box in question.new if self._again(question.t, box) < _SEEN_AGAIN]
        self._refused = [*self._refused, *((box, question.t) for box in missing)][-_MOST:]
        return len(missing) < len(question.new)

    def _again(self, t: float, box: Box) -> float:
        """The score of this thing in the other view, 0 if there is none or it is too old."""
        at, other = self._seen
        return max((o.score for o in other if _same(box, o)), default=0.0) if t - at <= _VALID else 0.0


def _doubtful(box: Box) -> bool:
    return _DOUBT <= box.score < (_SURE_PERSON if box.label == "person" else _SURE)


def _same(a: Box, b: Box) -> bool:
    """The same thing in both views: a small box within a large one is another."""
    return a.label == b.label and overlap(a, b) > _SAME and min(a.area, b.area) > _ALIKE * max(a.area, b.area)
