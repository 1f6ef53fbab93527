"""Moments and decisions → the model's text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from joyvl_app.dialect.tokens import DELEGATION, RESERVED, RESERVED_PATTERNS, RESPONSE, SILENCE
from joyvl_app.domain import Decision, Delegate, Silence, Summary, Turn

VIDEO_HISTORY = "[Video History]"
QA_HISTORY = "[Q&A History]"
STANDING = "[User Query (IMPORTANT — follow this instruction)]"

_VIDEO_NOTE = "Notes on what was seen before these frames, oldest first."
_QA_NOTE = "What was asked and said before these frames, with its second."

_RESERVED = re.compile("|".join((*map(re.escape, RESERVED), *RESERVED_PATTERNS)), re.IGNORECASE)


def render(decision: Decision) -> str:
    """The assistant turn that `parse` reads back."""
    if isinstance(decision, Silence):
        return SILENCE
    if isinstance(decision, Delegate):
        return " ".join(f"{RESPONSE} {as_data(decision.note)} {DELEGATION} {as_data(decision.question)}".split())
    return f"{RESPONSE} {as_data(decision.text)}"


def turn(t: float, question: str = "", results: Iterable[str] = ()) -> str:
    """The text of one user turn, up to where the picture of second `t` follows.

    `results` are what the background brain found out: entries of the question-and-answer history, for no other form is published.
    """
    told = [f"[Response@{t:.1f} seconds] {as_data(result)}" for result in results]
    known = "\n".join((QA_HISTORY, *told, "")) if told else ""
    asked = f"{as_data(question, keep_lines=True)}\n" if question.strip() else ""
    return f"{known}{asked}<{t:.1f} seconds>\n"


def history(long_term: Iterable[Summary], mid_term: Iterable[Summary], turns: Iterable[Turn]) -> str:
    """The text prefix from memory: long-term, mid-term, then questions and answers; empty when there is no past."""
    parts: list[str] = []
    past = [f"<{s.t_start:.1f} ~ {s.t_end:.1f}>\n{as_data(s.text, keep_lines=True)}" for s in (*long_term, *mid_term)]
    if past:
        parts.append("\n".join((VIDEO_HISTORY, _VIDEO_NOTE, *past)))
    if spoken := list(_qa_lines(turns)):
        parts.append("\n".join((QA_HISTORY, _QA_NOTE, *spoken)))
    return "\n\n".join(parts)


def opening(context: str, question: str, t: float, results: Iterable[str] = ()) -> str:
    """The first user turn of a chunk: the memory prefix, the standing question under its label, then the time."""
    parts = [context] if context else []
    if question.strip():
        parts.append(f"{STANDING}\n{as_data(question, keep_lines=True)}")
    return "\n\n".join((*parts, turn(t, results=results)))


def as_data(text: str, keep_lines: bool = False) -> str:
    """Text of a person or a camera with every reserved mark made harmless, so that it can never act as structure."""
    safe = text
    while (once := _RESERVED.sub(lambda mark: _disarm(mark.group()), safe)) != safe:
        safe = once
    return "\n".join(line.strip() for line in safe.splitlines()).strip() if keep_lines else " ".join(safe.split())


def _disarm(mark: str) -> str:
    return f"‹{mark.strip('<>[]')}›"


def _qa_lines(turns: Iterable[Turn]) -> Iterable[str]:
    """Each query has a number; the responses that follow belong to it."""
    number = 0
    for entry in turns:
        number += entry.kind == "query"
        label = f"#{number} [Query" if entry.kind == "query" else "[Response"
        yield f"{label}@{entry.t:.1f} seconds] {as_data(entry.text)}"
