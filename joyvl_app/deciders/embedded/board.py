"""The text board: what stands on screen now, since when, and whether a reading can be believed yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from joyvl_app.domain import Box
from joyvl_app.perception.motion import Grey
from joyvl_app.perception.reader import Line, same_text

_AMOUNT = r"(?:\d{1,3}(?:[.,' ]\d{3})+|\d+)(?:[.,]\d{1,2})?(?!\d)"
PRICE = re.compile(
    rf"(?:[$€£¥]|\b(?:USD|EUR|GBP|RMB|CNY))\s?{_AMOUNT}|{_AMOUNT}\s?(?:[€元块]|(?:USD|EUR|GBP|RMB|CNY|dollars?|yuan|euros?)\b)",
    re.I,
)
_GONE_AFTER = 2  # readings without it until a text has left the screen
_STILL = 0.05  # of its contrast: how much a text's region may differ between reading it and believing it
_LEAST_CONTRAST = 24.0  # grey levels
_MOST = 60


@dataclass
class Entry:
    """One text on screen. `sure` once it stood still since it was read, or two readings agreed."""

    line: Line
    since: float
    sure: bool = False
    missed: int = 0

    @property
    def text(self) -> str:
        return self.line.text


@dataclass(frozen=True)
class Reading:
    """The lines of one picture or of its changed region, with its time and thumbnail."""

    t: float
    lines: tuple[Line, ...]
    thumbnail: Grey
    region: Box | None = None  # what was read; None is the whole picture
    fine: Grey | None = field(default=None, repr=False)  # the same picture, larger: a changed digit shows in it


class TextBoard:
    """Takes in readings a second late and compares them with the picture of now."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.read_t: float | None = None
        self.thumbnail: Grey | None = None  # the picture that was read last

    def observe(self, reading: Reading, now: Grey) -> None:
        """`now` is the newest thumbnail: what was read is believed if it still stands there unchanged."""
        found = list(reading.lines)
        for entry in self.entries:
            again = next((line for line in found if same_text(entry.text, line.text)), None)
            if again is None and reading.region and not _within(entry.line.box, reading.region):
                entry.sure = True  # it stands where nothing changed since it was read
                continue
            if again is None:
                entry.missed += 1
                continue
            found.remove(again)
            entry.sure = True
            entry.missed = 0
            best = again if again.score >= entry.line.score else entry.line
            entry.line = Line(best.text, best.score, again.box)  # the better reading, where it stands now
        self.entries = [entry for entry in self.entries if entry.missed < _GONE_AFTER]
        self.entries += [Entry(line, reading.t, sure=_unrest(reading.thumbnail, now, line.box) < _STILL) for line in found]
        self.entries = sorted(self.entries, key=lambda e: (round(e.line.box.y0 * 24), e.line.box.x0))[:_MOST]
        self.read_t, self.thumbnail = reading.t, reading.thumbnail

    @property
    def visible(self) -> list[Entry]:
        """Texts that can be believed and were there at the last reading, top to bottom."""
        return [entry for entry in self.entries if entry.sure and not entry.missed]

    def title(self) -> str:
        """The largest text of the upper half, or the first one."""
        upper = [entry for entry in self.visible if entry.line.box.y0 < 0.5]
        if not upper:
            return self.visible[0].text if self.visible else ""
        return max(upper, key=lambda entry: entry.line.height).text


def joined(texts: Iterable[str]) -> str:
    return " ".join(texts)


def _within(box: Box, region: Box) -> bool:
    x, y = box.centre
    return region.x0 <= x <= region.x1 and region.y0 <= y <= region.y1


def _unrest(then: Grey, now: Grey, box: Box) -> float:
    """How much a box changed between two thumbnails, as a share of its contrast: a fade is a change of all of it."""
    height, width = now.shape
    rows = slice(int(box.y0 * height), max(int(box.y0 * height) + 1, int(np.ceil(box.y1 * height))))
    columns = slice(int(box.x0 * width), max(int(box.x0 * width) + 1, int(np.ceil(box.x1 * width))))
    before, after = then[rows, columns], now[rows, columns]
    return float(np.abs(after - before).mean() / max(_LEAST_CONTRAST, float(np.ptp(after))))
