"""Dense labels of single frames: what each vision token looks at, told in the language model's own words.

A vision token covers a cell of the picture. Its embedding should already read as the word for what is there, so the loss is that
of the tied language head on it; then a language model only has to pass on what it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from joyvl_app.train.staging import Presence
from joyvl_app.train.wording import NOTHING
from joyvl_app.train.worlds import CLASSES

if TYPE_CHECKING:
    from torch import Tensor

IGNORED = -100
_MOSTLY, _PART = 0.45, 0.3  # of a cell that a thing covers, or of a thing that a cell holds, to be named there
_SCALE = 8.0  # of the cosine-like logits; embeddings begin small


def names_of(there: Sequence[Presence], t: float, grid: tuple[int, int]) -> list[str | None]:
    """For each cell of `grid` (rows, columns), row by row: the thing, "" for nothing with a name, None where it is unclear."""
    rows, columns = grid
    seen = [presence for presence in there if presence.came <= t < presence.to]
    return [
        _name(seen, t, (c / columns, r / rows, (c + 1) / columns, (r + 1) / rows)) for r in range(rows) for c in range(columns)
    ]


def _name(seen: Sequence[Presence], t: float, cell: tuple[float, float, float, float]) -> str | None:
    shares = [(_overlap(presence.box, cell), presence) for presence in seen]
    within = [(share, presence) for share, presence in shares if share > 0.0]
    if not within:
        return ""
    share, presence = max(within, key=lambda pair: pair[0])
    size, whole = _area(cell), _area(presence.box)
    if t < presence.since or len(within) > 1 or (share < _MOSTLY * size and share < _PART * whole):
        return None
    return presence.thing if presence.thing in CLASSES or presence.thing.isdigit() else ""


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def tokens_of(names: Sequence[str | None], encode: Callable[[str], Sequence[int]]) -> NDArray[np.int64]:
    """The word of each cell as the token that an answer would use; IGNORED where it is unclear."""
    return np.array([IGNORED if name is None else _word(name, encode) for name in names], np.int64)


def _word(name: str, encode: Callable[[str], Sequence[int]]) -> int:
    text = name if name.isdigit() else f" {name}" if name else NOTHING
    return encode(text)[0]


def cell_loss(embeddings: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """`embeddings` (cells, hidden) of the vision tower, `head` (vocabulary, hidden), `targets` (cells,) → a scalar; 0 when it is
    told of none.
    """
    from torch.nn.functional import cross_entropy, rms_norm

    level = rms_norm(embeddings.float(), embeddings.shape[-1:])
    losses = cross_entropy(_SCALE * level @ head.float().T, targets, ignore_index=IGNORED, reduction="sum")
    return losses / (targets != IGNORED).sum().clamp_min(1)
