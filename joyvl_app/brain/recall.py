"""The default brain: no model, only the memory, a clock and a calculator. It says plainly when a question needs a mind."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from joyvl_app.brain import finding, sums
from joyvl_app.brain.times import moment_asked, span, stamp
from joyvl_app.deciders.embedded.phrases import lasting, listed
from joyvl_app.deciders.embedded.words import is_chinese
from joyvl_app.domain import Answer, Delegation, Passage
from joyvl_app.plain import plain
from joyvl_app.ports import Clock, Errand, SessionTools

_CANDIDATES = 40
_SCREENS = 2_000
_JUST_NOW = 3.0  # seconds; what was said then is the question itself
_SLIDE = re.compile(r"\b(?:slides?|pages?|screens?)\b|页|张", re.I)
_ORDER = re.compile(r"\b(after|before|following|preceding|next|previous)\b|之?后|之?前|下一|上一", re.I)
_LATER = ("after", "following", "next", "后", "之后", "下一")
_ENDS = re.compile(r"\b(first|last|opening|final)\b (?:slide|page|screen|text)|第一[页张]|最后[一]?[页张]", re.I)
_COUNT_SLIDES = re.compile(r"\bhow many (?:slides|pages|screens)\b|多少[页张]|几[页张]", re.I)
_WHEN = re.compile(
    r"^\s*(?:and )?when\b|\bwhat time (?:was|did|were)\b|\bat what (?:time|point)\b"
    r"|什么时候|几点.*(?:出现|看到|说)",
    re.I,
)
_LONG = re.compile(r"\bhow long\b|多久|多长时间", re.I)
_SHOWN = re.compile(
    r"\b(?:slide|page|screen|shown|show|appear\w*|see|saw|seen|visible|there|leave|left|arrive\w*|come|came|say|said|ask|asked|"
    r"mention\w*|talk\w*)\b|出现|看到|显示|说",
    re.I,
)
_ON_SCREEN = re.compile(r"\b(?:slides?|pages?|screens?|shown|show|appear\w*|see|saw|seen|visible)\b|出现|看到|显示|[页张]", re.I)
_WHO_OR_WHY = re.compile(r"\b(?:who|whose|whom|why)\b|谁|为什么", re.I)
_SUMMARY = re.compile(
    r"\bwhat (?:has |have |did )?(?:happen\w*|i miss\w*|you see\w*|was going on)\b|\bsummar\w+|\brecap\b|发生了什么|总结|错过",
    re.I,
)
_WHO_SAID = re.compile(
    r"\b(?:did|have) (i|you) (?:just )?(?:say|said|ask\w*|tell|told|mention\w*)\b|(我|你)(?:刚才|之前)?(?:说|问)", re.I
)
_TIME_NOW = re.compile(
    r"(?:please )?(?:tell me |do you know )?"
    r"(?:what(?:'s| is) (?:the )?(?:current |local )?(?:time|date|day)(?: is it)?"
    r"|what (?:time|date|day)(?: of the week)? is (?:it|today))"
    r"(?: (?:in|at) (?P<place>[A-Za-z][A-Za-z ./_-]{1,40}?))?(?: now| right now| today)*"
    r"|(?P<ort>[\u4e00-\u9fff]{2,6}?)??(?:现在|今天|今日)*(?:是)?(?:几点(?:了|钟)?|几号|几月几号|星期几|周几|礼拜几)了?",
    re.I,
)
_UNITS = re.compile(
    r"(-?\d+(?:\.\d+)?)\s*([a-zA-Z°]+(?: [a-z]+)??)\s+(?:in|to|into|as)\s+([a-zA-Z°]+)\b"
    r"|how many ([a-zA-Z°]+) (?:are|is|in|make)(?: there)?(?: in)? (?:(-?\d+(?:\.\d+)?)|an?|one) ?([a-zA-Z°]+)",
    re.I,
)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s*(?:of)\s*(\d+(?:[.,]\d+)*)", re.I)
_SUM = re.compile(r"(?:[-(]*\d[\d.,]*%?\)*\s*(?:\*\*|[-+*/×÷^]|//)\s*)+[-(]*\d[\d.,]*%?\)*")
_ABOUT_A_SUM = re.compile(
    r"what(?:'s| is)|how much is|calculate|compute|work out|please|equals?|is|the result of|多少|等于|计算|是|一下|[=?？\s]", re.I
)
_NO_SUM = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}|\d{3}-\d{3,4}|\d{1,2}:\d{2}")  # a date, a telephone number, a time

Asked = tuple[str, bool, float]  # the question in plain signs, whether it is Chinese, and now

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


class MemoryBrain:
    """Tries its ways in order: a sum, a clock, what was said, the slides' order, what was there at a time, the best passage."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def start(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    async def solve(self, task: Delegation, tools: SessionTools, errand: Errand) -> Answer:
        zh, question = is_chinese(task.question), plain(task.question)
        if (known := compute(question, zh)) is not None:
            return Answer(task.id, "ready", known, known)
        errand.report("正在查记忆" if zh else "searching the memory")
        asked = (question, zh, task.t)
        ways: Sequence[Callable[[Asked, SessionTools], Awaitable[tuple[str, Sequence[Passage]] | None]]] = (
            _what_was_said, _order_of_slides, _at_a_time, _best_passage, _summary,
        )  # fmt: skip
        for way in ways:
            if found := await way(asked, tools):
                return Answer(task.id, "ready", found[0], _card(found[0], found[1], zh), _frames(found[1]))
        return Answer(task.id, "failed", NEEDS_MODEL[zh], CONNECT)


def compute(question: str, zh: bool) -> str | None:
    """Sums, units, clocks; None when the question is none of these."""
    try:
        if found := _PERCENT.search(question):
            share, whole = found.group(1), found.group(2).replace(",", "")
            return f"{found.group()} = {sums.calculate(f'{share}/100*{whole}')}"
        if (found := _UNITS.search(question)) and not _SUM.search(question):
            value, source, target = (found.group(i) for i in ((1, 2, 3) if found.group(1) else (5, 6, 4)))
            return sums.convert(float(value or 1), source, target)
        if (found := _SUM.search(question)) and not _ABOUT_A_SUM.sub("", _SUM.sub("", question)) and not _NO_SUM.search(question):
            return f"{found.group().strip()} = {sums.calculate(found.group())}"
        if found := _TIME_NOW.fullmatch(question.strip(" ?.!。？")):
            place = found["place"] or found["ort"] or ""
            there = sums.clock_in(place, zh)
            return f"{place}现在是{there}。" if zh else f"It is {there}{' in ' + place if place else ''}."
    except ValueError:
        return None
    return None


# --- ways to an answer: a sentence, and the passages that it rests on ---------------------------------------------------


async def _what_was_said(asked: Asked, tools: SessionTools) -> tuple[str, Sequence[Passage]] | None:
    question, zh, now = asked
    found = _WHO_SAID.search(question)
    if not found:
        return None
    mine = (found.group(1) or found.group(2)).lower() in ("i", "我")
    kinds = ("heard", "told") if mine else ("said",)
    about = finding.query(_WHO_SAID.sub(" ", question))
    if about:
        passages = await tools.search(about, until=now - _JUST_NOW, most=_CANDIDATES)
    else:
        passages = (await tools.between(0, now - _JUST_NOW, _CANDIDATES, kinds))[::-1]
    said = [passage for passage in passages if passage.kind in kinds and passage.text != question]
    if not said:
        return None
    who = ("你说", "我说")[not mine] if zh else ("You said", "I said")[not mine]
    when = span(said[0], zh)
    return f"{who}：“{said[0].text}”（{when}）。" if zh else f"{who} “{said[0].text}” {when}.", said[:1]


async def _order_of_slides(asked: Asked, tools: SessionTools) -> tuple[str, Sequence[Passage]] | None:
    question, zh, now = asked
    if not _SLIDE.search(question):
        return None
    if _COUNT_SLIDES.search(question):
        screens = await _screens(tools, now)
        count = len(screens)
        return (f"一共看到 {count} 页。" if zh else f"I saw {count} different screens of text."), screens[:8]
    if found := _ENDS.search(question):
        last = any(word in found.group().lower() for word in ("last", "final", "最后"))
        ends = await tools.between(0.0, now, 1, ("screen",), oldest=not last)
        return (_told(ends[0], zh), ends) if ends else None
    return await _neighbour(asked, tools)


async def _neighbour(asked: Asked, tools: SessionTools) -> tuple[str, Sequence[Passage]] | None:
    """The slide before or after the one that the question names."""
    question, zh, now = asked
    found = _ORDER.search(question)
    anchor = finding.best(question[found.end() :], await _candidates(question, tools, now, ("screen",))) if found else None
    if not found or not anchor or not anchor.passage.here:
        return None
    screens = await _screens(tools, now)
    later = found.group().lower() in _LATER
    if later:
        others = [screen for screen in screens if screen.t_start >= anchor.passage.t_end]
    else:
        others = [screen for screen in reversed(screens) if screen.t_end <= anchor.passage.t_start]
    return (_told(others[0], zh), [others[0], anchor.passage]) if others else None


async def _at_a_time(asked: Asked, tools: SessionTools) -> tuple[str, Sequence[Passage]] | None:
    question, zh, now = asked
    t = moment_asked(question, now)
    if t is None or t > now:
        return None
    there = await tools.between(t, t + 1.0, 10, ("screen", "seen", "heard", "said"))
    if not there:
        return (f"{stamp(t)} 时我没有记下任何东西。" if zh else f"I noted nothing at {stamp(t)}."), []
    told = listed([_content(passage) for passage in there][:5], zh)
    return (f"{stamp(t)} 时：{told}。" if zh else f"At {stamp(t)}: {told}."), there


async def _best_passage(asked: Asked, tools: SessionTools) -> tuple[str, Sequence[Passage]] | None:
    question, zh, now = asked
    found = finding.best(question, await _candidates(question, tools, now))
    found = found or finding.best(question, await _screens(tools, now), misread=True)
    if not found:
        return None
    passage = found.passage
    if _LONG.search(question) and (passage.kind == "seen" or _SHOWN.search(question)):
        for_long = lasting(passage.t_end - passage.t_start, zh)
        what = found.title if passage.kind == "screen" else passage.text
        return (f"{what}：{for_long}，{span(passage, zh)}。" if zh else f"{_cap(what)}: for {for_long}, {span(passage)}."), [
            passage
        ]
    if passage.kind == "seen" and _WHO_OR_WHY.search(question):
        return None
    if passage.kind != "screen":
        return _hedged(_told(passage, zh), found.sure, zh), [passage]
    if _WHEN.search(question) and _ON_SCREEN.search(question):
        return (f"“{found.title}”：{span(passage, zh)}。" if zh else f"“{found.title}” was on screen {span(passage)}."), [passage]
    return _lines(question, found, zh), [passage]


async def _summary(asked: Asked, tools: SessionTools) -> tuple[str, Sequence[Passage]] | None:
    question, zh, now = asked
    if not _SUMMARY.search(question):
        return None
    there = await tools.between(max(0.0, now - 600), now - _JUST_NOW, 60, ("screen", "seen"))
    if not there:
        return None
    longest = sorted(sorted(there, key=lambda p: p.t_start - p.t_end)[:6], key=lambda p: p.t_start)
    told = listed([f"{_content(passage)} ({span(passage, zh)})" for passage in longest], zh)
    return (f"最近十分钟：{told}。" if zh else f"In the last ten minutes: {told}."), there


# --- helpers -------------------------------------------------------------------------------------------------------------


async def _candidates(question: str, tools: SessionTools, now: float, kinds: tuple[str, ...] = ()) -> list[Passage]:
    if not finding.content(question):
        return []
    found = await tools.search(finding.query(question), until=now - 0.001, most=_CANDIDATES)
    kinds = kinds or ("screen", "seen", "heard", "summary")
    return [p for p in found if p.kind in kinds and not (p.kind == "heard" and _is_question(p, question, now))]


def _is_question(passage: Passage, question: str, now: float) -> bool:
    """What the user asked is not what was seen: this question, and others like it."""
    return (
        (passage.here and passage.t_end > now - _JUST_NOW)
        or passage.text.rstrip().endswith(("?", "？"))
        or passage.text == question
    )


async def _screens(tools: SessionTools, now: float) -> list[Passage]:
    return await tools.between(0.0, now, _SCREENS, ("screen",))


def _lines(question: str, found: finding.Found, zh: bool) -> str:
    lines = list(found.lines)
    if finding.asks_for_people(question) and (names := finding.names_in(lines)):
        lines = names
    told = listed(lines[:8], zh)
    where = f"“{found.title}”（{span(found.passage, zh)}）" if zh else f"on “{found.title}”, {span(found.passage)}"
    return _hedged(f"{told}——{where}。" if zh else f"{told}, {where}.", found.sure, zh)


def _hedged(told: str, sure: bool, zh: bool) -> str:
    """An answer that does not hold all that was asked for says so."""
    return told if sure else f"记录里最接近的是：{told}" if zh else f"The closest in my notes: {told}"


def _told(passage: Passage, zh: bool) -> str:
    what = _content(passage)
    if passage.kind == "seen":
        return f"我在 {span(passage, zh)} 看到{what}。" if zh else f"I saw {what} {span(passage)}."
    if passage.kind == "heard":
        return f"{span(passage, zh)} 有人说：{what}。" if zh else f"I heard {what} {span(passage)}."
    return f"{what}（{span(passage, zh)}）。" if zh else f"{_cap(what)}, {span(passage)}."


def _content(passage: Passage) -> str:
    if passage.kind == "screen":
        title, *body = finding.lines_of(passage)
        return f"“{title}”" + (f": {'; '.join(body[:6])}" if body else "")
    return f"“{passage.text}”" if passage.kind in ("heard", "said") else passage.text


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _card(answer: str, passages: Sequence[Passage], zh: bool) -> str:
    """What the answer rests on, as a table."""
    head = "| 时间 | 来源 | 内容 |" if zh else "| when | from | what |"
    rows = [f"| {span(p, zh)} | {p.kind} | {_cell(p.text)} |" for p in passages[:8]]
    return "\n".join([answer, "", head, "|---|---|---|", *rows]) if rows else answer


def _cell(text: str) -> str:
    return text[:300].replace("|", "\\|").replace("\n", " ")


def _frames(passages: Sequence[Passage]) -> tuple[float, ...]:
    return tuple(round((p.t_start + p.t_end) / 2, 1) for p in passages[:1] if p.here and p.kind in ("screen", "seen"))
