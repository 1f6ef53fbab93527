"""Shards as numbered items: every epoch all clips in an order of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.feeding import Spec
from joyvl_app.train.shards import clips_in, read_clip


@dataclass(frozen=True)
class Shards:
    """The clips of a folder, shuffled by `seed`; raises BadInput when there are none, or a shard is torn."""

    spec: Spec
    folder: str
    seed: int = 0

    @cached_property
    def _encoder(self) -> Encoder:
        return self.spec.encoder()

    @cached_property
    def _clips(self) -> list[tuple[Path, int]]:
        return list(clips_in(Path(self.folder)))

    def check(self) -> int:
        """How many clips there are."""
        return len(self._clips)

    def fetch(self, number: int) -> list[Row]:
        epoch, place = divmod(number, len(self._clips))
        path, row = self._clips[int(self._order(epoch)[place])]
        clip = read_clip(path, row)
        return self._encoder.rows(clip.talk, clip.images(), self.spec.weights)

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self._clips))
