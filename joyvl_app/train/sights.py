"""How a kind of models is shown a second: the user's turn as tokens with positions, its picture in the size it is fed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Image

if TYPE_CHECKING:  # who only counts what is in shards needs no torch
    from joyvl_app.deciders.vlm.inputs import Patches, ProcessorInputs

_KEPT = 4_096  # texts whose tokens are known


@dataclass(frozen=True, eq=False)
class Shown:
    """A user's turn: all its tokens, the picture's among them, and their positions (axes, tokens) from 0 on."""

    ids: Sequence[int]
    positions: NDArray[np.int64]


class Sight(Protocol):
    """`axes`: how many numbers place a token."""

    axes: int

    def fitted(self, image: Image) -> Image:
        """The picture in the size that it is fed in."""
        ...

    def turn(self, text: str, picture: Image) -> Shown:
        """Of a text with the placeholder of one picture, and this picture, fitted."""
        ...

    def grid(self, picture: Image) -> tuple[int, int]:
        """Rows and columns of a fitted picture's vision tokens."""
        ...


class QwenSight:
    """The Qwen3-VL kind: a picture is a grid of tokens, and the text after it goes on behind its longer side."""

    axes = 3

    def __init__(self, tokenizer: Any, patches: Patches, image_token: int) -> None:
        self._encode = lru_cache(_KEPT)(lambda text: tuple(tokenizer.encode(text, add_special_tokens=False)))
        self._image, self._patches = image_token, patches

    def fitted(self, image: Image) -> Image:
        return self._patches.fitted(image)

    def grid(self, picture: Image) -> tuple[int, int]:
        side = self._patches.token_side
        return picture.shape[0] // side, picture.shape[1] // side

    def turn(self, text: str, picture: Image) -> Shown:
        ids, (rows, columns) = self._encode(text), self.grid(picture)
        place = len(ids) - 1 - ids[::-1].index(self._image)
        grid = np.indices((1, rows, columns)).reshape(3, -1) + place
        rest = counted(self.axes, len(ids) - 1 - place) + place + max(rows, columns)
        whole = (*ids[:place], *(self._image,) * (rows * columns), *ids[place + 1 :])
        return Shown(whole, np.concatenate((counted(self.axes, place), grid, rest), axis=1))


class ProcessorSight:
    """Any other kind: what its own processor makes of the turn, as the decider feeds it."""

    def __init__(self, inputs: ProcessorInputs) -> None:
        self._inputs = inputs
        self._made = lru_cache(_KEPT // 16)(self._of)  # a picture may be thousands of tokens
        self.axes = self.turn(inputs.alone, np.zeros((64, 64, 3), np.uint8)).positions.shape[0]

    def fitted(self, image: Image) -> Image:
        return self._inputs.fitted(image)

    def grid(self, picture: Image) -> tuple[int, int]:
        raise NotImplementedError("what each token of this kind looks at is not known")

    def turn(self, text: str, picture: Image) -> Shown:
        return self._made(text, *picture.shape[:2])

    def _of(self, text: str, height: int, width: int) -> Shown:
        """Tokens and positions are a matter of the picture's size alone."""
        piece = self._inputs.piece((), text, (), [np.zeros((height, width, 3), np.uint8)])
        return Shown(tuple(piece.ids.tolist()), piece.positions.numpy())


def counted(axes: int, length: int) -> NDArray[np.int64]:
    """Positions of text: all axes count alike."""
    return np.tile(np.arange(length), (axes, 1))
