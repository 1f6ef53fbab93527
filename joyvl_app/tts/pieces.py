"""A sentence in the pieces it is spoken in: whole sentences, and a first clause where the first sentence is long."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+|(?<=[。！？；])\s*|\n+")
_CLAUSE = re.compile(r"(?<=[,;:—])\s+|(?<=[，、：])")
_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|No|vs|e\.g|i\.e)\.)$")
_LONG = 60  # characters of a first sentence after which its first clause goes ahead
_CHINESE = re.compile(r"[\u3400-\u9fff]")


def pieces(text: str) -> list[str]:
    """The pieces in order, none empty; together they hold every word of the text."""
    found: list[str] = []
    for part in _SENTENCE.split(text):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += f" {part}"
        elif part.strip():
            found.append(part)
    if found and len(found[0]) > _LONG:
        clauses = _CLAUSE.split(found[0], maxsplit=1)
        found[:1] = clauses if all(clause.strip() for clause in clauses) else [found[0]]
    return [part.strip() for part in found]


def language_of(text: str) -> str:
    """`zh` when there is a Chinese sign in it, else `en`."""
    return "zh" if _CHINESE.search(text) else "en"


def rest_of(text: str, share: float) -> str:
    """What is left of a piece when `share` of it was heard: whole words, Chinese signs."""
    words = list(text) if language_of(text) == "zh" else text.split()
    left = words[int(share * len(words)) :]
    return ("" if language_of(text) == "zh" else " ").join(left)
