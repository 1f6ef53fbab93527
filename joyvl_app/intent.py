"""What a typed or spoken sentence is: a command, a standing instruction, or something to answer. Decided here alone."""

from __future__ import annotations

import re
from enum import Enum

from joyvl_app.plain import plain


class Intent(Enum):
    STOP = "stop"  # end every standing instruction and stop speaking
    QUIET = "quiet"  # stop speaking, go on watching
    REPLACE = "replace"  # a new standing instruction
    APPEND = "append"  # one more standing instruction
    ASK = "ask"  # a question or remark for the decider


_STOP = re.compile(
    r"(?:(?:ok|okay|please|hey|now)[\s,]+)*(?:stop(?: watching| it| that| everything| counting| reading)?|"
    r"cancel(?: that| it| everything)?|"
    r"never ?mind|停|停止|停下|停一下|停下来|别看了|取消|不用了|不用提醒了|算了)(?:[\s,]+(?:please|now|thanks?))*[\s.!。]*",
    re.I,
)
_QUIET = re.compile(r"(please\s+)?(be quiet|quiet|hush|silence|shut up|stop talking|安静|别说了|闭嘴|不要说话)[\s.!。!]*", re.I)
_ALSO = re.compile(r"\s*(and\s+)?(also|additionally|in addition|and)\b[\s,:]*|\s*(还有|另外|同时|并且|也)[\s,,:]*", re.I)
_STANDING = re.compile(
    r"^\s*(please\s+|can you\s+|could you\s+)?"
    r"(tell me (when|whenever|if|once|as soon|every|in \d|after)|let me know (when|whenever|if|once)|"
    r"alert|warn|notify|watch (for|out)|whenever|when |if |every |in \d|in (a|an|one|two|three|five|ten|half) |after \d|remind|"
    r"announce|do not |don't |"
    r"count |keep (count|counting|an eye)|read (out|aloud|any|every|all|the|it|what)|comment|describe (each|every)|"
    r"greet|say (hello|hi)|welcome|look out|monitor)"
    r"|^\s*(请|帮我|麻烦)*\s*(如果|要是|一旦|当|每|提醒|告诉我.*(时|的时候|出现)|通知|数|计数|统计|朗读|念|读出|读一下|点评|解说|"
    r"打招呼|欢迎|问候|看到.*(就|时|告诉|提醒)|有.*(就|时).*(告诉|提醒|叫|喊)|\d+\s*(秒|分钟|小时)后)",
    re.I,
)
# A wish with a condition, wherever it stands: "say something when I laugh", "人数变化时告诉我", "十分钟后提醒我".
_WISH = re.compile(
    r"\b(?:tell|let me know|alert|warn|notify|say|announce|watch|summari[sz]e|describe)\b.*"
    r"\b(?:when|whenever|if|once|each (?:time|new|slide|scene)|every (?:time|new|slide|scene|\w+ (?:seconds?|minutes?|hours?)))\b"
    r"|(?:时|的时候|如果|一旦|每|后|过|变化|新的).*(?:告诉|提醒|通知|警告|叫我)",
    re.I,
)
_ABOUT_IT = re.compile(r"告诉我(?:现在|画面|你)|\b(?:don't|do not) (?:worry|mind|know|think)\b", re.I)
_CAN_YOU = re.compile(
    r"^\s*(?:can|could|would|will) you (?:please )?(?=tell|alert|warn|let|remind|count|read|greet|watch)(.*?)\?*\s*$",
    re.I,
)
_QUESTION = re.compile(
    r"[??]\s*$|^\s*(what|who|where|how|is|are|was|did|do|does|which|why|when (?:did|was|were|is|are|do|does))\b|[吗呢么]\s*$",
    re.I,
)


def classify(text: str) -> Intent:
    """The intent of one sentence. `also …` appends only when what follows is itself a standing instruction."""
    text = plain(text).strip()
    if _STOP.fullmatch(text):
        return Intent.STOP
    if _QUIET.fullmatch(text):
        return Intent.QUIET
    rest = without_also(text)
    asked = bool(_QUESTION.search(_CAN_YOU.sub("", rest)))
    if not asked and not _ABOUT_IT.search(rest) and (_STANDING.search(rest) or _WISH.search(rest)):
        return Intent.REPLACE if rest == text else Intent.APPEND
    return Intent.ASK


def without_also(text: str) -> str:
    """The sentence without a leading "also"."""
    mark = _ALSO.match(text)
    return (text[mark.end() :] if mark else text).strip()
