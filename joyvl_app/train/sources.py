"""Shards as numbered items: every epoch all chunks in an order of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.feeding import Spec
from joyvl_app.train.shards import chunks_in, read_clip


@dataclass(frozen=True)
class Shards:
    """The chunks of a folder's clips, shuffled by `seed`."""

    spec: Spec
    folder: str
    seed: int = 0
    ahead: int = 3  # a chunk of large frames is 80 MB

    @cached_property
    def _encoder(self) -> Encoder:
        return self.spec.encoder()

    @cached_property
    def _chunks(self) -> list[tuple[Path, int, int]]:
        return chunks_in(Path(self.folder))

    @property
    def size(self) -> int:
        """How many chunks there are. Raises BadInput when there are none, or a shard is torn."""
        return len(self._chunks)

    def fetch(self, number: int) -> list[Row]:
        epoch, place = divmod(number, self.size)
        path, row, chunk = self._chunks[int(_order(self.seed, epoch, self.size)[place])]
        clip = read_clip(path, row, chunk)
        return self._encoder.rows(clip.talk, clip.images(), self.spec.weights, chunk=chunk)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(size)
