"""The default brain: no model, only the memory, a clock and a calculator. It says plainly when a question needs a mind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

from joyvl_app.brain import finding
from joyvl_app.brain.computing import compute
from joyvl_app.brain.sightings import sightings
from joyvl_app.brain.slides import order_of_slides
from joyvl_app.brain.telling import HOW_LONG, JUST_NOW, Asked, Told, candidates, content_of, hedged, lines, screens, told_of
from joyvl_app.brain.times import moment_asked, span, stamp, stretch_asked
from joyvl_app.deciders.embedded.phrases import capital, lasting, listed
from joyvl_app.deciders.embedded.words import is_chinese
from joyvl_app.domain import Answer, Delegation, Passage
from joyvl_app.plain import plain
from joyvl_app.ports import Clock, Errand, Provider, SessionTools

_SAID = 40  # sentences looked through
_STRETCH = 600.0  # seconds that "what happened?" looks back
_WHEN = re.compile(
    r"^\s*(?:and )?when\b|\bwhat time (?:was|did|were)\b|\bat what (?:time|point)\b|什么时候|几点.*(?:出现|看到|说)", re.I
)
_ON_SCREEN = re.compile(r"\b(?:slides?|pages?|screens?|shown|show|appear\w*|see|saw|seen|visible)\b|出现|看到|显示|[页张]", re.I)
_SUMMARY = re.compile(
    r"\bwhat (?:has |have |did )?(?:happen\w*|i miss\w*|you see\w*|was going on)\b|\bsummar\w+|\brecap\b|发生了什么|总结|错过",
    re.I,
)
_ALL_OF_IT = re.compile(
    r"\b(?:lecture|talk|meeting|stream|session|whole|so far|everything)\b|整[个场]|全部|到目前|讲座|会议", re.I
)
_WHO_SAID = re.compile(
    r"\b(?:did|have|has) (?P<who>i|you|he|she|they|someone|anyone|the \w+) (?:just )?"
    r"(?:say|said|ask\w*|tell|told|mention\w*|talk\w*)\b"
    r"|(?P<wer>我|你|他们?|她们?|老师|主播|有人)(?:刚才|之前|刚刚)?(?:说|问|讲)",
    re.I,
)
_WHO_OR_WHY = re.compile(r"\b(?:who|whose|whom|why)\b|谁|为什么", re.I)

NEEDS_MODEL = (
    "That needs a thinking model, and none is connected. I searched what I saw and heard, and found nothing about it.",
    "这个问题需要一个会思考的模型，但现在没有接上。我查过看到和听到的内容，没有找到。",
)
CONNECT = """I looked through the memory of what was seen and heard, and found nothing that answers this.

To connect a model, set one of these and start again:

| you have | set |
|---|---|
| an OpenAI key | `JOYVL_BRAIN_MODEL=openai:gpt-4.1-mini`, `JOYVL_BRAIN_KEY=…` |
| Ollama on this machine | `JOYVL_BRAIN_MODEL=ollama:qwen3`, `pip install langchain-ollama` |
| any OpenAI-compatible server | `JOYVL_BRAIN_URL=http://localhost:8000/v1` |
| a GGUF file | `JOYVL_BRAIN_MODEL=/path/model.gguf`, `pip install xllamacpp` |
"""


class MemoryBrain(Provider):
    """Its ways in order: a sum or clock, what was said, the slides' order, a moment, what came and went, the best passage."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer:
        zh, question = is_chinese(task.question), plain(task.question)
        if (known := compute(question, zh)) is not None:
            return Answer(task.id, "ready", known, known)
        errand.report("正在查记忆" if zh else "searching the memory")
        asked = Asked(question, zh, task.t, tools, self._think)
        for way in _WAYS:
            if found := await way(asked):
                return Answer(task.id, "ready", found[0], _card(found[0], found[1], zh), _frames(found[1]))
        return Answer(task.id, "failed", NEEDS_MODEL[zh], CONNECT)

    async def _think(self, work: Callable[[], finding.Found | None]) -> finding.Found | None:
        return await self._clock.timed(asyncio.to_thread(work))


# --- ways to an answer: a sentence, and the passages that it rests on ---------------------------------------------------


async def _what_was_said(asked: Asked) -> Told | None:
    found = _WHO_SAID.search(asked.question)
    if not found:
        return None
    who = (found["who"] or found["wer"]).lower()
    kinds = ("said",) if who in ("you", "你") else ("heard", "told") if who in ("i", "我") else ("heard",)
    about, until = finding.query(_WHO_SAID.sub(" ", asked.question)), asked.now - JUST_NOW
    if about:
        passages = await asked.tools.search(about, until=until, most=_SAID)
    else:
        passages = (await asked.tools.between(0.0, until, _SAID, kinds))[::-1]
    said = [p for p in passages if p.kind in kinds and p.text != asked.question and not p.text.endswith(("?", "？"))]
    if not said:
        return None
    when, text = span(said[0], asked.zh), said[0].text
    if asked.zh:
        return f"{'我说' if kinds == ('said',) else '你说' if who == '我' else '我听到'}：“{text}”（{when}）。", said[:1]
    return f"{'I said' if kinds == ('said',) else 'You said' if who == 'i' else 'I heard'} “{text}” {when}.", said[:1]


async def _at_a_time(asked: Asked) -> Told | None:
    t = moment_asked(asked.question, asked.now)
    if t is None or t > asked.now:
        return None
    there = await asked.tools.between(t, t + 1.0, 10, ("screen", "seen", "heard", "said"))
    if not there:
        return (f"{stamp(t)} 时我没有记下任何东西。" if asked.zh else f"I noted nothing at {stamp(t)}."), []
    told = listed([content_of(passage) for passage in there][:5], asked.zh)
    return (f"{stamp(t)} 时：{told}。" if asked.zh else f"At {stamp(t)}: {told}."), there


async def _best_passage(asked: Asked) -> Told | None:
    question, there = asked.question, await candidates(asked.question, asked)
    found = await asked.think(lambda: finding.best(question, there))
    if not found:
        read = await screens(asked)
        found = await asked.think(lambda: finding.best(question, read, misread=True))
    if not found or (found.passage.kind == "seen" and _WHO_OR_WHY.search(question)):
        return None
    return _told(question, found, asked.zh), [found.passage]


def _told(question: str, found: finding.Found, zh: bool) -> str:
    """The lines that answer; or when it was, or how long, where that is asked."""
    passage, when = found.passage, span(found.passage, zh)
    if HOW_LONG.search(question) and (passage.kind == "seen" or _ON_SCREEN.search(question)):
        for_long = lasting(passage.t_end - passage.t_start, zh)
        what = found.title if passage.kind == "screen" else passage.text
        return f"{what}：{for_long}，{when}。" if zh else f"{capital(what)}: for {for_long}, {when}."
    if passage.kind != "screen":
        return hedged(told_of(passage, zh), found.sure, zh)
    if _WHEN.search(question) and _ON_SCREEN.search(question):
        return f"“{found.title}”：{when}。" if zh else f"“{found.title}” was on screen {when}."
    return lines(question, found, zh)


async def _summary(asked: Asked) -> Told | None:
    if not _SUMMARY.search(asked.question):
        return None
    back = stretch_asked(asked.question) or (asked.now if _ALL_OF_IT.search(asked.question) else _STRETCH)
    there = await asked.tools.between(max(0.0, asked.now - back), asked.now - JUST_NOW, 400, ("screen", "seen", "heard"))
    there = [passage for passage in there if not passage.text.endswith(("?", "？"))]
    if not there:
        return None
    longest = sorted(sorted(there, key=lambda p: p.t_start - p.t_end)[:6], key=lambda p: p.t_start)
    told = listed([f"{content_of(passage)} ({span(passage, asked.zh)})" for passage in longest], asked.zh)
    for_long = lasting(min(back, asked.now), asked.zh)
    return (f"最近{for_long}：{told}。" if asked.zh else f"In the last {for_long}: {told}."), longest


_WAYS: tuple[Callable[[Asked], Awaitable[Told | None]], ...] = (
    _what_was_said, order_of_slides, _at_a_time, sightings, _best_passage, _summary,
)  # fmt: skip


# --- the card -----------------------------------------------------------------------------------------------------------


def _card(answer: str, passages: Sequence[Passage], zh: bool) -> str:
    """What the answer rests on, as a table."""
    head = "| 时间 | 来源 | 内容 |" if zh else "| when | from | what |"
    rows = [f"| {span(p, zh)} | {p.kind} | {_cell(p.text)} |" for p in passages[:8]]
    return "\n".join([answer, "", head, "|---|---|---|", *rows]) if rows else answer


def _cell(text: str) -> str:
    return text[:300].replace("|", "\\|").replace("\n", " ")


def _frames(passages: Sequence[Passage]) -> tuple[float, ...]:
    return tuple(round((p.t_start + p.t_end) / 2, 1) for p in passages[:1] if p.here and p.kind in ("screen", "seen"))
