"""What an instruction asks for: frozen specifications, one a rule. Equal specifications keep their rule's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from joyvl_app.deciders.embedded.words import Target


@dataclass(frozen=True)
class Appear:
    """Announce when it appears (or is there), once until it has gone away.

    `say` is the user's own wording; fewer than `least` of them are none.
    """

    target: Target
    say: str = ""
    least: int = 1
    urgent: bool = False
    zh: bool = False


@dataclass(frozen=True)
class Leave:
    """Announce when it leaves; with `empty` only when none is left."""

    target: Target
    empty: bool = False
    zh: bool = False


@dataclass(frozen=True)
class Count:
    """Announce each change of how many are in view; `initial` announces the first count too."""

    target: Target
    initial: bool = True
    zh: bool = False


@dataclass(frozen=True)
class Read:
    """Read text aloud as it appears."""

    zh: bool = False


@dataclass(frozen=True)
class Spot:
    """Announce a wording, or (empty `phrase`) any price, when it appears on screen."""

    phrase: str = ""
    zh: bool = False


@dataclass(frozen=True)
class Slides:
    """Comment on each new slide or scene."""

    zh: bool = False


@dataclass(frozen=True)
class Greet:
    """Say hello to who comes."""

    zh: bool = False


@dataclass(frozen=True)
class Express:
    """Report an expression of a face."""

    kind: Literal["happy", "surprise"]
    zh: bool = False


@dataclass(frozen=True)
class Timer:
    """Say or report something every `seconds`, or once after them."""

    seconds: float
    repeat: bool
    say: str = ""
    report: Literal["", "scene", "count", "text"] = ""
    target: Target | None = None
    zh: bool = False


@dataclass(frozen=True)
class Unknown:
    """A clause that these eyes cannot follow; said once, plainly. `reason` is a key of the phrases."""

    clause: str
    reason: Literal["unknown", "expression", "action", "thing", "negative"] = "unknown"
    zh: bool = False


@dataclass(frozen=True)
class Ask:
    """A question among the instructions: answered once from the evidence, or delegated."""

    question: str
    zh: bool = False


Spec = Appear | Leave | Count | Read | Spot | Slides | Greet | Express | Timer | Unknown | Ask
