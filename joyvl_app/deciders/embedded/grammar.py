"""Instructions → specifications. A clause is read by the first reader that knows its kind; what none knows is Unknown."""

from __future__ import annotations

import re
from collections.abc import Callable

from joyvl_app.deciders.embedded.clauses import clauses
from joyvl_app.deciders.embedded.durations import find_duration, number
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
from joyvl_app.deciders.embedded.words import Target, find_target, is_chinese

MAX_CLAUSES = 24
PERSON = Target(("person",), "person")

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
_ZH_WORDING = re.compile(
    r"(?:出现|写着|显示)\s*([\w$%¥]+?)\s*(?:字样|这个词|两个字|几个字)|(?:单词|文字|字样)\s*([\w$%¥]+)"
    r"|(?:屏幕|画面)上?\s*(?:出现|显示|写着)\s*([A-Za-z0-9$%¥]+)"
)
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
_SAY_FIRST = re.compile(r"(?:say|announce)\s*:?\s*[\"“'](.{1,120}?)[\"”']\s+(?=when|whenever|if|once|as soon)", re.I)
_EMPTY = re.compile(
    r"\b(nobody|no one|no-one|everyone (?:has |is )?(?:left|gone|leaves)|everybody (?:has |is )?(?:left|gone|leaves))\b"
    r"|\b(?:room|house|shop|store|office|place|scene|frame|hall|picture)\b.*\bempty\b|没有?人|空无一人|都走",
    re.I,
)
_NONE_OF = re.compile(r"\b(?:no|no more)\s+(?=\w)|没有(?=[^\s])", re.I)
_NEGATED = re.compile(r"(?:do not|don't|never|stop|no longer|no need|别再?|不要|不用|不必|停止)(?=\b|[一-鿿])", re.I)
_NOT_SMILING = re.compile(r"\b(stops?|stopped|nobody|no one|no longer|not|isn't|without)\b|不笑|没笑|不再", re.I)
_BOUND = re.compile(r"\b(below|under|above|over|less than|more than|exceeds?|reaches)\b\s*\D{0,3}\d|低于|高于|超过|不到", re.I)
_EXACTLY = re.compile(
    r"\b(exactly|only|just|fewer than|less than|at most)\s+(\d+|one|two|three|four|five)\b|刚好|恰好|正好|少于|不到", re.I
)
_BOTH = re.compile(r"\b(?:or|and)\b|或|和", re.I)
_ARRIVE = re.compile(r"\b(com(?:e|es)|enters?|arrives?|appears?|shows? up)\b|进来|来了?|出现|进", re.I)
_OR = re.compile(r"\s*(?:,|/|\bor\b|\band\b|或者?|和|与|、)\s*(?:a\s|an\s|any\s|the\s)?\s*", re.I)
_COUNTED = r"(\d+|two|three|four|five|six|ten|[两二三四五六七八九十])"
_AT_LEAST = re.compile(
    rf"\b(?:more than|over|at least|there are|see)\s+{_COUNTED}\b|\b{_COUNTED}\s+or more\b"
    rf"|(?:超过|多于|至少|有)\s*{_COUNTED}(?=个|位|只|辆|人)",
    re.I,
)
_MORE_THAN = re.compile(r"more than|over|超过|多于", re.I)
_STOP = re.compile(r"(?:stop|cancel|停|停止)(?: watching| everything)?", re.I)
_QUESTION = re.compile(r"[??]\s*$|^\s*(what|who|where|how|is there|are there|which|why)\b|[吗呢]\s*$", re.I)


def parse_instruction(text: str) -> tuple[Spec, ...]:
    """All specifications of an instruction, in order, without repeats; at most 24 clauses are read."""
    specs: dict[Spec, None] = {}
    for clause in clauses(text)[:MAX_CLAUSES]:
        if _STOP.fullmatch(clause):
            specs.clear()  # "stop" takes back what stands before it
        else:
            specs.update(dict.fromkeys(_read_whole(clause)))
    return tuple(specs)


def _read_whole(clause: str) -> list[Spec]:
    """A clause may ask for two things of one kind: "count people and cars", "when someone comes in or leaves"."""
    spec = _read_clause(clause)
    if isinstance(spec, Count):
        return [spec, *_more_counts(clause, spec)]
    if isinstance(spec, Leave) and not spec.empty and _BOTH.search(clause) and _ARRIVE.search(clause):
        return [Appear(spec.target, zh=spec.zh), spec]
    return [spec]


def _more_counts(clause: str, spec: Count) -> list[Count]:
    found = find_target(clause)
    end = found[2] if found else len(clause)
    more: list[Count] = []
    while (joint := _OR.match(clause[end:])) and (found := find_target(clause[end + joint.end() :])) and found[1] <= 6:
        more.append(Count(found[0], spec.initial, spec.zh))
        end += joint.end() + found[2]
    return more


def _read_clause(clause: str) -> Spec:
    zh = is_chinese(clause)
    for reader in _READERS:
        if (spec := reader(clause, zh)) is not None:
            return spec
    return Ask(clause, zh) if _QUESTION.search(clause) else Unknown(clause, zh=zh)


def _negated(clause: str, zh: bool) -> Spec | None:
    """What it should not do can only be taken out of the instruction: never do its opposite."""
    return Unknown(clause, "negative", zh) if _NEGATED.match(clause) else None


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
        return Unknown(clause, "action", zh) if _BOUND.search(clause) else Spot("", zh)
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
    if _NOT_SMILING.search(clause) and (_HAPPY.search(clause) or _SURPRISE.search(clause)):
        return Unknown(clause, "action", zh)
    if _OTHER_FACE.search(clause) and not _HAPPY.search(clause) and not _SURPRISE.search(clause):
        return Unknown(clause, "expression", zh)
    if _HAPPY.search(clause):
        return Express("happy", zh)
    return Express("surprise", zh) if _SURPRISE.search(clause) else None


def _leave(clause: str, zh: bool) -> Spec | None:
    if _QUESTION.search(clause):
        return None
    if _EMPTY.search(clause) and _ALERT.search(clause):
        found = find_target(_EMPTY.sub(" ", clause))
        return Leave(found[0] if found and found[0].name != "person" else PERSON, empty=True, zh=zh)
    if (
        (none := _NONE_OF.search(clause))
        and _ALERT.search(clause)
        and (found := find_target(clause[none.end() :]))
        and found[1] <= 4
    ):
        return Leave(found[0], empty=True, zh=zh)
    found = find_target(clause)
    return Leave(found[0], zh=zh) if found and _LEAVE.search(clause) else None


def _announce(clause: str, zh: bool) -> Spec | None:
    """What to say is given in quotes: "when you see a cat, say 'hello'", "say 'hello' when you see a cat"."""
    wanted = _SAY_FIRST.match(clause) or _SAY.search(clause)
    if not wanted:
        return None
    condition = clause[wanted.end() :] if wanted.re is _SAY_FIRST else clause[: wanted.start()]
    found = find_target(condition)
    return Appear(found[0], _first(wanted.groups()), zh=zh) if found else None


def _appear(clause: str, zh: bool) -> Spec | None:
    if not _ALERT.search(clause) or _QUESTION.search(clause):
        return None
    found = find_target(clause)
    if not found:
        return Unknown(clause, "thing", zh)
    if _EXACTLY.search(clause):
        return Unknown(clause, "action", zh)
    target, end = _alternatives(clause, found[0], found[2])
    rest = clause[end:]
    doing = _ZH_DOING.search(clause) if zh else (_IS_DOING.match(rest) or not _APPEAR_VERB.match(rest))
    if doing and target.name not in ("flame", "motion"):
        return Unknown(clause, "action", zh)
    return Appear(target, least=_least(clause), urgent=target.name == "flame", zh=zh)


def _alternatives(clause: str, target: Target, end: int) -> tuple[Target, int]:
    """ "a dog or a cat": any of them will do."""
    while more := _OR.match(clause[end:]):
        found = find_target(clause[end + more.end() :])
        if not found or found[1] > 6:
            break
        target = Target((*target.labels, *found[0].labels), f"{target.name} or {found[0].name}")
        end += more.end() + found[2]
    return target, end


def _least(clause: str) -> int:
    """ "more than 3" is 4 at least, "at least 3" is 3."""
    if not (found := _AT_LEAST.search(clause)):
        return 1
    least = int(number(_first(found.groups())))
    return min(99, max(1, least + bool(_MORE_THAN.search(found.group()))))


def _first(groups: tuple[str | None, ...]) -> str:
    """The one group of an alternation that matched."""
    return next(group for group in groups if group).strip()


_READERS: tuple[Callable[[str, bool], Spec | None], ...] = (
    _negated,
    _timer,
    _count,
    _slides,
    _announce,
    _wording,
    _read,
    _greet,
    _expression,
    _leave,
    _appear,
)
