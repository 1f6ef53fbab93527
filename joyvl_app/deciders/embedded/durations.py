"""Durations in instructions: "every 10 minutes", "in half an hour", "每两分钟", "30秒后"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "half a": 0.5, "half an": 0.5,
    "一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10, "十五": 15, "二十": 20,
    "三十": 30, "半": 0.5,
}  # fmt: skip
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "秒": 1.0, "分": 60.0, "小": 3600.0}
_NUMBER = r"(?P<n>\d+(?:\.\d+)?|half an?|" + "|".join(word for word in _WORDS if word.isascii() and " " not in word) + ")"
_ZH_NUMBER = r"(?P<n>\d+(?:\.\d+)?|十五|二十|三十|[一两二三四五六七八九十半])"
_UNIT = r"(?P<u>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)"
_ZH_UNIT = r"(?P<u>秒钟?|分钟?|小时)"

_EVERY = re.compile(rf"\b(?:every|each)\s+(?:{_NUMBER}\s*-?\s*)?{_UNIT}\b", re.I)
_IN = re.compile(rf"\b(?:in|after)\s+{_NUMBER}\s*-?\s*{_UNIT}\b|\b{_NUMBER.replace('<n>', '<n2>')}\s*"
                 rf"{_UNIT.replace('<u>', '<u2>')}\s+from now\b", re.I)  # fmt: skip
_ZH_EVERY = re.compile(rf"每隔?(?:{_ZH_NUMBER}\s*个?)?\s*{_ZH_UNIT}")
_ZH_IN = re.compile(rf"(?:过)?\s*{_ZH_NUMBER}\s*个?\s*{_ZH_UNIT}(?:之?[后後]|以后)")

SHORTEST, LONGEST = 1.0, 24 * 3600.0


@dataclass(frozen=True)
class Duration:
    """Seconds, whether they repeat, and the clause without the words that said so."""

    seconds: float
    repeat: bool
    rest: str


def find_duration(clause: str) -> Duration | None:
    """The first duration of a clause, kept between one second and a day."""
    for pattern, repeat in ((_EVERY, True), (_ZH_EVERY, True), (_IN, False), (_ZH_IN, False)):
        if found := pattern.search(clause):
            groups = found.groupdict()
            number = groups.get("n") or groups.get("n2") or "1"
            unit = (groups.get("u") or groups.get("u2") or "s")[0].lower()
            amount = _WORDS.get(number.lower()) or float(number)
            seconds = min(max(amount * _UNITS[unit], SHORTEST), LONGEST)
            rest = f"{clause[: found.start()]} {clause[found.end() :]}"
            return Duration(seconds, repeat, re.sub(r"^[ ,,]+|[ ,,]+$", "", " ".join(rest.split())))
    return None
