"""Finding the answer in what was seen and said: which passages a question is about, and which part of them answers it.

Nothing is made up: an answer is lines that stood on the screen, sentences that fell, things that were seen, and their times.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache

from joyvl_app.domain import Passage
from joyvl_app.plain import plain
from joyvl_app.store.words import tokens

# What a question is made of whatever it is about. Stems are compared, so each stands here once.
EMPTY = frozenset(
    token
    for token in tokens(
        "a about above according across after again against ago all along also am amount an and any anybody anyone "
        "anything appear appeared are aren around as asked at away back be been before behind belong belongs below "
        "beside between both but by called can could couldn current d did didn do does doesn don during each earlier "
        "ever every exactly first five for four from gave get given had has hasn have haven he her here him his hour "
        "hours how i if in inside into is isn it its itself just last lecture list listed ll long m many may me "
        "mention mentioned minute minutes moment much my name named names near next no not now of off on once one or "
        "our out outside over page people person persons picture please presentation presenter previous re recall "
        "remember s said same saw say says screen second seconds see seen she show shown since slide slides so some "
        "something speaker stand stands still stood t talk tell than that the their them then there these they thing "
        "things this those three through time times title to today told toward towards two under until up us "
        "ve video was wasn watch watching we were weren what when where which while who whom whose why will with "
        "without won would write written year you your "
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
_CLOSE = 0.84
_A_NAME = re.compile(r"^[A-Z][\w'’.-]*(?: (?:[a-z]{1,3} )?[A-Z][\w'’.-]*){1,3}$")
_APART = re.compile(r"\s*(?:,|;|\band\b|&|、|和|与)\s*")
_TITLE_WEIGHT = 1.5
_ABSENT = 0.5  # what a word counts that stands nowhere: it says nothing for or against any passage
_SHARES = {"seen": 0.75, "heard": 0.5, "summary": 0.5}  # of a question that a passage must hold to answer it
CHINESE = re.compile(r"[\u3400-\u9fff]")
_LEAST = 0.34  # of the question's weight must be found for an answer


@dataclass(frozen=True)
class Found:
    """A passage that the question is about, the lines of it that answer, and whether it holds all that the question names."""

    passage: Passage
    title: str
    lines: tuple[str, ...]
    sure: bool


def units(text: str) -> list[str]:
    """What texts are compared by: English words by their stem, Chinese ones by their pairs of characters."""
    return list(_paired(tokens(text)))


def content(question: str) -> list[str]:
    """The units of a question that say what it is about."""
    return list(dict.fromkeys(unit for unit in _paired(["" if token in EMPTY else token for token in tokens(question)]) if unit))


def query(question: str) -> str:
    """What a question asks the archive for: the words that say what it is about, Chinese ones in one piece."""
    words: list[str] = []
    beside = False  # whether the token before was a Chinese one that counts
    for token in tokens(question):
        chinese, counts = bool(CHINESE.match(token)), token not in EMPTY
        if counts and chinese and beside:
            words[-1] += token
        elif counts:
            words.append(token)
        beside = counts and chinese
    return " ".join(words)


def _paired(stems: Iterable[str]) -> Iterator[str]:
    run = ""
    for stem in (*stems, ""):
        if CHINESE.match(stem):
            run += stem
            continue
        if run:
            yield from (run[i : i + 2] for i in range(max(1, len(run) - 1)))
        run = ""
        if stem:
            yield stem


def best(question: str, passages: Sequence[Passage], misread: bool = False) -> Found | None:
    """The passage that holds most of the question, rare words counting more, and its lines that answer; None if hardly any.

    `misread`: words that a reader may have got wrong count too.
    """
    asked = content(question)
    if not asked or not passages:
        return None
    read = [_mended(asked, passage) for passage in passages] if misread else passages
    held = [set(units(searched(passage))) for passage in read]
    weights = {unit: 1.0 / math.log(2 + sum(unit in there for there in held)) for unit in asked}
    known = sum(weight if any(unit in there for there in held) else weight * _ABSENT for unit, weight in weights.items())
    scores = [(_score(weights, passage, there), -number) for number, (passage, there) in enumerate(zip(read, held, strict=True))]
    enough = [(score, place) for score, place in scores if score >= known * _LEAST and _fits(passages[-place], score, weights)]
    if not enough:
        return None
    _, place = max(enough)
    lines = lines_of(passages[-place])
    chosen = _answering(question, asked, lines_of(read[-place]))
    return Found(passages[-place], lines[0], tuple(lines[number] for number in chosen), set(asked) <= held[-place])


def _fits(passage: Passage, score: float, weights: dict[str, float]) -> bool:
    """A sighting is a name and a place, a sentence is short: they answer only what asks for little else."""
    return score >= _SHARES.get(passage.kind, 0.0) * sum(weights.values())


def searched(passage: Passage) -> str:
    """What a passage can be found by: a thing's name in both languages, too."""
    return passage.words if passage.kind == "seen" and passage.words else passage.text


def title_of(passage: Passage) -> str:
    return lines_of(passage)[0]


def lines_of(passage: Passage) -> list[str]:
    if passage.kind != "screen":
        return [passage.text]
    return [_BULLET.sub("", line) or line for line in passage.text.split(" / ")]


def names_in(lines: Iterable[str]) -> list[str]:
    """What looks like the name of a person: two to four words in capitals, what stands in brackets left out."""
    parts = (part for line in lines for part in _APART.split(re.sub(r"\(.*?\)|（.*?）|[:：–—-] .*$", "", plain(line)).strip()))
    return list(dict.fromkeys(name for part in parts if _A_NAME.match(name := part.strip(" .•·*"))))


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


@lru_cache(maxsize=50_000)
def _alike(a: str, b: str) -> bool:
    left, right = a.translate(_ALIKE), b.translate(_ALIKE)
    if left == right:
        return True
    if min(len(left), len(right)) < _LONG_WORD:
        return False
    matcher = SequenceMatcher(None, left, right)
    return all(ratio() >= _CLOSE for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio))


def _score(weights: dict[str, float], passage: Passage, held: set[str]) -> float:
    title = set(units(title_of(passage))) if passage.kind == "screen" else set()
    score = sum(weight * (_TITLE_WEIGHT if unit in title else 1.0) for unit, weight in weights.items() if unit in held)
    return score * (1.0 if passage.kind in ("screen", "seen", "heard") else 0.9)


def _answering(question: str, asked: Sequence[str], lines: Sequence[str]) -> list[int]:
    """Which lines answer: those below the title that hold what it does not, else all of them; for a number, those with one."""
    body = range(1, len(lines))
    if not body:
        return [0]
    rest = set(asked) - set(units(lines[0]))
    hits = {number: len(rest & set(units(lines[number]))) for number in body}
    most = max(hits.values())
    if not most:
        return list(body)
    chosen = [number for number in body if hits[number] == most]
    if not _NUMBER.search(question):
        return chosen
    with_figure = [number for number in chosen if _FIGURE.search(lines[number])]
    beside = [number + 1 for number in chosen if number + 1 in body and _FIGURE.search(lines[number + 1])]
    return with_figure or beside or chosen  # in a table the figure stands in the line after its label
