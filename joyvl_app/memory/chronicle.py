"""What happened, as stretches worth finding again: screens that were read, things that were there, sentences that fell.

A second's evidence only lengthens a stretch or begins one, so hours of watching become some hundred lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from joyvl_app.deciders.embedded.phrases import place
from joyvl_app.deciders.embedded.words import Target, named
from joyvl_app.domain import Box
from joyvl_app.perception.reader import same_text

_GONE = 3.5  # seconds without it until a thing or a screen has gone
_AGAIN = 10.0  # seconds between two writings of a stretch that goes on
_MOST_LINES = 40  # of one screen
_MOST_OPEN = 60  # things that are there at once
_LONGEST = 2_000  # characters of a passage
_NAMELESS = ("face", "text", "picture of a person")  # boxes that say nothing by themselves
_UNDER = ("dining table", "bench", "bed", "couch", "chair")


@dataclass(frozen=True)
class Entry:
    """One stretch; written again under its `number` while it goes on. `more` are words that find it but are not shown."""

    number: int
    kind: str
    t_start: float
    t_end: float
    text: str
    more: str = ""


@dataclass
class _Stay:
    """A thing while it is there: how many at most, in two seconds at least; where; what it stands on."""

    label: str
    number: int
    since: float
    last: float
    zh: bool = False
    most: int = 1
    before: int = 1
    spots: Counter[str] = field(default_factory=Counter)
    written: float = -1e9

    def entry(self) -> Entry:
        spot = self.spots.most_common(1)[0][0] if self.most == 1 and self.spots else ""
        words = [named(Target((self.label,), self.label), self.most, zh) for zh in (False, True)]
        text = f"{words[self.zh]}{'，在' if self.zh and spot else ' ' if spot else ''}{spot}"
        return Entry(self.number, "seen", self.since, self.last, text, f"{self.label} {' '.join(words)}")


@dataclass
class _Screen:
    number: int
    since: float
    last: float
    lines: list[str]
    written: float = -1e9

    def entry(self) -> Entry:
        return Entry(self.number, "screen", self.since, self.last, " / ".join(self.lines)[:_LONGEST])


class Chronicle:
    """Takes in seconds and sentences in order; each call returns the stretches that are new or have changed."""

    def __init__(self, zh: bool = False) -> None:
        self._zh = zh  # the language that sightings are written in
        self._numbers = 0
        self._stays: dict[str, _Stay] = {}
        self._screen: _Screen | None = None

    def look(self, t: float, boxes: Sequence[Box], texts: Sequence[str]) -> list[Entry]:
        """One second's evidence."""
        return [*self._things(t, boxes), *self._read(t, texts)]

    def note(self, kind: str, t_start: float, t_end: float, text: str) -> list[Entry]:
        """A sentence that was heard, said, told or found."""
        text = " ".join(text.split())[:_LONGEST]
        return [Entry(self._next(), kind, t_start, max(t_start, t_end), text)] if text else []

    def close(self) -> list[Entry]:
        """The session is over: what was still going on ends where it was last seen."""
        going: list[_Stay | _Screen] = [*self._stays.values(), *([self._screen] if self._screen else [])]
        self._stays, self._screen = {}, None
        return [stretch.entry() for stretch in going]

    # --- things ----------------------------------------------------------------------------------------------------

    def _things(self, t: float, boxes: Sequence[Box]) -> Iterator[Entry]:
        counts = Counter(box.label for box in boxes if box.label not in _NAMELESS)
        for label, count in counts.items():
            stay = self._stays.get(label)
            if stay is None:
                if len(self._stays) >= _MOST_OPEN:
                    continue
                stay = self._stays[label] = _Stay(label, self._next(), t, t, self._zh, before=count)
            steady = min(count, stay.before)  # a second box for a single second is as often a mistake
            grown, stay.most = steady > stay.most, max(stay.most, steady)
            stay.before, stay.last = count, t
            stay.spots[_spot(label, boxes, self._zh)] += 1
            if stay.last > stay.since and (grown or t - stay.written >= _AGAIN):
                stay.written = t
                yield stay.entry()
        for label in [label for label, stay in self._stays.items() if t - stay.last > _GONE]:
            stay = self._stays.pop(label)
            if stay.last > stay.since:  # a single look is no sighting
                yield stay.entry()

    # --- screens ---------------------------------------------------------------------------------------------------

    def _read(self, t: float, texts: Sequence[str]) -> Iterator[Entry]:
        screen, lines = self._screen, [line for text in texts if (line := " ".join(text.split()))]
        if screen and (t - screen.last > _GONE or (lines and not _same_screen(screen.lines, lines))):
            yield screen.entry()
            screen = self._screen = None
        if not lines:
            return
        if screen is None:
            screen = self._screen = _Screen(self._next(), t, t, lines[:_MOST_LINES])
        screen.last = t
        fresh = [line for line in lines if not _among(line, screen.lines)]
        screen.lines += fresh[: _MOST_LINES - len(screen.lines)]
        if fresh or t - screen.written >= _AGAIN:
            screen.written = t
            yield screen.entry()

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers


def _same_screen(known: Sequence[str], lines: Sequence[str]) -> bool:
    """More than half of the shorter one stands on the other: a slide that is built up line by line is one slide."""
    common = sum(_among(line, known) for line in lines)
    return common * 2 > min(len(known), len(lines))


def _among(line: str, lines: Iterable[str]) -> bool:
    lines = tuple(lines)
    return line in lines or any(same_text(line, known) for known in lines)


def _spot(label: str, boxes: Sequence[Box], zh: bool) -> str:
    """Where the best of its boxes is: on a piece of furniture, or in a part of the picture."""
    box = max((box for box in boxes if box.label == label), key=lambda box: box.score)
    x = box.centre[0]
    for under in boxes:
        if under.label in _UNDER and under.label != label and under.x0 <= x <= under.x1 and under.y0 <= box.y1 <= under.y1:
            what = named(Target((under.label,), under.label), 1, zh)
            return f"{what}上" if zh else f"on the {under.label.removeprefix('dining ')}"
    return place(*box.centre, zh=zh)
