"""What a typed or spoken sentence is: a command, a standing instruction, or something to answer. Decided here alone."""

from __future__ import annotations

import re
from enum import Enum

from joyvl_app.plain import plain


class Intent(Enum):
    STOP = "stop"  # end every standing instruction and stop speaking
    QUIET = "quiet"  # stop speaking, go on watching
    REPEAT = "repeat"  # say the last sentence again
    CONTINUE = "continue"  # say what an interruption left unsaid
    LOUDER, SOFTER = "louder", "softer"
    FASTER, SLOWER = "faster", "slower"
    LESS, MORE = "less", "more"  # speak less, or more often
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
# Commands about the voice: the whole sentence, with the politeness that goes before and after it left out.
_POLITE = re.compile(
    r"^(?:(?:ok|okay|please|hey|now|could you|can you|would you|a bit|请|麻烦|你|再)[\s,，]*)+"
    r"|(?:[\s,，]*(?:please|now|thanks?|thank you|for me|一点|一些|点|吧|吗))+[\s.!?。！？]*$|[\s.!?。！？]+$",
    re.I,
)
_VOICE = {
    Intent.REPEAT: r"(?:repeat|say)(?: (?:that|it|this))?(?: again| once more)?|(?:what did you say|pardon|come again|once more)"
    r"|说一遍|说一次|重复(?:一遍|一次|一下)?|你?(?:刚才|刚刚)说(?:的|了)?什么|没听清",
    Intent.CONTINUE: r"(?:go on|continue|carry on|keep (?:going|talking)|finish your sentence|you were saying)"
    r"|继续(?:说)?|接着说|说下去",
    Intent.LOUDER: r"(?:(?:speak|talk|be|say it) )?(?:a (?:bit|little) )?louder|(?:speak|turn it) up|大声|声音大|响",
    Intent.SOFTER: r"(?:(?:speak|talk|be|say it) )?(?:a (?:bit|little) )?(?:softer|quieter|lower)|turn it down|小声|声音小|轻",
    Intent.FASTER: r"(?:(?:speak|talk) )?(?:a (?:bit|little) )?faster|说?快",
    Intent.SLOWER: r"(?:(?:speak|talk) )?(?:a (?:bit|little) )?(?:slower|more slowly)|说?慢",
    Intent.LESS: r"(?:(?:speak|talk|say something|comment) )?(?:a (?:bit|little) )?less(?: often)?"
    r"|(?:you )?(?:talk|speak) too much|少说(?:话)?|话太多(?:了)?",
    Intent.MORE: r"(?:(?:speak|talk|say something|comment) )?(?:a (?:bit|little) )?more often|(?:speak|talk) more"
    r"|多说(?:话)?",
}
_VOICE_COMMANDS = {intent: re.compile(pattern, re.I) for intent, pattern in _VOICE.items()}
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
    if command := _about_the_voice(text):
        return command
    rest = without_also(text)
    asked = bool(_QUESTION.search(_CAN_YOU.sub("", rest)))
    if not asked and not _ABOUT_IT.search(rest) and (_STANDING.search(rest) or _WISH.search(rest)):
        return Intent.REPLACE if rest == text else Intent.APPEND
    return Intent.ASK


def without_also(text: str) -> str:
    """The sentence without a leading "also"."""
    mark = _ALSO.match(text)
    return (text[mark.end() :] if mark else text).strip()


def _about_the_voice(text: str) -> Intent | None:
    plea = _POLITE.sub("", _POLITE.sub("", text))
    return next((intent for intent, pattern in _VOICE_COMMANDS.items() if pattern.fullmatch(plea)), None)
