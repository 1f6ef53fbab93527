"""Times as people say them."""

from __future__ import annotations

import re
from datetime import datetime

from joyvl_app.domain import Passage

_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "秒": 1, "分钟": 60, "分": 60, "小时": 3600}
_AGO = re.compile(r"(\d+(?:\.\d+)?|an?|one|two|three|five|ten)\s*(seconds?|secs?|minutes?|mins?|hours?)\s+(?:ago|earlier|back)|"
                  r"(\d+)\s*(秒|分钟|小时)(?:之)?前", re.I)  # fmt: skip
_STAMP = re.compile(r"\b(?:(\d{1,2}):)?(\d{1,3}):(\d{2})\b")
_SMALL = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "five": 5, "ten": 10}


def stamp(t: float) -> str:
    """ "3:05", "1:02:03"."""
    whole = int(max(0.0, t))
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def span(passage: Passage, zh: bool = False) -> str:
    """When a passage was: in the session's time, or by the calendar when it was in another one."""
    if not passage.here:
        return f"{datetime.fromtimestamp(passage.at):%Y-%m-%d %H:%M}"
    if passage.t_end - passage.t_start < 1.0:
        return f"{stamp(passage.t_start)}" if zh else f"at {stamp(passage.t_start)}"
    start, end = stamp(passage.t_start), stamp(passage.t_end)
    return f"{start} 到 {end}" if zh else f"from {start} to {end}"


def moment_asked(question: str, now: float) -> float | None:
    """The session second that a question names: "at 0:30", "20 seconds ago"; None when it names none."""
    if found := _AGO.search(question):
        amount, unit = (found.group(1), found.group(2)) if found.group(1) else (found.group(3), found.group(4))
        size = _UNITS[unit if unit in _UNITS else unit.lower().rstrip("s")]
        return max(0.0, now - size * float(_SMALL.get(amount.lower(), 0) or amount))
    if found := _STAMP.search(question):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return float(hours * 3600 + minutes * 60 + seconds)
    return None
