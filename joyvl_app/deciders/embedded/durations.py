"""Durations in instructions: "every 10 minutes", "in an hour and a half", "每两分钟", "一个半小时后", "过五分钟"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONES = "one two three four five six seven eight nine ten eleven twelve".split()
_TENS = {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60, "ninety": 90}
_WORDS: dict[str, float] = {"a": 1, "an": 1, "half a": 0.5, "half an": 0.5, "half": 0.5, "a couple of": 2, **_TENS}
_WORDS |= {word: number for number, word in enumerate(_ONES, start=1)}
_ZH_ONES = {"一": 1, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "秒": 1.0, "分": 60.0, "小": 3600.0}

_NUMBER = r"\d+(?:\.\d+)?|" + "|".join(sorted(_WORDS, key=len, reverse=True))
_UNIT = r"s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?"
_SPAN = (
    rf"(?P<n>{_NUMBER})\s*-?\s*(?P<u>{_UNIT})\b(?P<half>\s+and\s+a\s+half\b)?"
    rf"(?:\s*,?\s*(?:and\s+)?(?P<n2>{_NUMBER})\s*-?\s*(?P<u2>{_UNIT})\b)?"
)
_ZH_NUMBER = r"\d+(?:\.\d+)?|[一两二三四五六七八九]?十[一二三四五六七八九]?|[一两二三四五六七八九半]"
_ZH_SPAN = rf"(?P<n>{_ZH_NUMBER})\s*个?(?P<half>半)?\s*(?P<u>秒钟?|分钟?|小时)(?P<half2>半)?"

_PATTERNS: tuple[tuple[re.Pattern[str], bool], ...] = (
    (re.compile(rf"\b(?:every|each)\s+{_SPAN}", re.I), True),
    (re.compile(rf"\b(?:every|each)\s+(?P<u>{_UNIT})\b", re.I), True),
    (re.compile(rf"每隔?\s*{_ZH_SPAN}"), True),
    (re.compile(r"每隔?\s*(?P<u>秒钟?|分钟?|小时)"), True),
    (re.compile(rf"\b(?:in|after)\s+{_SPAN}", re.I), False),
    (re.compile(rf"\b{_SPAN}\s+from\s+now\b", re.I), False),
    (re.compile(rf"{_ZH_SPAN}(?:之?[后後]|以后)"), False),
    (re.compile(rf"(?:再?过|等)\s*{_ZH_SPAN}"), False),
)
_EDGE = re.compile(r"^[ ,]+|[ ,]+$")
SHORTEST, LONGEST = 1.0, 24 * 3600.0


@dataclass(frozen=True)
class Duration:
    """Seconds, whether they repeat, and the clause without the words that said so."""

    seconds: float
    repeat: bool
    rest: str


def find_duration(clause: str) -> Duration | None:
    """The first duration of a clause, kept between one second and a day."""
    for pattern, repeat in _PATTERNS:
        if found := pattern.search(clause):
            seconds = min(max(_seconds(found.groupdict()), SHORTEST), LONGEST)
            rest = f"{clause[: found.start()]} {clause[found.end() :]}"
            return Duration(seconds, repeat, _EDGE.sub("", " ".join(rest.split())))
    return None


def _seconds(parts: dict[str, str | None]) -> float:
    unit = _UNITS[(parts["u"] or "s")[0].lower()]
    whole = number(parts.get("n") or "1") + (0.5 if parts.get("half") or parts.get("half2") else 0.0)
    more = number(parts["n2"] or "0") * _UNITS[(parts["u2"] or "s")[0].lower()] if parts.get("n2") else 0.0
    return whole * unit + more


def number(text: str) -> float:
    """A number in digits, in English or in Chinese words up to 99."""
    low = text.lower()
    if low in _WORDS:
        return _WORDS[low]
    if text == "半":
        return 0.5
    if "十" in text:
        tens, ones = text.split("十")
        return _ZH_ONES.get(tens, 1) * 10 + _ZH_ONES.get(ones, 0)
    return float(_ZH_ONES.get(text) or text)
