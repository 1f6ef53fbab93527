"""What the model would do in a window, many times: the decider's own second, on streams that share their past."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from joyvl_app.deciders.vlm.actions import Actions, Sampling
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Piece
from joyvl_app.deciders.vlm.second import Second
from joyvl_app.deciders.vlm.stream import ATTENTION, Stream
from joyvl_app.dialect import parse
from joyvl_app.domain import Silence
from joyvl_app.errors import BadInput
from joyvl_app.train.augment import filmed
from joyvl_app.train.encoding import Encoder, Row, Taught
from joyvl_app.train.windows import Window, reward_of

_MOST_WORDS = 24  # tokens of an answer


@dataclass(frozen=True, eq=False)
class Rollout:
    """One future of a window: the row to learn from (weight 1 on every token that was drawn), what was said, its worth."""

    row: Row
    said: tuple[tuple[float, str], ...]
    reward: float


def roll_out(
    engine: Engine, encoder: Encoder, windows: Sequence[Window], group: int, chance: random.Random
) -> list[list[Rollout]]:
    """`group` futures of every window, all in one pass a token; the past of a window is read once. None of a window whose episode
    the model's context does not hold.
    """
    engine.model.config.get_text_config()._attn_implementation = ATTENTION
    told = [_turns(encoder, window) for window in windows]
    windows, turns = [window for window, known in zip(windows, told, strict=True) if known], [known for known in told if known]
    actions = Actions(engine)
    with torch.inference_mode():
        pasts = _pasts(engine, encoder, windows, turns)
        futures = [
            [_Future(engine, actions, window, known, past.fork(), Sampling(1.0, _MOST_WORDS), chance) for _ in range(group)]
            for window, known, past in zip(windows, turns, pasts, strict=True)
        ]
        everyone = [future for futures_of_one in futures for future in futures_of_one]
        while busy := [second for future in everyone if (second := future.second()) is not None]:
            pieces = [(second.stream, second.next()) for second in busy]
            for second, row in zip(busy, actions.read(engine.forward(pieces)), strict=True):
                second.take(row)
    made = iter([[future.rollout(encoder) for future in of_one] for of_one in futures])
    return [next(made) if known else [] for known in told]


def _turns(encoder: Encoder, window: Window) -> list[Taught]:
    """[] where the model's context does not hold them."""
    try:
        return encoder.turns(window.episode.talk, filmed(window.episode))
    except BadInput:
        return []


def _pasts(engine: Engine, encoder: Encoder, windows: Sequence[Window], turns: Sequence[Sequence[Taught]]) -> list[Stream]:
    """A stream for each window that has read everything before it."""
    streams = [Stream() for _ in windows]
    work = []
    for stream, window, told in zip(streams, windows, turns, strict=True):
        if window.first == 0:
            continue
        writing = encoder.writing()
        for turn in told[: window.first]:
            writing.prompt(turn.prompt, turn.picture)
            writing.answer(turn.answer, 0.0, 0.0)
        row = writing.row("", ended=False)
        work.append(
            (stream, Piece(torch.from_numpy(row.ids), torch.from_numpy(row.positions), engine.inputs.pictures(row.images)))
        )
    if work:
        engine.forward(work)
    return streams


class _Future:
    """One rollout: second after second until the window ends."""

    def __init__(
        self, engine: Engine, actions: Actions, window: Window, told: Sequence[Taught], stream: Stream, sampling: Sampling,
        chance: random.Random,
    ) -> None:  # fmt: skip
        self._engine, self._actions, self._window, self._told = engine, actions, window, told
        self._stream, self._sampling, self._chance = stream, sampling, chance
        self._seconds: list[Second] = []
        self._retracted: set[Second] = set()

    def second(self) -> Second | None:
        """The second that is being decided; None when the window is over."""
        if self._seconds and not self._seconds[-1].done:
            return self._seconds[-1]
        self._retract_noise()
        place = self._window.first + len(self._seconds)
        if place >= self._window.last:
            return None
        turn = self._told[place]
        self._seconds.append(
            Second(
                self._engine, self._actions, self._sampling, self._chance, self._stream,
                lambda pending, lead: self._engine.inputs.piece(pending, turn.text, lead, [turn.picture]),
                lambda p: self._chance.random() < p, lambda raw: None,
            )
        )  # fmt: skip
        return self._seconds[-1]

    def _retract_noise(self) -> None:
        """What means nothing counts as silence, as in the decider."""
        if self._seconds and self._seconds[-1].spoke and isinstance(parse(self._seconds[-1].raw).decision, Silence):
            self._seconds[-1].retract()
            self._retracted.add(self._seconds[-1])

    def rollout(self, encoder: Encoder) -> Rollout:
        writing, first = encoder.writing(), self._window.first
        for turn in self._told[:first]:
            writing.prompt(turn.prompt, turn.picture)
            writing.answer(turn.answer, 0.0, 0.0)
        writing.end_past()
        for turn, second in zip(self._told[first:], self._seconds, strict=False):
            drawn = float(second not in self._retracted)
            writing.prompt(turn.prompt, turn.picture)
            writing.answer(second.written, drawn, drawn if second.spoke else 0.0, drawn if second.ended else 0.0)
        said = tuple((float(first + n), second.raw) for n, second in enumerate(self._seconds) if second.spoke)
        return Rollout(writing.row(self._window.episode.talk.id), said, reward_of(self._window, said))
