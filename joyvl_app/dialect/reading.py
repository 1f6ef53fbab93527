"""Model output → decision."""

from __future__ import annotations

import re
from dataclasses import dataclass

from joyvl_app.dialect.tokens import (
    DELEGATION,
    DELEGATION_OPENING,
    END_MARKS,
    RESPONSE,
    SILENCE,
)
from joyvl_app.domain import Decision, Delegate, Respond, Silence

_MARK = re.compile("|".join(map(re.escape, (SILENCE, RESPONSE, DELEGATION, DELEGATION_OPENING))))
_HANDOVER = re.compile("|".join(map(re.escape, (DELEGATION, DELEGATION_OPENING))))
_END = re.compile("|".join(map(re.escape, END_MARKS)))


@dataclass(frozen=True)
class Reading:
    """What a generated turn means. `parsed` is false when it held text but no action token: then it is silence."""

    decision: Decision
    parsed: bool = True


def parse(raw: str, p: float | None = None) -> Reading:
    """Read one generated turn. The first marker wins; its text ends at the first newline; no marker is never speech.

    `p` is the probability of speaking where it is known; else 0 for silence and 1 for the rest.
    """
    quiet, p_act = (0.0, 1.0) if p is None else (p, p)
    text = _END.split(raw, maxsplit=1)[0]
    mark = _MARK.search(text)
    if mark is None:
        return Reading(Silence(quiet), parsed=not text.strip())
    rest = text[mark.end() :]
    if mark.group() == SILENCE:
        return Reading(Silence(quiet))
    if mark.group() == RESPONSE:
        return Reading(_response(rest, p_act))
    return Reading(_delegate("", rest, p_act))


def _response(rest: str, p_act: float) -> Decision:
    line = _first_line(rest)
    handover = _HANDOVER.search(line)
    if handover:
        return _delegate(_clean(line[: handover.start()]), line[handover.end() :], p_act)
    return _respond(_clean(line), p_act)


def _delegate(note: str, rest: str, p_act: float) -> Decision:
    question = _clean(_first_line(rest))
    return Delegate(question, note, p_act) if question else _respond(note, p_act)


def _respond(text: str, p_act: float) -> Decision:
    return Respond(text, p_act) if text else Silence(p_act)


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _clean(text: str) -> str:
    """Without any marker left inside: a second token in one turn is noise, not words."""
    return " ".join(_MARK.sub(" ", text).split())
