"""How a model is given rows: Qwen3-VL is packed by hand; of any other kind it is tried out whether rows may share a pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from joyvl_app.deciders.vlm.checkpoint import Checkpoint, first_line, renderer
from joyvl_app.deciders.vlm.engine import agree
from joyvl_app.deciders.vlm.framing import Framing, framing_of
from joyvl_app.deciders.vlm.inputs import Patches, ProcessorInputs
from joyvl_app.domain import Image
from joyvl_app.errors import BadInput
from joyvl_app.train.encoding import Row
from joyvl_app.train.packing import ATTENTION, Pictures, base_of, logits_of, packed, prepare

_SIDE = 64
_TRIALS = (("One.", 90), ("Two or three of them.", 160))  # words and greys
_NOISE = {torch.float32: 1e-4}  # of the spread of logits: what two passes of one shape may differ by …
_COARSE = 1e-3  # … in coarser number formats, where experts may be grouped otherwise
_FAULTS = (TypeError, ValueError, RuntimeError, AttributeError, LookupError, NotImplementedError)


@dataclass(frozen=True)
class Reading:
    """`pictures` makes their tensors by argument name; `together`: rows may share a pack, with pictures of `one_size` only;
    `once`: what they show is seen once.
    """

    pictures: Pictures
    together: bool = True
    one_size: bool = False
    once: bool = True


def reading_of(checkpoint: Checkpoint, max_pixels: int, device: torch.device) -> Reading:
    """Gives the model the attention of packs where it can have it, tried out where it lies now; `device` is where it learns.
    Raises BadInput for one that does not take rows at all.
    """
    model = checkpoint.model
    if checkpoint.is_qwen:
        prepare(model)
        return Reading(Patches(checkpoint.image_processor, max_pixels, device))
    framing = framing_of(renderer(checkpoint))
    inputs = ProcessorInputs(base_of(model), checkpoint.processor, framing, max_pixels)

    def pictures(images: Sequence[Image]) -> dict[str, Tensor]:
        made = inputs.pictures(images)
        return {name: part.to(model.dtype) if part.is_floating_point() else part for name, part in made.items()}

    try:
        rows = [_trial_row(inputs, framing, *shown) for shown in _TRIALS]
        alone = torch.cat([_read(model, [row], pictures) for row in rows])
    except _FAULTS as error:
        raise BadInput(f"Models of the kind '{model.config.model_type}' cannot be trained here: {first_line(error)}") from error
    return Reading(pictures, _packs(model, rows, pictures, alone), one_size=True, once=False)


def _trial_row(inputs: ProcessorInputs, framing: Framing, words: str, grey: int) -> Row:
    picture = inputs.fitted(np.full((_SIDE, _SIDE, 3), grey, np.uint8))
    piece = inputs.piece((), framing.pictured.first("See.", words), (), [picture])
    weights = np.ones(piece.count, np.float32)
    weights[0] = 0.0
    return Row(words, piece.ids.numpy(), piece.positions.numpy(), weights, (picture,), ())


def _packs(model: Any, rows: Sequence[Row], pictures: Pictures, alone: Tensor) -> bool:
    """Whether rows in a pack are read as if each were alone, and nothing of one reaches the other, which a coarse number format
    would hide; else the model keeps its own attention.
    """
    first, second = rows
    other = replace(first, ids=np.append(first.ids[:-3], first.ids[-3:][::-1]), images=second.images)
    text = model.config.get_text_config()
    own, text._attn_implementation = text._attn_implementation, ATTENTION
    try:
        one, another = (_read(model, [before, second], pictures) for before in (first, other))
        after = slice(first.tokens - 1, None)
        together = agree(one, alone) and agree(one[after], another[after], within=_NOISE.get(alone.dtype, _COARSE))
    except _FAULTS:
        together = False
    if not together:
        text._attn_implementation = own
    return together


@torch.no_grad()
def _read(model: Any, rows: Sequence[Row], pictures: Pictures) -> Tensor:
    pack = packed(rows, pictures, next(model.parameters()).device, once=False)
    return logits_of(model, pack, pack.learned)
