"""Instructions → specifications. A clause is read by the first reader that knows its kind; what none knows is Unknown."""

from __future__ import annotations

import re
from collections.abc import Callable

from joyvl_app.deciders.embedded.durations import find_duration
from joyvl_app.deciders.embedded.specs import (
    Appear,
    Ask,
    Count,
    Express,
    Greet,
    Leave,
    Read,
    Slides,
    Spec,
    Spot,
    Timer,
    Unknown,
)
from joyvl_app.deciders.embedded.words import find_target, is_chinese
from joyvl_app.plain import plain

MAX_CLAUSES = 24

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|[\n;。!]+|(?<=[?])")
_VERB = (
    r"(?:please\s+)?(?:tell|let me know|alert|warn|notify|count|read|greet|say|comment|announce|remind|describe|report|watch|"
    r"whenever|when|if|every|in \d|welcome|keep)\b"
)
_JOINED = re.compile(rf"\s*,?\s+(?:and|then|also|and also|and then)\s+(?={_VERB})|,\s+(?={_VERB})", re.I)
_ZH_VERB = r"(?:如果|要是|一旦|每|提醒我|告诉我|数|统计|朗读|念|读出|有人.{0,6}(?:就|时)|看到|打招呼|欢迎)"
_ZH_JOINED = re.compile(rf"[,,、]?(?:并且|同时|然后|另外|还有|还要|并)(?={_ZH_VERB})|[,,](?=(?:如果|每|统计|朗读|数))")
_EDGES = re.compile(r"^[\s,.。!]+|[\s,.。!]+$")
_POLITE = re.compile(
    r"^\s*(?:(?:please|also|and|then|hey|ok|can you|could you|would you|i want you to|i'd like you to|you should)[\s,]+)+"
    r"|^\s*(?:请|帮我|麻烦你?|你)+",
    re.I,
)
_QUOTED = re.compile(r"[\"“”「『']([^\"“”」』']{1,60})[\"“”」』']")

_NUMBER = re.compile(
    r"\b(count|counting|how many|number of|tally|head ?count)\b|数一?数|计数|统计|多少|几个|几位|人数|数量", re.I
)
_CHANGES = re.compile(r"\b(changes?|different)\b|变化|改变", re.I)
_SLIDE = re.compile(r"\b(slides?|scenes?|pages?|shots?|chapters?)\b|幻灯片|页|场景|镜头|ppt", re.I)
_NEW = re.compile(r"\b(new|each|every|next|changes?|comment|summari[sz]e|describe|announce)\b|新|每|换|点评|解说|切换", re.I)
_READ = re.compile(r"\bread(ing)?\b|朗读|念|读", re.I)
_PRICE = re.compile(r"\b(prices?|costs?|discounts?)\b|价格|价钱|多少钱|价", re.I)
_WORDING = re.compile(
    r"\b(?i:words?|text|phrase|title|sign)\s+(?!(?i:that|which|on|appears?|is|changes?|in)\b)"
    r"([\w$%€£¥.-]+(?:\s+[A-Z0-9][\w-]*)*)"
)
_SAYS = re.compile(r"\b(?:says|saying|reads|displays|shows)\s+([A-Z0-9$€£¥%][\w$%€£¥.-]*(?:\s+[A-Z0-9][\w-]*)*)")
_ZH_WORDING = re.compile(r"(?:出现|写着|显示)\s*([\w$%¥]+?)\s*(?:字样|这个词|两个字|几个字)|(?:单词|文字|字样)\s*([\w$%¥]+)")
_ON_SCREEN = re.compile(r"\b(word|words|text|phrase|says|saying|screen|title|written|appears?)\b|字|文字|屏幕|出现|写着", re.I)
_GREET = re.compile(r"\b(greet|say (hello|hi|good)|welcome)\b|打招呼|问候|欢迎|问好", re.I)
_HAPPY = re.compile(r"\b(smil\w*|laugh\w*|happy|cheerful|grin\w*)\b|微笑|笑|开心|高兴", re.I)
_SURPRISE = re.compile(r"\bsurpris\w*|astonish\w*|shocked\b|惊讶|吃惊|惊喜", re.I)
_OTHER_FACE = re.compile(r"\b(sad|angry|anger|fear|afraid|disgust\w*|bored|tired|confused|crying|cries|cry|"
                         r"expression|emotion|mood)\b|难过|伤心|生气|愤怒|害怕|哭|疲惫|困惑|表情|情绪", re.I)  # fmt: skip
_LEAVE = re.compile(r"\b(leav\w+|left|goes? away|gone|go(es)? out|disappear\w*|exits?|walks? (out|away)|vanish\w*|"
                    r"removed|taken)\b|离开|走了|走开|消失|不见|离场|被拿走|出去", re.I)  # fmt: skip
_ALERT = re.compile(
    r"\b(tell|alert|warn|notify|let me know|say|announce|watch|look|detect|spot|when|whenever|if|once|monitor|inform|remind|"
    r"ring|shout|see|report|keep an eye|beware)\b|告诉|提醒|通知|警告|报警|看到|发现|出现|如果|要是|当|有|注意|盯|监视|说一声|喊",
    re.I,
)
_APPEAR_VERB = re.compile(
    r"^\W*(?:(?:first|again|suddenly|ever|just|really)\s+)*(?:$|appear|com(?:e|es|ing)\b|enter|arriv|show|turn(?:s)? up|walk|"
    r"pass|step|get|visit|join|return|is\b|are\b|'s\b|be\b|present|visible|detected|starts?\b|breaks? out|in\b|on\b|at\b|"
    r"near\b|or\b|and\b|to appear|there\b|here\b|outside|inside|approach|move|drives? (?:in|up|by|past)|stops? by)",
    re.I,
)
_IS_DOING = re.compile(r"^\W*(?:is|are|'s)\s+(?!in\b|here|there|present|visible|at\b|on\b|near|detected|seen|home|back|coming|"
                       r"entering|arriving|around|inside|outside|passing|approaching|moving|joining|not\b)\w+", re.I)  # fmt: skip
_ZH_DOING = re.compile(r"跌倒|摔倒|打架|睡着|吸烟|抽烟|打电话|偷|奔跑|跳舞|举手|挥手")
_SAY = re.compile(
    r"\b(?:say|announce)\s*:?\s*[\"“'](.{1,120}?)[\"”'](?=\W*$)|说[::]?\s*[\"“「'](.{1,120}?)[\"”」'](?=\W*$)", re.I
)
_STOP = re.compile(r"(?:stop|cancel|停|停止)(?: watching| everything)?", re.I)
_QUESTION = re.compile(r"[??]\s*$|^\s*(what|who|where|how|is there|are there|which|why)\b|[吗呢]\s*$", re.I)


def parse_instruction(text: str) -> tuple[Spec, ...]:
    """All specifications of an instruction, in order, without repeats; at most 24 clauses are read."""
    specs: dict[Spec, None] = {}
    for clause in _clauses(plain(text))[:MAX_CLAUSES]:
        if _STOP.fullmatch(clause):
            specs.clear()  # "stop" takes back what stands before it
        else:
            specs.setdefault(_read_clause(clause), None)
    return tuple(specs)


def _clauses(text: str) -> list[str]:
    parts = [part for sentence in _SENTENCE.split(text) for part in _JOINED.split(sentence)]
    parts = [piece for part in parts for piece in (_ZH_JOINED.split(part) if is_chinese(part) else [part])]
    stripped = (_POLITE.sub("", _EDGES.sub("", part)).strip() for part in parts)
    return [part for part in stripped if re.search(r"\w", part)]


def _read_clause(clause: str) -> Spec:
    zh = is_chinese(clause)
    for reader in _READERS:
        if (spec := reader(clause, zh)) is not None:
            return spec
    return Ask(clause, zh) if _QUESTION.search(clause) else Unknown(clause, zh=zh)


def _timer(clause: str, zh: bool) -> Spec | None:
    duration = find_duration(clause)
    if duration is None:
        return None
    found = find_target(duration.rest)
    if _NUMBER.search(duration.rest) and found:
        return Timer(duration.seconds, duration.repeat, report="count", target=found[0], zh=zh)
    if re.search(r"\b(what|describe|report|summar\w+|happening|see)\b|看到|描述|报告|情况|总结", duration.rest, re.I):
        return Timer(duration.seconds, duration.repeat, report="scene", zh=zh)
    if _READ.search(duration.rest):
        return Timer(duration.seconds, duration.repeat, report="text", zh=zh)
    return Timer(duration.seconds, duration.repeat, say=_reminder(duration.rest, zh), zh=zh)


def _reminder(rest: str, zh: bool) -> str:
    lead = r"^\s*(?:remind (?:me|us)|tell (?:me|us)|say|let me know|alert me|announce)\s*(?:to|that|about|it's|of)?\s*"
    text = re.sub(lead, "", rest, flags=re.I)
    text = re.sub(r"^\s*(?:请)?(?:提醒我?|告诉我?|叫我?|说)(?:一下|一声)?[,,:]?\s*", "", text).strip(" '\"“”.。")
    return text


def _count(clause: str, zh: bool) -> Spec | None:
    if not _NUMBER.search(clause) or _QUESTION.search(clause):
        return None
    found = find_target(_NUMBER.sub(" ", clause) if not zh else clause)
    return Count(found[0], initial=not _CHANGES.search(clause), zh=zh) if found else Unknown(clause, "thing", zh)


def _slides(clause: str, zh: bool) -> Spec | None:
    return Slides(zh) if _SLIDE.search(clause) and _NEW.search(clause) else None


def _wording(clause: str, zh: bool) -> Spec | None:
    """A price, or a wording that is quoted, named as a word, or written in capitals after "says"."""
    if _PRICE.search(clause) and not _QUESTION.search(clause):
        return Spot("", zh)
    quoted = _QUOTED.search(clause)
    if quoted and _ON_SCREEN.search(clause) and not _READ.search(clause):
        return Spot(quoted.group(1).strip(), zh)
    if found := _ZH_WORDING.search(clause) if zh else (_WORDING.search(clause) or _SAYS.search(clause)):
        return Spot(_first(found.groups()), zh) if _ALERT.search(clause) else None
    return None


def _read(clause: str, zh: bool) -> Spec | None:
    return Read(zh) if _READ.search(clause) and not _QUESTION.search(clause) else None


def _greet(clause: str, zh: bool) -> Spec | None:
    return Greet(zh) if _GREET.search(clause) else None


def _expression(clause: str, zh: bool) -> Spec | None:
    if _OTHER_FACE.search(clause) and not _HAPPY.search(clause) and not _SURPRISE.search(clause):
        return Unknown(clause, "expression", zh)
    if _HAPPY.search(clause):
        return Express("happy", zh)
    return Express("surprise", zh) if _SURPRISE.search(clause) else None


def _leave(clause: str, zh: bool) -> Spec | None:
    found = find_target(clause)
    return Leave(found[0], zh) if found and _LEAVE.search(clause) and not _QUESTION.search(clause) else None


def _appear(clause: str, zh: bool) -> Spec | None:
    found = find_target(clause)
    if not found or not _ALERT.search(clause) or _QUESTION.search(clause):
        return Unknown(clause, "thing", zh) if _ALERT.search(clause) and not _QUESTION.search(clause) else None
    target, _, end = found
    rest = clause[end:]
    doing = _ZH_DOING.search(clause) if zh else (_IS_DOING.match(rest) or not _APPEAR_VERB.match(rest))
    wanted = _SAY.search(rest)
    if doing and not wanted and target.name not in ("flame", "motion"):
        return Unknown(clause, "action", zh)
    return Appear(target, _first(wanted.groups()) if wanted else "", urgent=target.name == "flame", zh=zh)


def _first(groups: tuple[str | None, ...]) -> str:
    """The one group of an alternation that matched."""
    return next(group for group in groups if group).strip()


_READERS: tuple[Callable[[str, bool], Spec | None], ...] = (
    _timer,
    _count,
    _slides,
    _wording,
    _read,
    _greet,
    _expression,
    _leave,
    _appear,
)
