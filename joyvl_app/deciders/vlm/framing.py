"""A chat template taken apart once, so that a turn a second can be added without writing the whole conversation anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from joyvl_app.errors import BadInput

_SYSTEM, _FIRST, _REPLY, _SECOND = "SYSTEMWORDS", "FIRSTWORDS", "REPLYWORDS", "SECONDWORDS"
Render = Callable[[list[dict[str, Any]]], str]


@dataclass(frozen=True)
class Frame:
    """What the template writes around one kind of turn: before the system's words, between them and the user's, between a reply
    and the user's words, and after these, where the assistant's turn begins."""

    head: str
    after_system: str
    after_reply: str
    after_user: str

    def first(self, system: str, text: str) -> str:
        return f"{self.head}{system}{self.after_system}{text}{self.after_user}"

    def later(self, text: str) -> str:
        return f"{self.after_reply}{text}{self.after_user}"


@dataclass(frozen=True)
class Framing:
    """The frames of a turn with a picture and of one without."""

    pictured: Frame
    plain: Frame

    @property
    def takes_several(self) -> bool:
        """Whether pictures follow the words, so that one more is only its mark once more."""
        return self.pictured.after_user.endswith(self.plain.after_user) and self._mark != ""

    def of(self, pictures: int) -> Frame:
        """The frame of a turn with so many pictures; one at most where a template puts them before the words."""
        if pictures < 2:
            return self.pictured if pictures else self.plain
        return replace(self.plain, after_user=self._mark * pictures + self.plain.after_user)

    @property
    def _mark(self) -> str:
        return self.pictured.after_user.removesuffix(self.plain.after_user)


def framing_of(render: Render) -> Framing:
    """Learn the frame from a rendered conversation. Raises BadInput for a template that does not add turns at the end."""
    for system in (True, False):
        for plain in (False, True):
            try:
                return _learned(render, system, plain)
            except Exception as error:  # a template is a program: it may refuse roles and shapes in its own way
                refused = error
    raise BadInput(f"The model's chat template cannot be used turn by turn: {refused}")


def _learned(render: Render, system: bool, plain: bool) -> Framing:
    """`system`: the template knows that role, else its words open the first turn. `plain`: text content is a bare string."""
    return Framing(*(_frame(_parts(render(_talk(system, plain, picture)))) for picture in (True, False)))


def _frame(parts: Sequence[str]) -> Frame:
    if parts[2] != parts[4]:
        raise ValueError("it writes later turns unlike the first")
    return Frame(head=parts[0], after_system=parts[1], after_reply=parts[3], after_user=parts[2])


def _talk(system: bool, plain: bool, picture: bool) -> list[dict[str, Any]]:
    def turn(role: str, text: str) -> dict[str, Any]:
        parts: list[dict[str, str]] = [{"type": "text", "text": text}]
        if role == "user" and picture:
            parts.append({"type": "image"})
        return {"role": role, "content": text if plain and len(parts) == 1 else parts}

    first = _FIRST if system else f"{_SYSTEM}\n\n{_FIRST}"
    opening = [turn("system", _SYSTEM)] if system else []
    return [*opening, turn("user", first), turn("assistant", _REPLY), turn("user", _SECOND)]


def _parts(text: str) -> Sequence[str]:
    parts, rest = [], text
    for word in (_SYSTEM, _FIRST, _REPLY, _SECOND):
        before, found, rest = rest.partition(word)
        if not found:
            raise ValueError("it leaves words out or puts them in another order")
        parts.append(before)
    return [*parts, rest]
