"""What the default brain's ways share: their questions, where they look, and how a passage is told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from joyvl_app.brain import finding
from joyvl_app.brain.times import span
from joyvl_app.deciders.embedded.phrases import capital, listed
from joyvl_app.domain import Passage
from joyvl_app.ports import SessionTools

_CANDIDATES = 40
_SCREENS = 2_000
HOW_LONG = re.compile(r"\bhow long\b|多久|多长时间", re.I)
JUST_NOW = 3.0  # seconds; what was said then is the question itself


@dataclass(frozen=True)
class Asked:
    """A question in plain signs, its language and second, and what may be looked at."""

    question: str
    zh: bool
    now: float
    tools: SessionTools
    think: Callable[[Callable[[], finding.Found | None]], Awaitable[finding.Found | None]]  # off the event loop


Told = tuple[str, Sequence[Passage]]  # an answer in a sentence, and the passages that it rests on


async def candidates(question: str, asked: Asked, kinds: tuple[str, ...] = ()) -> list[Passage]:
    """What the archive finds for a question, without the question itself."""
    if not finding.content(question):
        return []
    found = await asked.tools.search(finding.query(question), until=asked.now - 0.001, most=_CANDIDATES)
    kinds = kinds or ("screen", "seen", "heard", "summary")
    return [p for p in found if p.kind in kinds and not (p.kind == "heard" and _is_question(p, question, asked.now))]


def _is_question(passage: Passage, question: str, now: float) -> bool:
    """What the user asked is not what was seen: this question, and others like it."""
    return (
        (passage.here and passage.t_end > now - JUST_NOW)
        or passage.text.rstrip().endswith(("?", "？"))
        or passage.text == question
    )


async def screens(asked: Asked) -> list[Passage]:
    """All that was read in this session, in order."""
    return await asked.tools.between(0.0, asked.now, _SCREENS, ("screen",))


def lines(question: str, found: finding.Found, zh: bool) -> str:
    """The lines that answer, and where they stood."""
    lines = list(found.lines)
    if finding.asks_for_people(question) and (names := finding.names_in(lines)):
        lines = names
    told = listed(lines[:8], zh)
    where = f"“{found.title}”（{span(found.passage, zh)}）" if zh else f"on “{found.title}”, {span(found.passage)}"
    return hedged(f"{told}——{where}。" if zh else f"{told}, {where}.", found.sure, zh)


def hedged(told: str, sure: bool, zh: bool) -> str:
    """An answer that does not hold all that was asked for says so."""
    return told if sure else f"记录里最接近的是：{told}" if zh else f"The closest in my notes: {told}"


def told_of(passage: Passage, zh: bool) -> str:
    """A passage as a sentence, with its time."""
    what = content_of(passage)
    if passage.kind == "seen":
        return f"我在 {span(passage, zh)} 看到{what}。" if zh else f"I saw {what} {span(passage)}."
    if passage.kind == "heard":
        return f"{span(passage, zh)} 有人说：{what}。" if zh else f"I heard {what} {span(passage)}."
    return f"{what}（{span(passage, zh)}）。" if zh else f"{capital(what)}, {span(passage)}."


def content_of(passage: Passage) -> str:
    """What a passage holds, without its time."""
    if passage.kind == "screen":
        title, *body = finding.lines_of(passage)
        return f"“{title}”" + (f": {'; '.join(body[:6])}" if body else "")
    return f"“{passage.text}”" if passage.kind in ("heard", "said") else passage.text
