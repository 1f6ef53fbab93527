"""What is written to the store, and what is found in it."""

from __future__ import annotations

from dataclasses import dataclass

from joyvl_app.store.words import Term


@dataclass(frozen=True)
class NewSession:
    """`id` is unique, `name` need not be; `began` is the wall time (seconds since 1970) of session second 0."""

    id: int
    name: str
    owner: str
    scenario: str
    source: str
    decider: str
    began: float


@dataclass(frozen=True)
class Ended:
    session_id: int
    at: float


@dataclass(frozen=True)
class NewEvent:
    """Line `number` of a session's event log."""

    session_id: int
    number: int
    t: float
    at: float
    type: str
    body: str


@dataclass(frozen=True)
class NewPassage:
    """A findable stretch; the same `number` written again replaces what it was."""

    session_id: int
    number: int
    owner: str
    scenario: str
    kind: str
    t_start: float
    t_end: float
    at: float
    text: str
    words: str


@dataclass(frozen=True)
class NewFrame:
    session_id: int
    t: float
    at: float
    jpeg: bytes


Write = NewSession | Ended | NewEvent | NewPassage | NewFrame


@dataclass(frozen=True)
class Query:
    """What is looked for among an owner's passages: every one of `terms` (or `any_term`), newest first without any.

    `since` and `until` are wall times; `kinds` empty means all.
    """

    owner: str
    terms: tuple[Term, ...] = ()
    any_term: bool = False
    session_id: int | None = None
    scenario: str = ""
    kinds: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    most: int = 50


@dataclass(frozen=True)
class Hit:
    """A passage that was found; `began` is its session's."""

    session_id: int
    scenario: str
    began: float
    kind: str
    t_start: float
    t_end: float
    text: str
    words: str


@dataclass(frozen=True)
class Watched:
    """A session in the archive, with what it holds. `name` is what the page called it while it ran."""

    id: int
    name: str
    scenario: str
    source: str
    decider: str
    began: float
    ended: float | None
    passages: int
    frames: int
