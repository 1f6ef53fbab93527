"""What may be done in whose name. A model obeys whatever it reads; so what it may do is settled before it has read anything.

Rules, kept by code and not by the model:
1. The tools of a run are named from the user's own words alone, before any result is seen (the plan). No other is ever called.
2. Once anything has been read that the user did not say (a result, a question that the decider worded), the words that our own
   tools are given must be the user's, and a moment to look at must be one that the memory or the user named.
3. What a foreign server's tool is given must then be a piece of what the user said, as it was said; for tools that only read,
   always: their descriptions, too, are somebody else's words.
4. What acts on the world is asked of the user each time, in the page, in full, and expires to "no".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from unicodedata import category

from joyvl_app.brain.finding import CHINESE, EMPTY, units
from joyvl_app.brain.times import moment_asked
from joyvl_app.domain import Delegation
from joyvl_app.plain import plain

_NEAR = 15.0  # seconds around a known moment


class Trust:
    """One run's: grows as results come in, never shrinks back."""

    def __init__(self, task: Delegation) -> None:
        self._own = f"{task.asked}\n{task.instruction}" if task.asked else task.instruction
        self._units = set(units(self._own))
        self.tainted = not is_piece(task.question, task.asked)  # the decider put it into words of its own
        self.planned: frozenset[str] = frozenset()
        self._moments: set[float] = {task.t}
        if (named := moment_asked(self._own, task.t)) is not None:
            self._moments.add(named)

    @property
    def own_words(self) -> str:
        """What the user said: all that a plan is made from."""
        return self._own.strip()

    def plan(self, reply: str, tools: Iterable[str]) -> None:
        """The tools that a model named when it had read nothing but the user's words."""
        named = set(re.findall(r"[A-Za-z_][\w-]*", reply))
        self.planned = frozenset(name for name in tools if name in named)

    def read(self) -> None:
        """A tool's result has been read: from here on everything may be somebody else's wish."""
        self.tainted = True

    def saw(self, moments: Iterable[float]) -> None:
        """Moments that the memory itself gave as an answer (its numbers, not its texts)."""
        self._moments.update(moments)

    def unplanned(self, tool: str) -> str:
        """Why a tool must not be called at all; "" when it may."""
        return "" if tool in self.planned else f"{tool} was not among the tools that the user's question needs."

    def objection_to_foreign(self, arguments: Mapping[str, Any], fields: Iterable[str], acts: bool) -> str:
        """Why a foreign server's tool, which has these fields, must not be called with these arguments."""
        if unknown := set(arguments) - set(fields):
            return f"The tool has no field {min(unknown)[:40]}."
        if acts and not self.tainted:
            return ""  # the user will see them, and nobody else has had a say in them
        pieces = [piece for value in arguments.values() for piece in _pieces(value)]
        return next((f"The user did not say “{piece[:60]}”." for piece in pieces if not is_piece(piece, self._own)), "")

    def objection(self, arguments: Mapping[str, Any], moment: str = "", typed: Sequence[str] = ()) -> str:
        """Why one of our own tools must not be called with these arguments. `moment` is the argument that is a session second,
        `typed` those that their tool reads as something else than free text.
        """
        if not self.tainted:
            return ""
        for name, value in arguments.items():
            if name == moment and not self._is_known(value):
                return "That moment was named neither by the user nor by the memory."
            if name not in (moment, *typed) and (foreign := self._foreign(value)):
                return f"The user did not speak of {', '.join(foreign[:3])}."
        return ""

    def _is_known(self, value: object) -> bool:
        if not isinstance(value, int | float):
            return False
        return any(abs(value - known) <= _NEAR for known in self._moments)

    def _foreign(self, value: object) -> list[str]:
        """Words in an argument that are not the user's."""
        return [unit for piece in _pieces(value) for unit in units(piece) if unit not in self._units and unit not in EMPTY]


def _pieces(value: object) -> Iterator[str]:
    """Every text, number and truth value in an argument, however deep, names of inner fields too."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from _pieces(part)
    elif isinstance(value, list | tuple | set):
        for part in value:
            yield from _pieces(part)
    elif value is not None:
        yield str(value)


def is_piece(text: str, said: str) -> bool:
    """Whether a text stands in what was said, word for word, with the signs between them: addresses are not made of words."""
    piece, whole = (" ".join(plain(part).casefold().split()) for part in (text, said))
    piece = piece.strip(" .,;:!?。，；：！？\"'“”")
    return (
        not text.strip()
        or (bool(piece) and re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", whole) is not None)
        or (bool(CHINESE.search(piece)) and piece in whole)
    )


def as_data(source: str, text: str, most: int) -> str:
    """Foreign text inside marks that it cannot close, with where it comes from."""
    shown = text if len(text) <= most else f"{text[:most]}\n(cut after {most} characters)"
    harmless = re.sub(r"<(?=\s*/?\s*data\b)", "‹", visible(shown), flags=re.I)
    return f'<data source="{source}">\n{harmless}\n</data>'


def visible(text: str) -> str:
    """Every sign that cannot be seen (control, direction, no width) as its number, but for ends of lines and tabs."""
    return "".join(
        f"\\u{ord(sign):04x}" if category(sign) in ("Cc", "Cf", "Cs") and sign not in "\n\t" else sign for sign in text
    )
