"""Which turn answered which event: one-to-one, earliest event first. One definition, used by every report.

A turn hits an event if it starts in the event's window and its content is accepted. Near-linear in the length of a log.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from joyvl_app.evals.cases import Expected, Span
from joyvl_app.plain import plain

_WORD = re.compile(r"[一-鿿]|\d+(?:[.,]\d+)*(?![^\W_一-鿿])|(?:(?![一-鿿])[^\W_])+|[€$£¥]", re.UNICODE)
_NUMBERS = {word: str(number) for number, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve".split()
)}  # fmt: skip
_ALIKE = 0.5  # share of words (F1) in which a turn must agree with `like`


@dataclass(frozen=True)
class Turn:
    """Something said: when it was heard (seconds), what, and at which decision."""

    t: float
    text: str
    decided: float = 0.0


def tokens(text: str) -> tuple[str, ...]:
    """Words in lower case, numbers as digits, Chinese by character; punctuation apart."""
    return tuple(_NUMBERS.get(word, word) for word in _WORD.findall(plain(text).lower()))


class Contents:
    """The distinct wordings of a log, asked many times whether they say what was expected."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._texts = list(dict.fromkeys(turn.text for turn in turns))
        self.number = {text: i for i, text in enumerate(self._texts)}
        self._accepted: dict[tuple[tuple[str, ...], str], frozenset[int]] = {}

    def accepted(self, event: Expected) -> frozenset[int]:
        """Numbers of the wordings that this event takes."""
        key = (event.accept, event.like)
        if key not in self._accepted:
            self._accepted[key] = self._find(event)
        return self._accepted[key]

    def _find(self, event: Expected) -> frozenset[int]:
        if not event.accept and not event.like:
            return frozenset(range(len(self._texts)))
        found: set[int] = set()
        for wording in event.accept:
            found |= self._matching(wording)
        return frozenset(found | self._alike(event.like)) if event.like else frozenset(found)

    def _matching(self, wording: str) -> set[int]:
        if wording.startswith("re:"):
            pattern = re.compile(wording[3:], re.I)
            return {i for i, text in enumerate(self._texts) if pattern.search(plain(text))}
        wanted = tokens(wording)
        if not wanted:
            return set()
        rarest = min(wanted, key=lambda word: len(self._holding.get(word, ())))
        return {i for i in self._holding.get(rarest, ()) if _in_a_row(wanted, self._tokens[i])}

    def _alike(self, sentence: str) -> set[int]:
        wanted = Counter(tokens(sentence))
        if not wanted:
            return set()
        near = {i for word in wanted for i in self._holding.get(word, ())}
        return {i for i in near if _agreement(wanted, Counter(self._tokens[i])) >= _ALIKE}

    @cached_property
    def _tokens(self) -> list[tuple[str, ...]]:
        return [tokens(text) for text in self._texts]

    @cached_property
    def _holding(self) -> dict[str, list[int]]:
        """Word → the wordings that hold it."""
        holding: dict[str, list[int]] = {}
        for i, words in enumerate(self._tokens):
            for word in dict.fromkeys(words):
                holding.setdefault(word, []).append(i)
        return holding


def _in_a_row(wanted: tuple[str, ...], words: tuple[str, ...]) -> bool:
    size = len(wanted)
    return any(words[i : i + size] == wanted for i in range(len(words) - size + 1))


def _agreement(wanted: Counter[str], given: Counter[str]) -> float:
    """F1 of the words."""
    common = sum((wanted & given).values())
    return 2 * common / (sum(wanted.values()) + sum(given.values()))


def match(
    events: Sequence[Expected], turns: Sequence[Turn], contents: Contents | None, windows: Sequence[Span]
) -> dict[int, int]:
    """Event number → turn number. `turns` are in order of time; `contents` None ignores what was said.

    Earliest event first (the order given breaks ties); each takes the earliest free turn in its window that it accepts.
    """
    times = [turn.t for turn in turns]
    free = _Free(len(turns))
    hits: dict[int, int] = {}
    for i in sorted(range(len(events)), key=lambda i: events[i].t):
        start, end = windows[i]
        allowed = contents.accepted(events[i]) if contents else None
        place = free.next(bisect_left(times, start))
        while place < len(turns) and times[place] <= end:
            if allowed is None or (contents is not None and contents.number[turns[place].text] in allowed):
                hits[i] = place
                free.take(place)
                break
            place = free.next(place + 1)
    return hits


def match_anywhere(events: Sequence[Expected], turns: Sequence[Turn], contents: Contents) -> dict[int, int]:
    """As `match` with the window widened to the whole clip: each event takes the earliest free turn that says it."""
    said: dict[int, list[int]] = {}  # wording → the turns that said it
    for place, turn in enumerate(turns):
        said.setdefault(contents.number[turn.text], []).append(place)
    waiting: dict[frozenset[int], list[int]] = {}
    taken: set[int] = set()
    hits: dict[int, int] = {}
    for i in sorted(range(len(events)), key=lambda i: events[i].t):
        allowed = contents.accepted(events[i])
        if allowed not in waiting:  # latest first, so that the earliest is taken off the end
            waiting[allowed] = sorted((place for number in allowed for place in said.get(number, ())), reverse=True)
        places = waiting[allowed]
        while places and places[-1] in taken:
            places.pop()
        if places:
            hits[i] = places.pop()
            taken.add(hits[i])
    return hits


class _Free:
    """The next turn that no event has taken yet, with path halving: long runs of taken turns are skipped at once."""

    def __init__(self, count: int) -> None:
        self._next = list(range(count + 1))

    def next(self, place: int) -> int:
        following = self._next
        while following[place] != place:
            following[place] = following[following[place]]
            place = following[place]
        return place

    def take(self, place: int) -> None:
        self._next[place] = place + 1
