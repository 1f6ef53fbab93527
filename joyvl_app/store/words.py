"""Text as it is searched, the same in every database: English words by their stem, Chinese by its characters.

The characters stand apart, so that a word of two is a phrase of two and no dictionary has to know it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import normalize

import snowballstemmer

from joyvl_app.plain import plain

_TOKEN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|\d+|[^\W\d_\u3400-\u9fff\uf900-\ufaff]+")  # readers lose spaces: 35km is 35 km
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_ACCENTS = re.compile(r"([a-z])[\u0300-\u036f]+")  # café is cafe in every database
_LONGEST = 64  # characters of a token: PostgreSQL refuses very long ones
_MOST = 32  # terms of a query
_STEMMER = snowballstemmer.stemmer("english")

Term = tuple[str, ...]  # tokens that stand next to one another


def tokens(text: str) -> list[str]:
    """The tokens of a text in order."""
    bare = normalize("NFC", _ACCENTS.sub(r"\1", normalize("NFD", plain(text).lower())))
    return [_stem(token[:_LONGEST]) for token in _TOKEN.findall(bare)]


def indexed(text: str) -> str:
    """A text's tokens, one space between them."""
    return " ".join(tokens(text))


def terms(query: str) -> list[Term]:
    """What a query asks for: each of its words as a phrase."""
    return [term for word in plain(query).split() if (term := tuple(tokens(word)))][:_MOST]


def loose(query: str) -> list[Term]:
    """The same, Chinese runs taken apart into pairs of characters: any of them may do."""
    return [part for term in terms(query) for part in _pairs(term)][:_MOST]


def _pairs(term: Term) -> Iterator[Term]:
    run: list[str] = []
    for token in (*term, ""):
        if token and _CHINESE.fullmatch(token):
            run.append(token)
            continue
        if len(run) > 1:
            yield from (tuple(run[i : i + 2]) for i in range(len(run) - 1))
        elif run:
            yield (run[0],)
        run = []
        if token:
            yield (token,)


@lru_cache(maxsize=20_000)
def _stem(token: str) -> str:
    return str(_STEMMER.stemWord(token)) if token.isascii() else token
