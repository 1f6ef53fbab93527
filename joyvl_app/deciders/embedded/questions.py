"""Questions answered from the evidence: what do you see, how many, what does it say, is there, where, how long ago."""

from __future__ import annotations

import re

from joyvl_app.deciders.embedded.phrases import lasting, phrase, place
from joyvl_app.deciders.embedded.scene import Scene
from joyvl_app.deciders.embedded.telling import describe, steady_count, tell_count, tell_text
from joyvl_app.deciders.embedded.words import Target, find_target, is_chinese, named
from joyvl_app.plain import plain

_SEE = re.compile(
    r"\bwhat\b.{0,20}\b(see|there|happening|going on|look(ing)? at|in (the )?(picture|view|frame))\b|^\s*describe\b"
    r"|(看到|看见|有)(了|些)?什么|画面里?有|发生了?什么|描述",
    re.I,
)
_MANY = re.compile(r"\bhow many\b|多少|几个|几位|几只|几辆", re.I)
_SAY = re.compile(
    r"\bwhat\b.{0,25}\b(say|says|written|text|read|title|slide|price)\b|\bread (it|this|that)\b"
    r"|写(着|了)?(的是)?什么|什么字|多少钱|标题",
    re.I,
)
_AGO = re.compile(r"\bhow long ago\b|\bwhen (did|was|were)\b|\blast (see|saw|seen)\b|多久(之?前|以前)|什么时候|上次", re.I)
_SINCE = re.compile(r"\bhow long have you\b|(看|观察)了多久", re.I)
_WHERE = re.compile(r"\bwhere\b|在哪", re.I)
_THERE = re.compile(r"^\s*(is|are|do you see|can you see|was|were|any)\b|有没有|有.{0,8}吗|在吗|看得?到.{0,8}吗", re.I)
_NEEDS_MIND = re.compile(
    r"\b(why|who is|whose|who was|what (kind|brand|model|breed|colou?r)|how (much|do|does|can|should|old|far)|mean\w*|"
    r"doing|wearing|history|explain|recommend|compare)\b|为什么|谁是|是谁|怎么|什么牌|什么品种|什么颜色|什么意思|在干|在做|穿",
    re.I,
)


def answer(question: str, scene: Scene, t: float) -> str | None:
    """The answer from what was seen, in the question's language; None when it needs a mind."""
    zh, question = is_chinese(question), plain(question)
    if _SAY.search(question):
        return tell_text(scene, zh)
    if _NEEDS_MIND.search(question):
        return None
    if _SINCE.search(question):
        return phrase("watching_for", zh, ago=lasting(t - (t if scene.began is None else scene.began), zh))
    found = find_target(question)
    if found is None:
        return describe(scene, zh) if _SEE.search(question) else None
    return _about(question, found[0], scene, t, zh)


def _about(question: str, target: Target, scene: Scene, t: float, zh: bool) -> str | None:
    if _AGO.search(question):
        return _ago(target, scene, t, zh)
    if _MANY.search(question):
        return tell_count(scene, target, zh)
    if _WHERE.search(question):
        return _where(target, scene, t, zh)
    if _THERE.search(question):
        count = steady_count(scene, target)
        if count:
            return phrase("yes_there", zh, what=named(target, count, zh))
        return phrase("no_there", zh, what=named(target, 0, zh), one=named(target, 1, zh))
    return describe(scene, zh) if _SEE.search(question) else None


def _ago(target: Target, scene: Scene, t: float, zh: bool) -> str:
    what, seen = named(target, 1, zh), scene.last_seen(target.labels)
    if seen is None:
        return phrase("never", zh, what=what)
    if t - seen.last < 1.5:
        return phrase("now", zh, what=what, What=_capital(what))
    return phrase("ago", zh, what=what, ago=lasting(t - seen.last, zh))


def _where(target: Target, scene: Scene, t: float, zh: bool) -> str:
    levels = scene.levels(target.labels, 1)
    if not levels or not levels[-1].boxes:
        return _ago(target, scene, t, zh)
    best = max(levels[-1].boxes, key=lambda box: box.score)
    what = named(target, 1, zh)
    return phrase("where", zh, what=what, What=_capital(what), place=place(*best.centre, zh))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
