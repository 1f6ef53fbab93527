"""How many tokens a text takes, estimated from above: no tokenizer is at hand where the memory is kept.

English words count one token for every four letters, digits and signs one each, Chinese characters one each. Byte-pair
tokenizers of today's models stay below that on ordinary text.
"""

from __future__ import annotations

import re

_PIECES = re.compile(r"[A-Za-z]+|\s+|.", re.S)
_SIGNS_A_TOKEN = 4


def estimate(text: str) -> int:
    """Tokens of a text, rather too many than too few."""
    return sum(_cost(piece) for piece in _PIECES.findall(text))


def cut(text: str, most: int) -> str:
    """As much of a text as fits into `most` tokens, ended at a word and marked with "…" when something is missing."""
    taken: list[str] = []
    spent = 0
    for piece in _PIECES.finditer(text):
        spent += _cost(piece.group())
        if spent > most:
            return "".join(taken).rstrip() + "…"
        taken.append(piece.group())
    return text


def _cost(piece: str) -> int:
    if piece.isspace():
        return piece.count("\n")  # a space belongs to the word after it
    return -(-len(piece) // _SIGNS_A_TOKEN) if piece.isascii() else 1
