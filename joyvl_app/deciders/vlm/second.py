"""One session's second on the device: the decision, then, if it speaks, the words, a token a step."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

from joyvl_app.deciders.vlm.actions import Actions, Row, Sampling, draw
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.stream import Mark, Stream
from joyvl_app.errors import ProviderFailed


class Outgrown(ProviderFailed):
    """What is to be fed does not fit into the model's context."""


Prompt = Callable[[Sequence[int], Sequence[int]], Piece]  # what is fed first, between the reply before and the lead


class Second:
    """`spoke` tells what came of it, `raw` what was written. `wants` judges p_act; `heard` takes the text as it grows."""

    def __init__(
        self, engine: Engine, actions: Actions, sampling: Sampling, chance: random.Random, stream: Stream, prompt: Prompt,
        wants: Callable[[float], bool], heard: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._engine, self._actions, self._sampling, self._chance = engine, actions, sampling, chance
        self.stream, self._prompt, self._wants, self._heard = stream, prompt, wants, heard
        self._began: Mark = stream.mark()
        self._asked: Mark | None = None  # the place behind the question, where a decision can still be silence
        self._hushed = threading.Event()
        self._ids: list[int] = []
        self._next: tuple[int, ...] = ()
        self.p_act, self.spoke = 0.0, False
        self.done = False
        self.fault: Exception | None = None

    @property
    def raw(self) -> str:
        """The assistant's turn as written, action tokens kept."""
        text: str = self._engine.tokenizer.decode([*self._actions.lead, *self._ids], skip_special_tokens=False)
        return text

    @property
    def written(self) -> tuple[int, ...]:
        """The tokens of `raw`."""
        return (*self._actions.lead, *self._ids)

    @property
    def ended(self) -> bool:
        """Whether it spoke and drew the end of its turn itself."""
        return self.spoke and not self.stream.pending

    def hush(self) -> None:
        self._hushed.set()

    def undo(self) -> None:
        self.stream.back_to(self._began)

    def progressed(self) -> None:
        if not self._hushed.is_set():
            self._heard(self.raw)

    # --- on the device's thread ------------------------------------------------------------------------------------

    def next(self) -> Piece:
        """What to feed in the coming step. Raises Outgrown past the model's context."""
        stream = self.stream
        if stream.dropped:
            raise ProviderFailed("The memory of this session was needed elsewhere; it is read again.")
        if self._asked is None:
            piece = self._prompt(stream.pending, self._actions.lead)
        else:
            piece = self._engine.inputs.piece(self._next, "", (), ())
        if stream.length + piece.count + self._sampling.most > self._engine.context:
            raise Outgrown("The conversation has outgrown the model's context; a new chunk begins.")
        return piece

    def take(self, row: Row) -> None:
        """What the model answers to the piece that was fed."""
        if row.p_act != row.p_act:
            raise ProviderFailed("The model's output is not a number; its weights may be damaged.")
        if self._asked is None:
            self.stream.pending = ()
            self._asked = self.stream.mark()
            self._decide(row)
        elif self._hushed.is_set():
            self._be_silent()
        else:
            self._write(self._draw(row, ()))

    def _decide(self, row: Row) -> None:
        self.p_act = row.p_act
        if self._hushed.is_set() or not self._wants(row.p_act):
            self._be_silent()
        elif self._actions.trained:
            self._write(self._draw(row, self._actions.silence))
        else:
            self._ids = list(self._actions.response)
            self._next = self._actions.response

    def _draw(self, row: Row, banned: Sequence[int]) -> int:
        return draw(row, self._sampling, self._chance, banned=self._engine.never.union(banned))

    def _write(self, token: int) -> None:
        if token in self._engine.eos:
            self._finish(())
            return
        self._ids.append(token)
        if "\n" in self._engine.tokenizer.decode([token]) or len(self._ids) >= self._sampling.most:
            self._finish((token,))
        else:
            self._next = (token,)

    def _finish(self, unfed: tuple[int, ...]) -> None:
        self.stream.pending = unfed
        self.spoke = self.done = True

    def retract(self) -> None:
        """What was written means nothing: the second counts as a silent one."""
        self._be_silent()

    def _be_silent(self) -> None:
        """Back to behind the question; the next second feeds the silence first."""
        assert self._asked is not None
        self.stream.back_to(self._asked)
        self.stream.pending = self._actions.silence
        self._ids = list(self._actions.silence)
        self.spoke, self.done = False, True
