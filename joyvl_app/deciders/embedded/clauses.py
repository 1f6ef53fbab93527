"""An instruction, split into clauses that each ask for one thing."""

from __future__ import annotations

import re

from joyvl_app.deciders.embedded.words import find_target, is_chinese
from joyvl_app.plain import plain

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|[\n;。!]+|(?<=[?])")
_VERB = (
    r"(?:please\s+)?(?:tell|let me know|alert|warn|notify|count|read|greet|say|comment|announce|remind|describe|report|watch|"
    r"whenever|when|if|every|in \d|welcome|keep)\b"
)
_JOINED = re.compile(rf"\s*,?\s+(?:and also|and then|and|then|also)\s+(?={_VERB})|,\s+(?={_VERB})", re.I)
_ZH_VERB = r"(?:如果|要是|一旦|每|提醒我|告诉我|数|统计|朗读|念|读出|有人.{0,6}(?:就|时)|看到|打招呼|欢迎)"
_ZH_JOINED = re.compile(rf"[,、]?(?:并且|同时|然后|另外|还有|还要|并)(?={_ZH_VERB})|,(?=(?:如果|每|统计|朗读|数))")
# "If a dog comes, tell me": the comma belongs to the condition, it does not begin another wish.
_CONDITION_FIRST = re.compile(
    r"^(\s*(?:please\s+)?(?:if|when|whenever|once|as soon as|in|after|every|each)\b[^,]*),\s*(?=\w)", re.I
)
_CONDITION = re.compile(r"(?:if|when|whenever|once|as soon as|every time|each time)\b", re.I)
_TELL_ME = re.compile(r"[\s,]+(?:please\s+)?(?:(?:tell|alert|warn|notify|inform) (?:me|us)|let (?:me|us) know)[\s.!]*$", re.I)
_CAN_YOU = re.compile(r"\s*(?:can|could|would|will) you\b", re.I)
_EDGES = re.compile(r"^[\s,.。!]+|[\s,.。!]+$")
_POLITE = re.compile(
    r"^\s*(?:(?:please|also|and|then|hey|ok|can you|could you|would you|i want you to|i'd like you to|you should)[\s,]+)+"
    r"|^\s*(?:请|帮我|麻烦你?|你)+",
    re.I,
)
_UNLESS = re.compile(r"^(?:do not|don't|never)\s+\w+(?:\s+\w+){0,2}\s+(?:unless|until)\s+|^除非(?=.*否则)", re.I)
# Looking is what it does anyway: "watch the door" asks for nothing by itself.
_LOOK = re.compile(
    r"(?:watch|look at|observe|monitor|keep (?:an eye on|watching))\s+(?:the|my|this|that|our)\s+\w+(?:\s+\w+)?", re.I
)


def clauses(text: str) -> list[str]:
    """The clauses in order, without politeness and without those that only say to look."""
    sentences = (_CONDITION_FIRST.sub(r"\1 ", sentence) for sentence in _SENTENCE.split(plain(text)))
    parts = [part for sentence in sentences for part in _JOINED.split(sentence)]
    parts = [piece for part in parts for piece in (_ZH_JOINED.split(part) if is_chinese(part) else [part])]
    parts = [part.rstrip().rstrip("?") if _CAN_YOU.match(part) else part for part in parts]
    bare = [_UNLESS.sub("tell me when ", _POLITE.sub("", _EDGES.sub("", part)).strip()) for part in parts]
    told = [_TELL_ME.sub("", clause) if _CONDITION.match(clause) else clause for clause in bare]
    return [clause for clause in told if re.search(r"\w", clause) and not _only_looks(clause)]


def _only_looks(clause: str) -> bool:
    return bool(_LOOK.fullmatch(clause)) and find_target(clause) is None
