"""What a model is told of a session, second by second, and what a new chunk takes along from the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from joyvl_app import dialect
from joyvl_app.domain import Answer, Decision, Frame, Image, Moment

_PERIOD = 0.9  # seconds between pictures that a model is shown
_TURNS_AHEAD = 2  # turns for which the context must have room; a question may make one longer


def outgrows(fed: int, turn: int, reply: int, context: int) -> bool:
    """Whether a stream should begin anew before its next turn: tokens fed so far, of the shortest turn yet, of the longest reply,
    and those that the model's context holds.
    """
    return fed + _TURNS_AHEAD * turn + reply > context


@dataclass(frozen=True, eq=False)
class Exchange:
    """One second: its time, the instruction where it changed, what was asked, what the brain found, the pictures, the reply."""

    t: float
    given: str
    question: str
    results: tuple[str, ...]
    images: tuple[Image, ...]
    reply: str = ""


class Conversation:
    """A second counts when it is `commit`ted: one that failed is told again, with its questions, in the next.

    `recent` holds the last committed seconds, with which a new chunk is opened.
    """

    def __init__(self, taken_along: int, prompt_file: Path | None = None) -> None:
        self.recent: deque[Exchange] = deque(maxlen=taken_along)
        self._prompt_file = prompt_file
        self.reset()

    def reset(self) -> None:
        self.recent.clear()
        self._chunk = -1
        self._given: tuple[str, float] | None = None
        self._passed_on: set[str] = set()
        self._unheard: list[str] = []

    def hear(self, moment: Moment, known: int = 0) -> bool:
        """Take in what was said, from number `known` on; whether there is anything to decide on at all."""
        self._unheard += [heard.text for heard in moment.heard[known:] if heard.role == "user"]
        return bool(moment.frames or self._unheard or self._news(moment))

    def exchange(self, moment: Moment) -> Exchange:
        """This second, as it is to be told."""
        changed = self._given is not None and self._given != (moment.instruction, moment.instruction_t)
        shown = _apart(moment.frames)
        t = shown[0].t if len(shown) > 1 else moment.t
        results = tuple(answer.digest for answer in self._news(moment))
        images = tuple(frame.image for frame in shown)
        return Exchange(t, moment.instruction if changed else "", "\n".join(self._unheard), results, images)

    def begins_chunk(self, moment: Moment) -> bool:
        """Memory began a new one, or an instruction was taken back: the old one must not go on in the model's past."""
        withdrawn = self._given is not None and bool(self._given[0]) and not moment.instruction
        return withdrawn or moment.chunk_id != self._chunk

    def commit(self, moment: Moment, exchange: Exchange, decision: Decision) -> None:
        """This second has been decided."""
        self._chunk, self._given = moment.chunk_id, (moment.instruction, moment.instruction_t)
        self._passed_on = {answer.id for answer in moment.answers}
        self._unheard.clear()
        self.recent.append(replace(exchange, reply=dialect.render(decision)))

    def taken_along(self, most: int) -> tuple[Exchange, ...]:
        """The last seconds for a new chunk. Its opening tells the instruction in force; what they gave is not repeated."""
        recent = tuple(self.recent)
        return tuple(replace(exchange, given="") for exchange in recent[len(recent) - min(most, len(recent)) :])

    # --- its text --------------------------------------------------------------------------------------------------

    def system(self, moment: Moment) -> str:
        return dialect.system_prompt(moment.language, moment.persona, self._prompt_file)

    def opening(self, moment: Moment, first: Exchange, context: str) -> str:
        """The first turn of a chunk, which may be a second taken along: memory, the instruction in force, its time."""
        return dialect.opening(context, _once(f"{moment.instruction}\n{first.question}"), first.t, first.results)

    def turn(self, exchange: Exchange) -> str:
        return dialect.turn(exchange.t, _once(f"{exchange.given}\n{exchange.question}"), exchange.results)

    def _news(self, moment: Moment) -> list[Answer]:
        return [answer for answer in moment.answers if answer.id not in self._passed_on]


def _apart(frames: Sequence[Frame]) -> list[Frame]:
    """The newest picture and those at least a period before it: a model is shown one a second, a request may bring several."""
    shown: list[Frame] = []
    for frame in reversed(frames):
        if not shown or shown[-1].t - frame.t >= _PERIOD:
            shown.append(frame)
    return shown[::-1]


def _once(text: str) -> str:
    """Each line once: an instruction may also be this second's question."""
    return "\n".join(dict.fromkeys(line for line in text.splitlines() if line))
