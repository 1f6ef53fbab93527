"""Times as people say them."""

from __future__ import annotations

import re
from datetime import datetime

from joyvl_app.domain import Passage

_UNITS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "秒": 1, "秒钟": 1, "分钟": 60, "小时": 3600}
_NUMBERS = {
    "half a": 0.5, "half an": 0.5, "a": 1, "an": 1, "one": 1, "a couple of": 2, "two": 2, "three": 3, "four": 4,
    "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "半": 0.5, "半个": 0.5, "一": 1, "一个": 1, "两": 2, "两个": 2, "二": 2, "三": 3, "四": 4,
    "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10, "十五": 15, "二十": 20, "三十": 30,
}  # fmt: skip
_SAID = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_SPAN = rf"(\d+(?:\.\d+)?|{_SAID})\s*(seconds?|secs?|minutes?|mins?|hours?|秒钟?|分钟|小时)"
_AGO = re.compile(rf"(?<!\w){_SPAN}\s*(?:ago|earlier|back\b|之?前)", re.I)
_LAST = re.compile(rf"(?:\b(?:last|past)\s+|最近|过去|刚才)(?:的)?{_SPAN}", re.I)
_STAMP = re.compile(
    r"(?:\b(?:at|around|about|by)\s+|在|第)(?:(\d{1,2}):)?(\d{1,3}):(\d{2})\b(?!\s*(?:a\.?m|p\.?m|o'clock|点))", re.I
)


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
        return max(0.0, now - _seconds(found))
    if found := _STAMP.search(question):
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return float(hours * 3600 + minutes * 60 + seconds)
    return None


def stretch_asked(question: str) -> float | None:
    """How many seconds back a question looks: "in the last five minutes"; None when it does not say."""
    found = _LAST.search(question)
    return _seconds(found) if found else None


def _seconds(found: re.Match[str]) -> float:
    amount, unit = found.group(1).lower(), found.group(2).lower()
    return float(_NUMBERS.get(amount, 0) or amount) * _UNITS[unit if unit in _UNITS else unit.rstrip("s")]
