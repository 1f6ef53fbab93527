"""Questions about things that came, stayed and went: when, how long, how many, how often, still there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from joyvl_app.brain import finding
from joyvl_app.brain.telling import HOW_LONG, Asked, Told
from joyvl_app.brain.times import span, stamp
from joyvl_app.deciders.embedded.phrases import capital, lasting, listed
from joyvl_app.deciders.embedded.words import Target, find_target, named, numbered
from joyvl_app.domain import Passage
from joyvl_app.store.words import tokens

_MOST = 1_000  # stays that are looked through
_LISTED = 4
_STILL = 12.0  # seconds: a stay that was written so lately may go on
_HOW_MANY = re.compile(r"\bhow many\b(?! times)|几[个位只辆]|多少", re.I)
_HOW_OFTEN = re.compile(r"\bhow (?:often|many times)\b|[几多]少?次", re.I)
_LEFT = re.compile(r"\b(?:leave|left|leaving|go|gone|went|disappear\w*)\b|离开|走|消失", re.I)
_NOW = re.compile(r"\bstill\b|\bright now\b|还在|现在", re.I)
_FIRST, _LAST = re.compile(r"\bfirst\b|第一次|最早", re.I), re.compile(r"\blast\b|\blatest\b|最后|上一?次", re.I)
_VERBS = frozenset(
    tokens(
        "arrive come came enter leave leaves left leaving go gone went disappear stay stayed visit present door room here "
        "often still view scene camera house watch notice noticed spot spotted back around"
    )
)
_SIGNS = frozenset("来过进离开走到次最后第一上还现在留停久消失早见有门口家里画")
_ASKS = re.compile(
    r"^\s*(?:and )?(?:when|how (?:long|many|often)|did|was|were|have|has|is|are|where)\b"
    r"|什么时候|多久|多长|几|多少|过吗|了吗|过没|在吗|上次|最后",
    re.I,
)


async def sightings(asked: Asked) -> Told | None:
    """None when the question is about something else, or asks for more than what came and went."""
    question = asked.question
    found = find_target(question)
    if not found or not _ASKS.search(question):
        return None
    target, start, end = found
    rest = [token for token in tokens(question[:start] + " " + question[end:]) if token not in finding.EMPTY]
    if any(token not in _VERBS and token not in _SIGNS for token in rest):
        return None
    stays = [p for p in await asked.tools.between(0.0, asked.now, _MOST, ("seen",)) if _is_one(p, target)]
    return (_answer(question, asked, target, stays), stays) if stays else None


def _answer(question: str, asked: Asked, target: Target, stays: Sequence[Passage]) -> str:
    zh, what = asked.zh, named(target, 1, asked.zh)
    chosen = stays[0] if _FIRST.search(question) else stays[-1]
    lasts = asked.now - chosen.t_end <= _STILL
    if _HOW_MANY.search(question):
        most = max(stays, key=_count)
        many = numbered(target, _count(most), zh)
        return f"最多同时有{many}，{span(most, zh)}。" if zh else f"At most {many} at once, {span(most)}."
    if _HOW_OFTEN.search(question):
        spans = listed([span(stay, zh) for stay in stays[-_LISTED:]], zh)
        return f"{len(stays)} 次：{spans}。" if zh else f"{len(stays)} time{'' if len(stays) == 1 else 's'}: {spans}."
    if HOW_LONG.search(question):
        for_long = lasting(chosen.t_end - chosen.t_start, zh)
        return f"{what}：{for_long}，{span(chosen, zh)}。" if zh else f"{capital(what)}: for {for_long}, {span(chosen)}."
    if _LEFT.search(question) or _NOW.search(question):
        return _whether_gone(what, chosen, lasts, zh)
    told = stays[:1] if _FIRST.search(question) else stays[-1:] if _LAST.search(question) else stays[-_LISTED:]
    spans, shown = listed([span(stay, zh) for stay in told], zh), _text(told, what, zh)
    return f"我在 {spans} 看到{shown}。" if zh else f"I saw {shown} {spans}."


def _whether_gone(what: str, stay: Passage, lasts: bool, zh: bool) -> str:
    if lasts:
        since = stamp(stay.t_start)
        return f"{what}还在，从 {since} 开始。" if zh else f"{capital(what)} is still there, since {since}."
    at = stamp(stay.t_end)
    return f"最后一次看到{what}是在 {at}。" if zh else f"I last saw {what} at {at}; not since then."


def _text(stays: Sequence[Passage], what: str, zh: bool) -> str:
    """With its place where there is only one to tell, in the language of the question."""
    text = stays[0].text
    return text if len(stays) == 1 and zh == any("\u4e00" <= sign <= "\u9fff" for sign in text) else what


def _is_one(passage: Passage, target: Target) -> bool:
    held = passage.words.split()
    return any(set(tokens(label)) <= set(held) for label in target.labels)


def _count(passage: Passage) -> int:
    found = re.match(r"\s*(\d+)", passage.text)
    return int(found.group(1)) if found else 1
