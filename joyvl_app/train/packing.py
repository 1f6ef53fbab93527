"""Many rows in one sequence without padding: each attends to itself alone, and pictures of one size are a batch for vision.

Rows that have their past in common (the futures of RL) stand one behind the other; the past is there once, with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from joyvl_app.deciders.vlm.stream import check_plain
from joyvl_app.domain import Image
from joyvl_app.train.encoding import Row

ATTENTION = "joyvl_packed"
_SHORT = 512  # tokens
Pictures = Callable[[Sequence[Image]], dict[str, Tensor]]  # their tensors by argument name


@dataclass(frozen=True)
class Segment:
    """Places that a row's own tokens take in the pack, and those of its past where they are another row's."""

    own: slice
    past: slice | None = None


@dataclass(frozen=True, eq=False)
class Pack:
    """`ids` (1, n), `positions` (axes, 1, n) or, of one axis, (1, n), pictures' tensors, where the rows lie; `targets` and
    `weights` (k,) belong to the places `learned` (k,), each of which foresees the token after it. Where rows share pictures,
    `shown` says which picture stands at each place; each is then there, and seen, once.
    """

    ids: Tensor
    positions: Tensor
    pictures: dict[str, Tensor]
    segments: tuple[Segment, ...]
    learned: Tensor
    targets: Tensor
    weights: Tensor
    seconds: int
    cells: Tensor | None = None  # (vision tokens,)
    shown: tuple[int, ...] = ()

    @property
    def tokens(self) -> int:
        return int(self.ids.shape[1])


def packs(rows: Iterable[Row], most_tokens: int, one_size: bool = False) -> Iterator[list[Row]]:
    """Rows in their order, as many as fit into `most_tokens` (a longer one goes alone); `one_size`: with pictures of one size."""
    pack, held = list[Row](), 0
    for row in rows:
        more = row.tokens - _shared(row, pack[-1] if pack else None)
        unlike = one_size and pack and row.images[0].shape != pack[-1].images[0].shape
        if pack and (unlike or held + more > most_tokens):
            yield pack
            pack, held, more = [], 0, row.tokens
        pack.append(row)
        held += more
    if pack:
        yield pack


def _shared(row: Row, before: Row | None) -> int:
    """Tokens of a row that are there already, with the row before it."""
    return row.past if row.goes_on(before) else 0


def packed(rows: Sequence[Row], pictures: Pictures, device: torch.device, once: bool = True) -> Pack:
    """Rows as one sequence on the device; `once`: what several places show is seen once, outside the model's own forward pass."""
    parts = [(row, _shared(row, before)) for before, row in zip([None, *rows], rows, strict=False)]
    ids = np.concatenate([row.ids[start:] for row, start in parts])
    targets = np.concatenate([(row.ids if row.targets is None else row.targets)[start:] for row, start in parts])
    positions = torch.from_numpy(np.concatenate([row.positions[:, start:] for row, start in parts], axis=1))
    weights = np.concatenate([row.weights[start:] for row, start in parts])
    places = np.nonzero(weights)[0]
    cells = [torch.from_numpy(row.cells.reshape(-1)) for row in rows if row.cells is not None]
    images = [image for row, start in parts for image in row.images[sum(place < start for place in row.decisions) :]]
    different = {id(image): image for image in images} if once else dict(enumerate(images))
    tensors, numbers = pictures(list(different.values())), {key: number for number, key in enumerate(different)}
    return Pack(
        torch.from_numpy(ids)[None].to(device),
        (positions if len(positions) == 1 else positions[:, None]).to(device),
        {name: part.to(device) for name, part in tensors.items()},
        _segments(parts),
        torch.from_numpy(places - 1).to(device),
        torch.from_numpy(targets[places]).to(device),
        torch.from_numpy(weights[places]).to(device),
        sum(place >= start for row, start in parts for place in row.decisions),
        torch.cat(cells).to(device) if len(cells) == len(rows) else None,
        tuple(numbers[id(image)] for image in images) if len(different) < len(images) else (),
    )


def _segments(parts: Sequence[tuple[Row, int]]) -> tuple[Segment, ...]:
    segments, place, first = list[Segment](), 0, 0
    for row, start in parts:
        first = first if start else place  # where the past lies, with the first that has it
        end = place + row.tokens - start
        segments.append(Segment(slice(place, end), slice(first, first + start) if start else None))
        place = end
    return tuple(segments)


def logits_of(model: Any, pack: Pack, places: Tensor, seen: Any = None) -> Tensor:
    """(places, vocabulary): what the model foresees after each place. For several rows it must have the attention of packs;
    `seen` are its image features where they are known already.
    """
    if seen is None and pack.shown:
        seen = features(model, pack)
    shown: dict[str, Any] = pack.pictures if seen is None else {"mm_encoder_outputs": {"image": seen}}
    if len(pack.segments) > 1:
        shown = shown | {"segments": pack.segments}
    output = model(input_ids=pack.ids, position_ids=pack.positions, use_cache=False, logits_to_keep=places, **shown)
    logits: Tensor = output.logits[0]
    return logits


def features(model: Any, pack: Pack) -> Any:
    """Image features of every place, each different picture looked at once."""
    seen = model.get_image_features(**pack.pictures, return_dict=True)
    if not pack.shown:
        return seen
    seen.pooler_output = [seen.pooler_output[number] for number in pack.shown]
    seen.deepstack_features = [[feature[number] for number in pack.shown] for feature in seen.deepstack_features]
    return seen


def base_of(model: Any) -> Any:
    """The model itself, without its adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def prepare(model: Any) -> None:
    """Give a Qwen3-VL model the attention of packs, in language and in vision."""
    model.config.get_text_config()._attn_implementation = ATTENTION
    for block in base_of(model).model.visual.blocks:
        block.attn.forward = MethodType(_see, block.attn)


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, scaling: float | None = None,
    segments: Sequence[Segment] = (), **rest: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """`query` (1, heads, n, head_dim) → (1, n, heads, head_dim), causal within each segment; without any, within the whole."""
    check_plain(rest)
    outputs = []
    for segment in segments or [Segment(slice(None))]:
        keys, values = (_seen_by(segment, part) for part in (key, value))
        outputs.append(_mix(query[:, :, segment.own], keys, values, scaling, causal=True))
    return torch.cat(outputs, dim=2).transpose(1, 2), None


def _seen_by(segment: Segment, part: Tensor) -> Tensor:
    own = part[:, :, segment.own]
    return own if segment.past is None else torch.cat([part[:, :, segment.past], own], dim=2)


def _see(self: Any, hidden_states: Tensor, cu_seqlens: Tensor, position_embeddings: tuple[Tensor, Tensor], **rest: Any) -> Tensor:
    """Attention of the vision tower: runs of pictures of one size are one batch."""
    from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

    length = hidden_states.shape[0]
    query, key, value = self.qkv(hidden_states).reshape(length, 3, self.num_heads, -1).permute(1, 0, 2, 3).unbind(0)
    query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
    outputs, start = [], 0
    for size, count in _runs(cu_seqlens):
        part = slice(start, start + size * count)
        q, k, v = (x[part].unflatten(0, (count, size)).transpose(1, 2) for x in (query, key, value))
        outputs.append(_mix(q, k, v, self.scaling, causal=False).transpose(1, 2).reshape(size * count, -1))
        start += size * count
    projected: Tensor = self.proj(torch.cat(outputs))
    return projected


def _mix(query: Tensor, key: Tensor, value: Tensor, scale: float | None, causal: bool) -> Tensor:
    """Attention of (batch, heads, n, head_dim) over as many keys or more; causal: the last query sees all of them. On a CPU the
    fused kernel's way back is several times slower for short rows.
    """
    length, seen, shared = query.shape[2], key.shape[2], query.shape[1] // key.shape[1]
    if query.device.type != "cpu" or length > _SHORT:
        before = query.new_ones((length, seen), dtype=torch.bool).tril(seen - length) if causal and seen > length else None
        plain = causal and before is None
        return scaled_dot_product_attention(query, key, value, before, is_causal=plain, scale=scale, enable_gqa=shared > 1)
    if shared > 1:
        key, value = (part.repeat_interleave(shared, dim=1) for part in (key, value))
    scores = (query * (scale or query.shape[-1] ** -0.5)) @ key.transpose(-1, -2)
    if causal:
        scores = scores + torch.full((length, seen), float("-inf"), dtype=scores.dtype).triu(1 + seen - length)
    return scores.softmax(-1) @ value


def _runs(ends: Tensor) -> list[tuple[int, int]]:
    """(patches of a picture, how many of them in a row)."""
    runs: list[tuple[int, int]] = []
    for size in ends.diff().tolist():
        if runs and runs[-1][0] == size:
            runs[-1] = (size, runs[-1][1] + 1)
        else:
            runs.append((size, 1))
    return runs


AttentionInterface.register(ATTENTION, _attend)
