"""A talk and its pictures → tokens, positions and weights: the very text that the vlm decider feeds, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from joyvl_app import dialect
from joyvl_app.deciders.conversation import Conversation, Exchange
from joyvl_app.deciders.vlm.framing import Framing
from joyvl_app.domain import Decision, Image, Moment, Silence
from joyvl_app.train.cells import names_of, tokens_of
from joyvl_app.train.loss import Weights
from joyvl_app.train.staging import Presence
from joyvl_app.train.talks import CARRIED, Talk, chunks_of, moments_of


@dataclass(frozen=True, eq=False)
class Row:
    """One chunk ready for the model: `ids` and `weights` (tokens,), `positions` (3, tokens), pictures (H, W, 3) of one size.

    `weights[i]` is how much it counts that token i is foreseen; 0 where nothing is learned. `decisions` are the places of the
    first token of each answer.
    """

    id: str
    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    weights: NDArray[np.float32]
    images: tuple[Image, ...]
    decisions: tuple[int, ...]
    cells: NDArray[np.int64] | None = None  # (pictures, vision tokens): what each looks at, where it is known (cells.py)
    past: int = 0  # leading tokens that it has in common with other rows of this id; nothing is learned in them

    @property
    def tokens(self) -> int:
        return int(self.ids.size)

    def goes_on(self, other: Row | None) -> bool:
        """Whether it has its past in common with `other`."""
        return other is not None and self.past > 0 and (self.id, self.past) == (other.id, other.past)


@dataclass(frozen=True, eq=False)
class Taught:
    """One second: the user's turn as text and as tokens (its picture one placeholder), the picture, and what is right."""

    text: str
    prompt: tuple[int, ...]
    picture: Image
    answer: tuple[int, ...]
    decision: Decision
    near: bool
    known: bool = False  # taken along from the chunk before


class Encoder:
    """For models of the Qwen3-VL kind. `fit` gives a picture the size that the model sees; `side` is that of a vision token."""

    def __init__(self, tokenizer: Any, framing: Framing, image_token: int, side: int, fit: Any, system: str = "") -> None:
        self._encode = lru_cache(maxsize=4_096)(lambda text: tuple(tokenizer.encode(text, add_special_tokens=False)))
        self._framing, self._image, self._side, self._fit, self._system = framing, image_token, side, fit, system
        self._end = int(tokenizer.eos_token_id)

    def rows(
        self,
        talk: Talk,
        images: Sequence[Image],
        weights: Weights,
        start: float = 0.0,
        chunk: int | None = None,
        context: str = "",
    ) -> list[Row]:
        """One row a chunk, or that of `chunk` alone; `context` is the memory in front of the first. Raises BadInput when the talk
        is of no use.
        """
        chunks = range(chunks_of(talk)) if chunk is None else (chunk,)
        taught = ((f"{talk.id}.{n}" if n else talk.id, self.turns(talk, images, start, n, context)) for n in chunks)
        return [self._row(name, turns, weights) for name, turns in taught]

    def turns(self, talk: Talk, images: Sequence[Image], start: float = 0.0, chunk: int = 0, context: str = "") -> list[Taught]:
        """A chunk's turns; the first ones of a later chunk are taken along from the one before, as the decider does it."""
        conversation, turns = Conversation(CARRIED), list[Taught]()
        for moment, decision, near in moments_of(talk, images, start, chunk, context):
            conversation.hear(moment)
            exchange = conversation.exchange(moment)
            if moment.chunk_id == chunk:
                if not turns:
                    turns += self._taken_along(conversation, moment, exchange)
                text = self._prompt(conversation, moment, exchange, not turns)
                turns.append(self._taught(text, exchange, decision, near))
            conversation.commit(moment, exchange, decision)
        return turns

    def _taken_along(self, conversation: Conversation, moment: Moment, now: Exchange) -> list[Taught]:
        """The seconds before a chunk's first one, told anew and not learned again."""
        turns: list[Taught] = []
        for exchange in conversation.taken_along(CARRIED):
            text = self._prompt(conversation, moment, exchange, not turns)
            turns.append(replace(self._taught(text, exchange, Silence(), False), answer=self._encode(exchange.reply), known=True))
        return turns

    def _taught(self, text: str, exchange: Exchange, decision: Decision, near: bool) -> Taught:
        answer = self._encode(dialect.render(decision))
        return Taught(text, self._encode(text), self._fit(exchange.images[-1]), answer, decision, near)

    def cells(self, there: Sequence[Presence], row: Row) -> NDArray[np.int64]:
        """What each vision token of each picture looks at, a picture a second from 0 on."""
        grids = [(image.shape[0] // self._side, image.shape[1] // self._side) for image in row.images]
        return np.stack([tokens_of(names_of(there, float(t), grid), self._encode) for t, grid in enumerate(grids)])

    def writing(self) -> Writing:
        """An empty sequence to write turns into."""
        return Writing(self._side, self._image, self._end)

    def _row(self, name: str, turns: Sequence[Taught], weights: Weights) -> Row:
        writing = self.writing()
        for turn in turns:
            writing.prompt(turn.prompt, turn.picture)
            writing.answer(turn.answer, *((0.0, 0.0) if turn.known else _weighed(turn.decision, turn.near, weights)))
        return writing.row(name)

    def _prompt(self, conversation: Conversation, moment: Moment, exchange: Exchange, first: bool) -> str:
        frame = self._framing.pictured
        if first:
            opening = conversation.opening(moment, exchange, moment.context)
            return frame.first(self._system or conversation.system(moment), opening)
        return frame.later(conversation.turn(exchange))


def _weighed(decision: Decision, near: bool, weights: Weights) -> tuple[float, float]:
    """Of an answer's first token and of the others, its end included: who serves the model may wait for it."""
    if isinstance(decision, Silence):
        return (weights.near if near else weights.silence,) * 2
    return weights.onset, weights.words


class Writing:
    """Tokens as they come, with their rotary positions: text goes on by one, a picture is a grid and takes its longer side."""

    def __init__(self, side: int, image: int, end: int) -> None:
        self._side, self._image, self._end = side, image, end
        self._ids: list[int] = []
        self._weights: list[float] = []
        self._positions: list[NDArray[np.int64]] = []
        self._decisions: list[int] = []
        self._pictures: list[Image] = []
        self._past = 0
        self._next = 0
        self._after = 0.0  # the weight of the end of the answer before

    def prompt(self, ids: Sequence[int], picture: Image) -> None:
        """A user's turn, in which one picture has its placeholder."""
        rows, columns = picture.shape[0] // self._side, picture.shape[1] // self._side
        self._pictures.append(picture)
        place = len(ids) - 1 - ids[::-1].index(self._image)
        start = len(self._ids)
        self._text(ids[:place], 0.0)
        if self._after and ids[0] == self._end:
            self._weights[start] = self._after
        self._picture(rows, columns)
        self._text(ids[place + 1 :], 0.0)

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
        positions = np.concatenate(self._positions, axis=1)
        return Row(name, ids, positions, weights, tuple(self._pictures), tuple(self._decisions), past=self._past)

    def _text(self, ids: Sequence[int], weight: float) -> None:
        self._ids += ids
        self._weights += [weight] * len(ids)
        self._positions.append(np.tile(np.arange(self._next, self._next + len(ids)), (3, 1)))
        self._next += len(ids)

    def _picture(self, rows: int, columns: int) -> None:
        self._ids += [self._image] * (rows * columns)
        self._weights += [0.0] * (rows * columns)
        grid = np.indices((1, rows, columns)).reshape(3, -1) + self._next
        self._positions.append(grid)
        self._next += max(rows, columns)
