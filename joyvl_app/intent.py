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
    TELL = "tell"  # yes, tell the answer that was offered
    ASK = "ask"  # a question or remark for the decider


# Politeness and impatience around a command are left out before it is looked at.
_AROUND = re.compile(
    r"^(?:(?:(?:ok|okay|alright|all right|please|hey|now|no|just|a bit|(?:could|can|would|will) you|you can)\b|"
    r"请|麻烦|你|再(?=说)|好了|快(?=停|别)|能|可以)[\s,]*)+"
    r"|(?:[\s,]*(?:(?:please|now|thanks?|thank you|for me|for a (?:minute|moment|while))\b"
    r"|一点|一些|一下|一会儿?|点|吧|吗|好吗|楚?了))+[\s.!?。！]*$"
    r"|[\s.!?。！]+$",
    re.I,
)
_STOP = re.compile(
    r"stop(?: watching| it| that| everything| counting| reading)?(?:[\s,]+stop)*|cancel(?: that| it| everything)?|never ?mind|"
    r"that's enough|(?:停|停止|停下|停一下|停一停|停下来|别看|取消|不用|不用提醒|别再提醒我?|不要(?:再)?提醒我?|算)(?:[\s,]*停)*",
    re.I,
)
_QUIET = re.compile(
    r"(?:be |keep |stay )?quiet|hush|(?:be )?silen(?:ce|t)|shut up|stop (?:talking|speaking)"
    r"|(?:保持)?安静|别说(?:话)?|闭嘴|不要(?:再)?说(?:话)?|停止说话",
    re.I,
)
# Commands about the voice: the whole sentence.
_VOICE = {
    Intent.REPEAT: r"(?:repeat|say)(?: (?:that|it|this))?(?: again| once more)|repeat(?: (?:that|it|this))?"
    r"|(?:what did you (?:just )?say|pardon(?: me)?|come again|once more)"
    r"|说一遍|说一次|重复(?:一遍|一次|一下)?|你?(?:刚才|刚刚)说(?:的|了)?什么|没听清楚?",
    Intent.CONTINUE: r"(?:go on|continue|carry on|keep (?:going|talking)|finish your sentence|you were saying)"
    r"|继续(?:说)?|接着说|说下去",
    Intent.LOUDER: r"(?:(?:speak|talk|be|say it) )?(?:a (?:bit|little) )?louder"
    r"|speak up|turn (?:it |the volume )?up(?: the volume)?"
    r"|大声|声音大|响",
    Intent.SOFTER: r"(?:(?:speak|talk|be|say it) )?(?:a (?:bit|little) )?(?:softer|quieter|lower)"
    r"|turn (?:it |the volume )?down(?: the volume)?"
    r"|小声|声音小|轻",
    Intent.FASTER: r"(?:(?:speak|talk) )?(?:a (?:bit|little) )?faster|说?快",
    Intent.SLOWER: r"(?:(?:speak|talk) )?(?:a (?:bit|little) )?(?:slower|more slowly)|slow down|说?慢",
    Intent.LESS: r"(?:(?:speak|talk|say something|comment) )?(?:a (?:bit|little) )?less(?: often)?"
    r"|(?:you )?(?:talk|speak) too much|少说(?:话)?|话太多(?:了)?",
    Intent.MORE: r"(?:(?:speak|talk|say something|comment) )?(?:a (?:bit|little) )?more often|(?:speak|talk) more"
    r"|多说(?:话)?",
}
_VOICE_COMMANDS = {intent: re.compile(pattern, re.I) for intent, pattern in _VOICE.items()}
_YES = re.compile(
    r"(?:(?:yes|yeah|yep|sure|ok|okay|please|go ahead|go on|do|tell me|let's hear it|what is it|what did you find)"
    r"(?: please)?[\s,.!?]*){1,3}"
    r"|(?:好的?|要|行|可以|请?说吧?|请讲|告诉我|是的|嗯)[\s,。，！？]*(?:告诉我|说吧)?[。！]?",
    re.I,
)
_ALSO = re.compile(r"\s*(and\s+)?(also|additionally|in addition|and)\b[\s,:]*|\s*(还有|另外|同时|并且|也)[\s,,:]*", re.I)
# What it can be asked to do, and when: a condition alone ("when I was young") asks for nothing.
_DO = (
    r"(?:tell|let me know|alert|warn|notify|say|announce|shout|call|remind|greet|count|read|describe|comment|summari[sz]e|report|"
    r"speak|talk|watch|look|show|point|ask|ignore|stop|wake|beep)\b"
)
_STANDING = re.compile(
    r"^\s*(please\s+|can you\s+|could you\s+)?"
    r"(?:tell me (?:when|whenever|if|once|as soon|every|in \d|after)\b|let me know (?:when|whenever|if|once)\b|"
    r"(?:alert|warn|notify|remind|monitor(?! is| was)|announce|greet)\b(?! signs?\b)|watch (?:for|out)\b|look out\b|"
    rf"(?:when|whenever|if|every|in (?:\d+|an?|one|two|three|five|ten|half)|after \d+)\b(?! you say so).*?"
    rf"(?<!\bi ){_DO}|"
    rf"(?:do not|don't)\b (?:ever )?{_DO}(?<!stop)(?! (?:my|like|him|her|them|so|that))|"
    r"count (?!me\b|on\b)|keep (?:count|counting|an eye)\b|read (?:out|aloud|any|every|all|the|it|what)\b|"
    r"comment\b|describe (?:each|every)\b|"
    r"say (?:hello|hi)\b|welcome (?:every|each|people|guests|visitors|who))"
    r"|^\s*(请|帮我|麻烦)*\s*(如果(?!.*(?:怎么办|吗$))|要是(?!我)|一旦|当(?!然|时)|每(?!天都|个人都|次都).*(?:告诉|提醒|报|说|念|数|点评|解说|通知|叫)|提醒|"
    r"告诉我.*(时|的时候|出现)|通知(?!.*(?:什么时候|吗))|数(?!学|字|据|量)|计数|统计|朗读|念(?!书)|读出|读一下|点评|解说|"
    r"打招呼|欢迎(?!光临|回来|你)|问候|看到.*(就|时|告诉|提醒)|有(?!时).*(就|时).*(告诉|提醒|叫|喊)|\d+\s*(秒|分钟|小时)后)",
    re.I,
)
# A wish with a condition, wherever it stands: "say something when I laugh", "人数变化时告诉我", "十分钟后提醒我".
_WISH = re.compile(
    r"^(?!.*\b(?:i|we|they|he|she|you|who)(?:'ll|'d| can't| cannot| can| will| would| watch| say| tell| describe)\b)"
    r".*\b(?:tell|let me know|alert|warn|notify|say|announce|watch|summari[sz]e|describe)\b.*"
    r"\b(?:when|whenever|if|once|each (?:time|new|slide|scene)|every (?:time|new|slide|scene|\w+ (?:seconds?|minutes?|hours?)))\b"
    r"|^(?!我|他|她|你会|有时).*(?:时|的时候|如果|一旦|每|后|过|变化|新的).*(?:告诉|提醒|通知|警告|叫我)",
    re.I,
)
_ABOUT_IT = re.compile(r"告诉我(?:现在|画面|你)|\b(?:don't|do not) (?:worry|mind|know|think)\b", re.I)
_CAN_YOU = re.compile(
    r"^\s*(?:can|could|would|will) you (?:please )?(?=tell|alert|warn|let|remind|count|read|greet|watch)(.*?)\?*\s*$",
    re.I,
)
_QUESTION = re.compile(
    r"[??]\s*$|[吗呢么]\s*$"
    r"|^\s*(what|who|where|how|is|are|was|did|do(?! not)|does|which|why|when (?:did|was|were|is|are|do|does))\b",
    re.I,
)


def classify(text: str) -> Intent:
    """The intent of one sentence. `also …` appends only when what follows is itself a standing instruction."""
    text = plain(text).strip()
    if command := _command(_AROUND.sub("", _AROUND.sub("", text))):
        return command
    rest = without_also(text)
    asked = bool(_QUESTION.search(_CAN_YOU.sub("", rest)))
    if not asked and not _ABOUT_IT.search(rest) and (_STANDING.search(rest) or _WISH.search(rest)):
        return Intent.REPLACE if rest == text else Intent.APPEND
    return Intent.ASK


def is_yes(text: str) -> bool:
    """Whether a sentence takes up an offer to tell something."""
    return bool(_YES.fullmatch(plain(text).strip()))


def without_also(text: str) -> str:
    """The sentence without a leading "also"."""
    mark = _ALSO.match(text)
    return (text[mark.end() :] if mark else text).strip()


def _command(plea: str) -> Intent | None:
    if _QUIET.fullmatch(plea):
        return Intent.QUIET
    if _STOP.fullmatch(plea):
        return Intent.STOP
    return next((intent for intent, pattern in _VOICE_COMMANDS.items() if pattern.fullmatch(plea)), None)
