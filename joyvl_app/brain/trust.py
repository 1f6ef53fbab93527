"""What may be done in whose name. A model obeys whatever it reads; so what it may do is settled before it has read anything.

Three rules, kept by code and not by the model:
1. The tools of a run are named from the user's own words alone, before any result is seen (the plan). No other is ever called.
2. Once anything has been read that the user did not say (a result, a question that the decider worded), free text in a tool's
   arguments must consist of the user's own words, and a moment to look at must be one that the memory or the user named.
3. What acts on the world is asked of the user each time, in the page, and expires to "no".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from joyvl_app.brain.finding import content
from joyvl_app.brain.times import moment_asked
from joyvl_app.domain import Delegation
from joyvl_app.store.words import tokens

_NEAR = 15.0  # seconds around a known moment


class Trust:
    """One run's: grows as results come in, never shrinks back."""

    def __init__(self, task: Delegation) -> None:
        self._own = f"{task.asked}\n{task.instruction}" if task.asked else task.instruction
        self._words = set(tokens(self._own))
        self._now = task.t
        self.tainted = not set(content(task.question)) <= self._words  # the decider put in words of its own
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

    def read(self, result: str) -> None:
        """A tool's result has been read: from here on everything may be somebody else's wish."""
        self.tainted = True

    def saw(self, moments: Iterable[float]) -> None:
        """Moments that the memory itself gave as an answer (its numbers, not its texts)."""
        self._moments.update(moments)

    def objection(self, tool: str, arguments: Mapping[str, Any], moment: str = "", typed: Sequence[str] = ()) -> str:
        """Why a call must not be made; "" when it may. `moment` is the argument that is a session second, `typed` those that
        their tool reads as something else than free text.
        """
        if tool not in self.planned:
            return f"{tool} was not among the tools that the user's question needs."
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
        """Words in an argument, however deep, that are not the user's."""
        if isinstance(value, Mapping):
            return [word for key, part in value.items() for word in (*self._foreign(str(key)), *self._foreign(part))]
        if isinstance(value, list | tuple | set):
            return [word for part in value for word in self._foreign(part)]
        if value is None or isinstance(value, bool):
            return []
        return [word for word in content(str(value)) if word not in self._words]


def as_data(source: str, text: str, most: int) -> str:
    """Foreign text inside marks that it cannot close, with where it comes from."""
    shown = text if len(text) <= most else f"{text[:most]}\n(cut after {most} characters)"
    harmless = re.sub(r"<(?=/?\s*data\b)", "‹", shown, flags=re.I)
    return f'<data source="{source}">\n{harmless}\n</data>'
