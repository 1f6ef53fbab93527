"""Questions about the order of slides: the first, the second, the last, the one after another, how many, which."""

from __future__ import annotations

import re

from joyvl_app.brain import finding
from joyvl_app.brain.telling import Asked, Told, candidates, screens, told_of
from joyvl_app.deciders.embedded.phrases import listed

_SLIDE = re.compile(r"\b(?:slides?|pages?|screens?)\b|页|张", re.I)
_HOW_MANY = re.compile(r"\bhow many (?:different )?(?:slides|pages|screens)\b|(?:多少|几)[页张]", re.I)
_ALL = re.compile(
    r"\b(?:all|list|which|what) (?:of )?(?:the |were the )?(?:slides|pages|screens|titles)\b|哪些[页张]|所有的?[页张]", re.I
)
_ORDER = re.compile(r"\b(after|before|following|preceding|next|previous)\b|之?后|之?前|下一|上一", re.I)
_BESIDE = re.compile(r"^\s*(?:and )?what (?:came|comes|was|is|followed|happened) (?:right |directly )?(?:after|before)\b", re.I)
_LATER = ("after", "following", "next", "后", "之后", "下一")
_PLACE = re.compile(
    r"\b(?P<word>first|opening|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last|final|latest)\b"
    r" (?:slide|page|screen)"
    r"|第(?P<zh>[一二三四五六七八九十\d]+)[页张]|(?P<end>最后)一?[页张]",
    re.I,
)
_NUMBERS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_CHINESE = "一二三四五六七八九十"
_MOST = 12  # titles that are listed


async def order_of_slides(asked: Asked) -> Told | None:
    """None when the question is not about their order."""
    question, zh = asked.question, asked.zh
    if not _SLIDE.search(question):
        return await _neighbour(asked) if _BESIDE.search(question) else None
    if _HOW_MANY.search(question):
        there = await screens(asked)
        return (f"一共看到 {len(there)} 页。" if zh else f"I saw {len(there)} different screens of text."), there[:8]
    if found := _PLACE.search(question):
        return await _at_place(asked, found)
    if _ORDER.search(question) and (told := await _neighbour(asked)):
        return told
    if _ALL.search(question) and not finding.content(question) and (there := await screens(asked)):
        titles = listed([f"“{finding.title_of(screen)}”" for screen in there[:_MOST]], zh)
        return (f"依次是：{titles}。" if zh else f"In order: {titles}."), there
    return None


async def _at_place(asked: Asked, found: re.Match[str]) -> Told | None:
    """The first, second … or last one."""
    word = (found["word"] or "").lower()
    if found["end"] or word in ("last", "final", "latest"):
        there = await asked.tools.between(0.0, asked.now, 1, ("screen",))
        return (told_of(there[0], asked.zh), there) if there else None
    number = _NUMBERS.index(word) if word in _NUMBERS else 0 if word else _chinese(found["zh"]) - 1
    there = await asked.tools.between(0.0, asked.now, number + 1, ("screen",), oldest=True)
    if number >= len(there):
        few = len(there)
        return (f"我只看到 {few} 页。" if asked.zh else f"I saw only {few} different screens of text."), there
    return told_of(there[number], asked.zh), [there[number]]


def _chinese(number: str) -> int:
    return max(1, int(number)) if number.isdigit() else _CHINESE.index(number[0]) + 1


async def _neighbour(asked: Asked) -> Told | None:
    """The slide before or after the one that the question names."""
    found = _ORDER.search(asked.question)
    anchor = finding.best(asked.question[found.end() :], await candidates(asked.question, asked, ("screen",))) if found else None
    if not found or not anchor or not anchor.passage.here:
        return None
    there = await screens(asked)
    if found.group().lower() in _LATER:
        others = [screen for screen in there if screen.t_start >= anchor.passage.t_end]
    else:
        others = [screen for screen in reversed(there) if screen.t_end <= anchor.passage.t_start]
    return (told_of(others[0], asked.zh), [others[0], anchor.passage]) if others else None
