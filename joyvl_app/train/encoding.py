"""A talk and its pictures → tokens, positions and weights: the very text that the vlm decider feeds, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from joyvl_app import dialect
from joyvl_app.deciders.conversation import Conversation, Exchange, outgrows
from joyvl_app.deciders.vlm.framing import Framing
from joyvl_app.deciders.vlm.marks import Marks
from joyvl_app.domain import REPLY_TOKENS, Decision, Image, Moment, Silence
from joyvl_app.errors import BadInput
from joyvl_app.train.cells import names_of, tokens_of
from joyvl_app.train.loss import Weights
from joyvl_app.train.sights import Shown, Sight, counted
from joyvl_app.train.staging import Presence
from joyvl_app.train.talks import CARRIED, Talk, chunks_of, moments_of


@dataclass(frozen=True, eq=False)
class Row:
    """One chunk ready for the model: `ids` and `weights` (tokens,), `positions` (axes, tokens), pictures (H, W, 3) of one size.

    `weights[i]` is how much it counts that token i is foreseen; 0 where nothing is learned. `decisions` are the places of the
    first token of each answer. `targets` (tokens,) is what is to be foreseen, where that is not the tokens themselves.
    """

    id: str
    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    weights: NDArray[np.float32]
    images: tuple[Image, ...]
    decisions: tuple[int, ...]
    cells: NDArray[np.int64] | None = None  # (pictures, vision tokens): what each looks at, where it is known (cells.py)
    past: int = 0  # leading tokens that it has in common with other rows of this id; nothing is learned in them
    targets: NDArray[np.int64] | None = None

    @property
    def tokens(self) -> int:
        return int(self.ids.size)

    def goes_on(self, other: Row | None) -> bool:
        """Whether it has its past in common with `other`."""
        return other is not None and self.past > 0 and (self.id, self.past) == (other.id, other.past)


@dataclass(frozen=True, eq=False)
class Taught:
    """One second: the user's turn as text and as it is shown, the picture, and what is right."""

    text: str
    prompt: Shown
    picture: Image
    answer: tuple[int, ...]
    decision: Decision
    near: bool
    known: bool = False  # taken along from the chunk before


class Encoder:
    """`sight` says how the model is shown a turn, `end` is the token at which a reply ends, `room` how many the model's context
    holds; `system` "" is the app's own turn.
    """

    def __init__(
        self, tokenizer: Any, framing: Framing, sight: Sight, end: int, marks: Marks, room: int, system: str = ""
    ) -> None:  # fmt: skip
        self._encode = lru_cache(maxsize=4_096)(lambda text: tuple(tokenizer.encode(text, add_special_tokens=False)))
        self._framing, self._sight, self._end, self._marks, self._system = framing, sight, end, marks, system
        self._room = room

    def rows(
        self,
        talk: Talk,
        images: Sequence[Image],
        weights: Weights,
        start: float = 0.0,
        chunk: int | None = None,
        context: str = "",
    ) -> list[Row]:
        """One row a chunk, or that of `chunk` alone, or several where the model's context does not hold it; `context` is the
        memory in front of the first. Raises BadInput when the talk is of no use.
        """
        chunks = range(chunks_of(talk)) if chunk is None else (chunk,)
        taught = {(n, m): turns for n in chunks for m, turns in enumerate(self._parts(talk, images, start, n, context))}
        return [self._row(_name(talk.id, *place), turns, weights) for place, turns in taught.items()]

    def turns(self, talk: Talk, images: Sequence[Image], start: float = 0.0) -> list[Taught]:
        """Of a talk of one chunk. Raises BadInput when the model's context does not hold it."""
        turns, *others = self._parts(talk, images, start, 0, "")
        if others:
            raise BadInput(f"{talk.id} has more tokens than the model's context holds, which are {self._room:,}.")
        return turns

    def _parts(self, talk: Talk, images: Sequence[Image], start: float, chunk: int, context: str) -> list[list[Taught]]:
        """A chunk's turns; the first ones of a later chunk are taken along from the one before, as the decider does it, and so
        they are where it begins anew because the model's context is full.
        """
        conversation, parts = Conversation(CARRIED), [list[Taught]()]
        for moment, decision, near in moments_of(talk, images, start, chunk, context):
            conversation.hear(moment)
            exchange = conversation.exchange(moment)
            if moment.chunk_id == chunk:
                if self._is_full(parts[-1]):
                    parts.append([])
                turns = parts[-1]
                if not turns:
                    turns += self._taken_along(conversation, moment, exchange)
                text = self._prompt(conversation, moment, exchange, not turns)
                turns.append(self._taught(text, exchange, decision, near))
            conversation.commit(moment, exchange, decision)
        return parts

    def _is_full(self, turns: Sequence[Taught]) -> bool:
        """As the decider finds it, which feeds a silence with the turn behind it, and what was said before."""
        silences = [len(turn.answer) if isinstance(turn.decision, Silence) else 0 for turn in turns]
        fed = sum(len(turn.prompt.ids) + len(turn.answer) for turn in turns) - sum(silences[-1:])
        opening = sum(turn.known for turn in turns) + 1
        later = [before + len(turn.prompt.ids) for before, turn in zip(silences, turns[1:], strict=False)][opening - 1 :]
        return outgrows(fed, min(later, default=0), REPLY_TOKENS, self._room)

    def _taken_along(self, conversation: Conversation, moment: Moment, now: Exchange) -> list[Taught]:
        """The seconds before a chunk's first one, told anew and not learned again."""
        turns: list[Taught] = []
        for exchange in conversation.taken_along(CARRIED):
            text = self._prompt(conversation, moment, exchange, not turns)
            turns.append(replace(self._taught(text, exchange, Silence(), False), answer=self._encode(exchange.reply), known=True))
        return turns

    def _taught(self, text: str, exchange: Exchange, decision: Decision, near: bool) -> Taught:
        answer, picture = self._encode(dialect.render(decision)), self._sight.fitted(exchange.images[-1])
        return Taught(text, self._sight.turn(text, picture), picture, answer, decision, near)

    def cells(self, there: Sequence[Presence], row: Row) -> NDArray[np.int64]:
        """What each vision token of each picture looks at, a picture a second from 0 on."""
        grids = enumerate(map(self._sight.grid, row.images))
        return np.stack([tokens_of(names_of(there, float(t), grid), self._encode) for t, grid in grids])

    def writing(self) -> Writing:
        """An empty sequence to write turns into."""
        return Writing(self._sight.axes, self._end)

    def _row(self, name: str, turns: Sequence[Taught], weights: Weights) -> Row:
        writing = self.writing()
        for turn in turns:
            writing.prompt(turn.prompt, turn.picture)
            writing.answer(turn.answer, *((0.0, 0.0) if turn.known else _weighed(turn.decision, turn.near, weights)))
        row = writing.row(name)
        if row.tokens + REPLY_TOKENS > self._room:
            raise BadInput(
                f"{name}: {len(turns)} seconds have {row.tokens:,} tokens, and the model's context holds {self._room:,}. "
                "Smaller pictures (--pixels) may have fewer."
            )
        return row

    def _prompt(self, conversation: Conversation, moment: Moment, exchange: Exchange, first: bool) -> str:
        frame = self._framing.pictured
        if first:
            opening = conversation.opening(moment, exchange, moment.context)
            return frame.first(self._system or conversation.system(moment), self._marks.disarmed(opening))
        return frame.later(self._marks.disarmed(conversation.turn(exchange)))


def _name(talk: str, chunk: int, part: int) -> str:
    return talk + (f".{chunk}" if chunk else "") + (f"+{part}" if part else "")


def _weighed(decision: Decision, near: bool, weights: Weights) -> tuple[float, float]:
    """Of an answer's first token and of the others, its end included: who serves the model may wait for it."""
    if isinstance(decision, Silence):
        return (weights.near if near else weights.silence,) * 2
    return weights.onset, weights.words


class Writing:
    """Tokens as they come, with their positions (`axes`, tokens); each turn goes on behind the one before."""

    def __init__(self, axes: int, end: int) -> None:
        self._axes, self._end = axes, end
        self._ids: list[int] = []
        self._weights: list[float] = []
        self._positions: list[NDArray[np.int64]] = []
        self._decisions: list[int] = []
        self._pictures: list[Image] = []
        self._unlike: list[int] = []  # where a reply should end, and the template writes no end
        self._past = 0
        self._next = 0
        self._after = 0.0  # the weight of the end of the answer before

    def prompt(self, shown: Shown, picture: Image) -> None:
        """A user's turn; its first token ends the reply before it, or stands where this should have ended."""
        start = len(self._ids)
        self._pictures.append(picture)
        self._write(shown.ids, shown.positions, 0.0)
        if self._after:
            self._weights[start] = self._after
            self._unlike += [start] * (shown.ids[0] != self._end)

    def answer(self, ids: Sequence[int], first: float, rest: float, end: float | None = None) -> None:
        """The model's turn; the weights of its first token, of the others, and of its end (else that of the others)."""
        self._decisions.append(len(self._ids))
        self._text(ids[:1], first)
        self._text(ids[1:], rest)
        self._after = rest if end is None else end

    def end_past(self) -> None:
        """What was written so far, others of this name have in common."""
        self._past = len(self._ids)

    def row(self, name: str, ended: bool = True) -> Row:
        """All that was written; `ended` closes the last answer."""
        if ended:
            self._text((self._end,), self._after)
        ids, weights = np.array(self._ids, np.int64), np.array(self._weights, np.float32)
        targets = ids.copy()
        targets[self._unlike] = self._end
        positions = np.concatenate(self._positions, axis=1)
        return Row(
            name, ids, positions, weights, tuple(self._pictures), tuple(self._decisions), past=self._past,
            targets=targets if self._unlike else None,
        )  # fmt: skip

    def _text(self, ids: Sequence[int], weight: float) -> None:
        self._write(ids, counted(self._axes, len(ids)), weight)

    def _write(self, ids: Sequence[int], positions: NDArray[np.int64], weight: float) -> None:
        self._ids += ids
        self._weights += [weight] * len(ids)
        self._positions.append(positions + self._next)
        self._next += int(positions.max(initial=-1)) + 1
