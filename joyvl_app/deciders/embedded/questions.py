"""Questions answered from the evidence: what do you see, how many, what does it say, is there, where, how long ago."""

from __future__ import annotations

import re

from joyvl_app.deciders.embedded.board import PRICE
from joyvl_app.deciders.embedded.phrases import capital, lasting, phrase, place
from joyvl_app.deciders.embedded.scene import Scene
from joyvl_app.deciders.embedded.telling import describe, steady_count, tell_count, tell_text
from joyvl_app.deciders.embedded.words import Target, find_target, is_chinese, named
from joyvl_app.plain import plain

_HELLO = re.compile(r"\s*(hello|hi|hey|good (morning|evening|afternoon)|你好|您好|嗨|早上好)( there)?[\s!.,。]*", re.I)
_THANKS = re.compile(r"\s*(thanks|thank you|谢谢|多谢|cheers)( you| very much| a lot| so much|你|您)?[\s!.,。]*", re.I)
_SEE = re.compile(
    r"\bwhat\b.{0,20}\b(see|there|happening|going on|look(ing)? at|in (the )?(picture|view|frame))\b|^\s*describe\b"
    r"|(看到|看见|有)(了|些)?什么|画面里?有|发生了?什么|描述",
    re.I,
)
_MANY = re.compile(r"\bhow many\b|多少|几个|几位|几只|几辆", re.I)
_COST = re.compile(r"\b(price|cost|costs|how much)\b|价格|多少钱|价钱", re.I)
_BEFORE = re.compile(r"\b(?:did|were|was|have|had|has)\b|[来看见]过|之前|刚才", re.I)
_NAMES_A_THING = re.compile(
    r"\b(?:did|was|were|had)\b|\bhow much (?!is|does it|are)|\b(?:of|for) (?:the|a|an)\b|的.{0,3}价|之前|刚才", re.I
)
_SAY = re.compile(
    r"\bwhat\b.{0,25}\b(say|says|written|text|read|title|slide)\b|\bread (it|this|that)\b|写(着|了)?(的是)?什么|什么字|标题", re.I
)
_SMILE = re.compile(r"\b(smil\w+|happy|laugh\w*)\b|笑|开心|高兴", re.I)
_STAY = re.compile(
    r"\bhow long (has|have|is|was)\b.*\b(been|there|here)\b|\bwhen did\b.*\b(appear|come|arrive|enter|start)"
    r"|多久了|什么时候(来|出现|进)",
    re.I,
)
_AGO = re.compile(
    r"\bhow long ago\b|\bwhen (did|was|were)\b|\blast (see|saw|seen)\b|^\s*(did|has|have|was|were)\b"
    r"|多久(之?前|以前)|什么时候|上次|(来过|出现过|看到过|见过)",
    re.I,
)
_SINCE = re.compile(r"\bhow long have you\b|(看|观察)了多久", re.I)
_WHERE = re.compile(r"\bwhere\b|在哪", re.I)
_THERE = re.compile(r"^\s*(is|are|do you see|can you see|any)\b|有没有|有.{0,8}吗|在吗|了吗|看得?到.{0,8}吗", re.I)
_RELATION = re.compile(
    r"\b(left|right|behind|in front|next to|under|on top|closer|bigger|taller) (?:of|than|the)\b|左边还是|旁边是", re.I
)
_SECONDS_AGO = re.compile(r"\d+ (?:seconds?|minutes?|hours?) ago|(?:秒|分钟|小时)(?:之)?前看到什么|\bdid you say\b", re.I)
_PAST = re.compile(r"\bhave you (?:seen|noticed)\b|\byou seen\b|刚才|之前有", re.I)
# About what was on screen before: the memory's affair, unless it is the thing last seen (`_AGO`).
_LOOK_BACK = re.compile(
    r"\b(?:did|was|were|had)\b.*"
    r"\b(?:slide|page|screen|title|text|sign|label|price|word|say|says|said|read|show\w*|written|mention\w*)\b"
    r"|\b(?:slide|page|screen) (?:about|on|with|called|titled|before|after)\b"
    r"|\b(?:first|previous|earlier|last) (?:slide|page|screen)\b"
    r"|(?:刚才|之前|上一|第一|前面|那)[^?？]{0,8}(?:页|张|屏幕|写|说|显示|标题)|写过|显示过|说过",
    re.I,
)
_NEEDS_MIND = re.compile(
    r"\b(why|who is|who's|whose|who was|what (kind|brand|model|breed|colou?r)|how (do|does|can|should|old|far)|mean\w*|"
    r"doing|wearing|history|explain|recommend|compare)\b|为什么|谁是|是谁|怎么|什么牌|什么品种|什么颜色|什么意思|在干|在做|穿",
    re.I,
)


def answer(question: str, scene: Scene, t: float) -> str | None:
    """The answer from what was seen, in the question's language; None when it needs a mind."""
    zh, question = is_chinese(question), plain(question)
    if _HELLO.fullmatch(question) or _THANKS.fullmatch(question):
        return phrase("hello" if _HELLO.fullmatch(question) else "welcome", zh)
    if _LOOK_BACK.search(question):
        return None
    if _COST.search(question):
        return phrase("price", zh, price=prices) if (prices := _prices(scene)) else _no_price(question, zh)
    if _SAY.search(question):
        return tell_text(scene, zh)
    if _NEEDS_MIND.search(question) or _RELATION.search(question) or _SECONDS_AGO.search(question):
        return None
    if _SINCE.search(question):
        return phrase("watching_for", zh, ago=lasting(t - (t if scene.began is None else scene.began), zh))
    if _SMILE.search(question):
        return _smile(scene, zh)
    found = find_target(question)
    if found is None:
        return describe(scene, zh) if _SEE.search(question) else None
    return _about(question, found[0], scene, t, zh)


def _about(question: str, target: Target, scene: Scene, t: float, zh: bool) -> str | None:
    if _STAY.search(question):
        return _stay(target, scene, t, zh)
    if _AGO.search(question) or _PAST.search(question):
        return _ago(target, scene, t, zh)
    if scene.now is None:
        return phrase("blind", zh)
    if many := _MANY.search(question):
        if _BEFORE.search(question):
            return None
        return tell_count(scene, target, zh) if zh or _near(question[many.end() :], target) else None
    if _WHERE.search(question):
        return _where(target, scene, t, zh)
    if _THERE.search(question):
        count = steady_count(scene, target)
        return (
            phrase("yes_there", zh, what=named(target, count, zh))
            if count
            else phrase("none_there", zh, what=named(target, 0, zh))
        )
    return describe(scene, zh) if _SEE.search(question) else None


def _no_price(question: str, zh: bool) -> str | None:
    """None in the picture: of a thing that the question names, the memory may know it."""
    return None if _NAMES_A_THING.search(question) else phrase("no_price", zh)


def _near(rest: str, target: Target) -> bool:
    """Whether "how many" asks for the target itself: "how many bones does an adult have" does not ask for adults."""
    found = find_target(" ".join(rest.split()[:3]))
    return found is not None and found[0] == target


def _prices(scene: Scene) -> str:
    return ", ".join(dict.fromkeys(found.group() for entry in scene.board.visible for found in PRICE.finditer(entry.text)))


def _smile(scene: Scene, zh: bool) -> str:
    if not scene.now or not scene.now.faces:
        return phrase("no_face", zh)
    return phrase("happy" if scene.now.expressions.get("happy", 0.0) >= 0.6 else "no_smile", zh)


def _stay(target: Target, scene: Scene, t: float, zh: bool) -> str:
    seen = scene.last_seen(target.labels)
    if seen is None or t - seen.last >= 1.5:
        return _ago(target, scene, t, zh)
    what = named(target, 1, zh)
    return phrase("stays", zh, what=what, What=capital(what), ago=lasting(t - seen.stay, zh))


def _ago(target: Target, scene: Scene, t: float, zh: bool) -> str:
    what, seen = named(target, 1, zh), scene.last_seen(target.labels)
    if seen is None:
        return phrase("never", zh, what=what)
    if t - seen.last < 1.5:
        return phrase("now", zh, what=what, What=capital(what))
    return phrase("ago", zh, what=what, ago=lasting(t - seen.last, zh))


def _where(target: Target, scene: Scene, t: float, zh: bool) -> str:
    levels = scene.levels(target.labels, 0.0)
    if not levels or not levels[-1].boxes:
        return _ago(target, scene, t, zh)
    best = max(levels[-1].boxes, key=lambda box: box.score)
    what = named(target, 1, zh)
    return phrase("where", zh, what=what, What=capital(what), place=place(*best.centre, zh))
