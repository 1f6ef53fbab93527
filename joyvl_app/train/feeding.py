"""Rows in the order of their numbers, made by worker processes while the model learns: item n is always the same one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import MODEL_PIXELS
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.pools import leave_with_parent
from joyvl_app.train.augment import filmed
from joyvl_app.train.cells import IGNORED
from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.episodes import Episode, episode
from joyvl_app.train.families import FAMILIES
from joyvl_app.train.loss import Weights
from joyvl_app.train.past import MOST_SECONDS, imagined
from joyvl_app.train.talks import Talk
from joyvl_app.train.worlds import Kind

_MOST_FAULTS = 200  # items in a row that are of no use
_LATER = 0.3  # share of rendered episodes that play later in a session, where time markers are larger
_LATEST = 40  # chunks
_KILLED = ("exited unexpectedly", "killed by signal")  # PyTorch's words for a worker that is no more
_PASTS = 8  # keeps their random numbers apart from the screenplay's


class Items(Protocol):
    """A numbered source of rows; `fetch` raises BadInput for an item that is of no use. A worker may be `ahead` items ahead."""

    @property
    def ahead(self) -> int: ...

    def fetch(self, number: int) -> list[Row]: ...


@dataclass(frozen=True)
class Spec:
    """What a worker needs to encode: the checkpoint's folder and the weights."""

    folder: str
    weights: Weights
    max_pixels: int = MODEL_PIXELS

    def encoder(self) -> Encoder:
        from joyvl_app.train.loading import load_encoder

        return load_encoder(Path(self.folder), self.max_pixels)


@dataclass(frozen=True)
class Rendered:
    """Episodes of a world, without end, those of the train world through all kinds of cameras; `family` names one, `seed` is
    where the numbers begin; with `cells` each row says what its vision tokens look at.
    """

    spec: Spec
    kind: Kind = "train"
    family: str | None = None
    seed: int = 0
    cells: bool = False
    ahead: int = 16

    @cached_property
    def _encoder(self) -> Encoder:
        return self.spec.encoder()

    def fetch(self, number: int) -> list[Row]:
        made = episode(self.kind, self.seed + number, self.family)
        images = filmed(made) if self.kind == "train" else made.pictures()
        start = _start(made.talk.family, self.seed + number)
        context = _remembered(made.talk, start, np.random.default_rng((self.seed + number, _PASTS)))
        rows = self._encoder.rows(made.talk, images, self.spec.weights, start, context=context)
        return [replace(row, cells=self._cells(made, row)) for row in rows] if self.cells else rows

    def _cells(self, made: Episode, row: Row) -> NDArray[np.int64]:
        """Where nothing is shown there is nothing to learn of seeing."""
        if len(row.images) != made.talk.seconds:
            raise BadInput(f"The model's context does not hold {made.talk.id}; without --cells it can be learned from in parts.")
        cells = self._encoder.cells(made.there, row)
        return np.full_like(cells, IGNORED) if made.empty else cells


def _start(family: str, seed: int) -> float:
    """When an episode begins: some play in a later chunk, but not those that must know when they were asked."""
    if FAMILIES[family].timed or (seed * 2_654_435_761 % 1_000) / 1_000 >= _LATER:
        return 0.0
    return float(MOST_SECONDS * (1 + seed % _LATEST))


def _remembered(talk: Talk, start: float, rng: np.random.Generator) -> str:
    """What an episode that plays later has behind it; counting, and what was seen before, would need a past that was played."""
    if not start or talk.family in ("count", "memory") or not talk.questions or talk.questions[0].t:
        return ""
    answers = sorted({line.text for line in talk.responses if not line.delegates})
    return imagined(talk.questions[0].text, answers, start, rng)


class Feed:
    """Iterates over every `stride`-th of `items` from number `start` on.

    `waited` are the seconds that it kept its reader waiting, `faults` the items of no use since they were last taken, each as its
    number and why.
    """

    def __init__(self, items: Items, start: int, workers: int, stride: int = 1) -> None:
        self._items, self._start, self._workers, self._stride = items, start, workers, stride
        self.waited = 0.0
        self.faults: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[tuple[int, list[Row]]]:
        """Raises BadInput when nothing is of use any more."""
        made, in_a_row = iter(self._made()), 0
        while True:
            began = time.perf_counter()
            try:
                number, rows, fault = next(made)
            except RuntimeError as error:
                if not any(sign in str(error) for sign in _KILLED):
                    raise
                raise BadInput("A process that made rows was killed, most likely for want of memory; try --workers 0.") from error
            self.waited += time.perf_counter() - began
            in_a_row = in_a_row + 1 if fault else 0
            if fault:
                self.faults.append((number, fault))
            if in_a_row >= _MOST_FAULTS:
                raise BadInput(f"{in_a_row} clips in a row are of no use, the last one because {fault}")
            yield number, rows

    def _made(self) -> Any:
        from torch.utils.data import DataLoader

        options: dict[str, Any] = {}
        if self._workers:
            options = {"prefetch_factor": self._items.ahead, "multiprocessing_context": "spawn", "persistent_workers": True}
            options["worker_init_fn"] = leave_with_parent
        numbers: Any = _Numbers(self._start, self._stride)
        fetching: Any = _Fetching(self._items)
        return DataLoader(fetching, batch_size=None, sampler=numbers, num_workers=self._workers, **options)


class _Numbers:
    def __init__(self, start: int, stride: int) -> None:
        self._start, self._stride = start, stride

    def __iter__(self) -> Iterator[int]:
        return count(self._start, self._stride)


class _Fetching:
    """What DataLoader calls a dataset."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def __getitem__(self, number: int) -> tuple[int, list[Row], str]:
        try:
            return number, self._items.fetch(number), ""
        except (BadInput, ProviderFailed) as error:  # the latter of a processor that does not take a picture
            return number, [], str(error)
        except (ValueError, ArithmeticError) as error:  # pictures of a shape that no model takes
            return number, [], f"item {number}: {type(error).__name__}: {str(error)[:120]}"

    def __len__(self) -> int:
        return 1 << 62


def grouped(feed: Feed, tokens: int) -> Iterator[tuple[int, Sequence[Row]]]:
    """Whole items until they hold at least `tokens`: one step's rows, and the number of the last item."""
    rows: list[Row] = []
    for number, made in feed:
        rows += made
        if sum(row.tokens for row in rows) >= tokens:
            yield number, rows
            rows = []
