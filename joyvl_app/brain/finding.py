"""Finding the answer in what was seen and said: which passages a question is about, and which part of them answers it.

Nothing is made up: an answer is lines that stood on the screen, sentences that fell, things that were seen, and their times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from joyvl_app.domain import Passage
from joyvl_app.plain import plain
from joyvl_app.store.words import tokens

# What a question is made of whatever it is about. Stems are compared, so each stands here once.
_EMPTY = frozenset(
    token
    for token in tokens(
        "a about according after again ago all also am amount an and any anybody anyone anything appear appeared are "
        "around as asked at away back be been before belong belongs between both but by called can could current did "
        "do does during each earlier ever every exactly first five for four from gave get given had has have he her "
        "here him his hour hours how i if in into is it its itself just last lecture list listed long many may me "
        "mention mentioned minute minutes moment much my name named names next no not now number of off on once one "
        "or our out over page people person persons picture please presentation presenter previous recall remember "
        "said same saw say says screen second seconds see seen she show shown since slide slides so some something "
        "speaker stand stands stood talk tell than that the their them then there these they thing things this those "
        "three time times title to today told two up us video was watch watching we were what when where which while "
        "who whom whose why will with would write written year you your "
    )
) | frozenset("的了吗呢是在有我你他她它们这那哪什么谁几多少个时候候间怎么和与及过把被给上下里面中出现看到说片张页屏幕")
_PEOPLE = re.compile(
    r"\b(?:who|whom|whose|people|persons?|names?|authors?|artists?|scientists?|painters?)\b|谁|哪[几两]?[个位]人|人名", re.I
)
_NUMBER = re.compile(
    r"\b(?:how many|how much|what (?:number|percentage|share|price|year|amount)|which year|what year)\b|多少|几", re.I
)
_FIGURE = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|twenty|hundred|thousand|million|half|no)\b|[一二三四五六七八九十百千万]",
    re.I,
)
_BULLET = re.compile(r"^(?:[-–—•·*○●▪]|\d{1,2}[.)])\s*(?=\D)")
_ALIKE = str.maketrans("l1|0", "iiio")  # what readers of text take for one another
_LONG_WORD = 5
_A_NAME = re.compile(r"^[A-Z][\w'’.-]*(?: (?:[a-z]{1,3} )?[A-Z][\w'’.-]*){1,3}$")
_APART = re.compile(r"\s*(?:,|;|\band\b|&|、|和|与)\s*")
_TITLE_WEIGHT = 1.5
_ABSENT = 0.5  # what a word counts that stands nowhere: it says nothing for or against any passage
_LEAST = 0.34  # of the question's weight must be found for an answer


@dataclass(frozen=True)
class Found:
    """A passage that the question is about, the lines of it that answer, and how much of the question was found (0 to 1)."""

    passage: Passage
    title: str
    lines: tuple[str, ...]
    share: float


def content(question: str) -> list[str]:
    """The stems of a question that say what it is about."""
    return list(dict.fromkeys(token for token in tokens(question) if token not in _EMPTY))


def best(question: str, passages: Sequence[Passage], misread: bool = False) -> Found | None:
    """The passage that holds most of the question, rare words counting more, and its lines that answer; None if hardly any.

    `misread`: words that a reader may have got wrong count too.
    """
    asked = content(question)
    if not asked or not passages:
        return None
    read = [_mended(asked, passage) for passage in passages] if misread else passages
    weights = _weights(asked, read)
    score, place = max((_score(weights, passage), -number) for number, passage in enumerate(read))
    share = min(1.0, score / sum(weight if _held(token, read) else weight * _ABSENT for token, weight in weights.items()))
    if share < _LEAST:
        return None
    passage, lines = passages[-place], lines_of(passages[-place])
    chosen = _answering(question, asked, lines_of(read[-place]))
    return Found(passage, lines[0], tuple(lines[number] for number in chosen), share)


def _held(token: str, passages: Sequence[Passage]) -> bool:
    return any(token in tokens(passage.text) for passage in passages)


def title_of(passage: Passage) -> str:
    return lines_of(passage)[0]


def lines_of(passage: Passage) -> list[str]:
    if passage.kind != "screen":
        return [passage.text]
    return [_BULLET.sub("", line) or line for line in passage.text.split(" / ")]


def names_in(lines: Iterable[str], most: int = 0) -> list[str]:
    """What looks like the name of a person: two to four words in capitals, what stands in brackets left out."""
    parts = (part for line in lines for part in _APART.split(re.sub(r"\(.*?\)|（.*?）|[:：–—-] .*$", "", plain(line)).strip()))
    found = list(dict.fromkeys(part.strip(" .•·*") for part in parts if _A_NAME.match(part.strip(" .•·*"))))
    return found[:most] if most else found


def asks_for_people(question: str) -> bool:
    return bool(_PEOPLE.search(question))


def _mended(asked: Sequence[str], passage: Passage) -> Passage:
    """The passage with the asked words in place of what looks like them."""
    text = passage.text
    for word in set(re.findall(r"[^\W\d_]{3,}", text)):
        stem = "".join(tokens(word))
        if stem not in asked and (meant := next((token for token in asked if _alike(token, stem)), None)):
            text = re.sub(rf"\b{re.escape(word)}\b", meant, text)
    return replace(passage, text=text)


def _alike(a: str, b: str) -> bool:
    left, right = a.translate(_ALIKE), b.translate(_ALIKE)
    if left == right:
        return True
    return min(len(left), len(right)) >= _LONG_WORD and SequenceMatcher(None, left, right).ratio() >= 0.84


def _weights(asked: Sequence[str], passages: Sequence[Passage]) -> dict[str, float]:
    held = [set(tokens(passage.text)) for passage in passages]
    return {token: 1.0 / math.log(2 + sum(token in words for words in held)) for token in asked}


def _score(weights: dict[str, float], passage: Passage) -> float:
    words, title = set(tokens(passage.text)), set(tokens(title_of(passage)))
    score = sum(weight * (_TITLE_WEIGHT if passage.kind == "screen" and token in title else 1.0)
                for token, weight in weights.items() if token in words)  # fmt: skip
    return score * (1.0 if passage.kind in ("screen", "seen", "heard") else 0.9)


def _answering(question: str, asked: Sequence[str], lines: Sequence[str]) -> list[int]:
    """Which lines answer: those below the title that hold what it does not, else all of them; for a number, those with one."""
    body = range(1, len(lines))
    if not body:
        return [0]
    rest = set(asked) - set(tokens(lines[0]))
    hits = {number: len(rest & set(tokens(lines[number]))) for number in body}
    most = max(hits.values())
    if not most:
        return list(body)
    chosen = [number for number in body if hits[number] == most]
    if not _NUMBER.search(question):
        return chosen
    with_figure = [number for number in chosen if _FIGURE.search(lines[number])]
    beside = [number + 1 for number in chosen if number + 1 in body and _FIGURE.search(lines[number + 1])]
    return with_figure or beside or chosen  # in a table the figure stands in the line after its label
