"""Keys and values that stay on the device from second to second, and an attention that serves many streams in one pass.

The new tokens of several sessions lie one after the other in a single sequence: the linear layers see one batch without padding,
and each session's queries attend to that session's own past alone. A forward pass writes behind `length`, which moves only when
the whole pass has succeeded; so a failed pass leaves every stream as it was, and going back is setting `length` back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import Cache

from joyvl_app.deciders.vlm.inputs import Piece

ATTENTION = "joyvl_streams"
_UNLIKE = ("sliding_window", "softcap", "s_aux")  # what the attention of some models has, and ours does not
_STEP = 256  # tokens; buffers grow in whole steps


@dataclass(frozen=True)
class Mark:
    """A place in a stream that can be gone back to."""

    length: int
    position: int
    pieces: int
    pending: tuple[int, ...]


@dataclass(eq=False)
class Stream:
    """One session's past on the device. `pending` are tokens already decided that the next pass feeds first.

    `expected` is the number of tokens to make room for at once. `pieces` keeps what was fed where keys and values are not kept.
    """

    expected: int = 0
    length: int = 0
    position: int = 0
    pending: tuple[int, ...] = ()
    pieces: list[Piece] = field(default_factory=list)
    dropped: bool = False
    bytes: int = 0
    _kept: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def mark(self) -> Mark:
        return Mark(self.length, self.position, len(self.pieces), self.pending)

    def back_to(self, mark: Mark) -> None:
        self.length, self.position, self.pending = mark.length, mark.position, mark.pending
        del self.pieces[mark.pieces :]

    def fork(self) -> Stream:
        """Another future of the same past: what is known so far is copied, what comes is its own."""
        kept = {
            layer: (keys[:, : self.length].clone(), values[:, : self.length].clone())
            for layer, (keys, values) in self._kept.items()
        }
        size = sum(part.nbytes for pair in kept.values() for part in pair)
        return Stream(0, self.length, self.position, self.pending, list(self.pieces), self.dropped, size, kept)

    def drop(self) -> None:
        """Give the memory back; whoever needs the stream again must begin a new one."""
        self._kept.clear()
        self.bytes = 0
        self.pieces.clear()
        self.dropped = True

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put (heads, n, head_dim) behind what is known; returns all keys and values, (heads, length + n, head_dim)."""
        end = self.length + keys.shape[1]
        kept = self._kept.get(layer)
        if kept is None or kept[0].shape[1] < end:
            grown = self._grown(kept, keys, values, end)
            self.bytes += sum(part.nbytes for part in grown) - sum(part.nbytes for part in kept or ())
            kept = self._kept[layer] = grown
        kept[0][:, self.length : end] = keys
        kept[1][:, self.length : end] = values
        return kept[0][:, :end], kept[1][:, :end]

    def _grown(self, kept: tuple[Tensor, Tensor] | None, keys: Tensor, values: Tensor, end: int) -> tuple[Tensor, Tensor]:
        room = max(end + end // 4, self.expected)
        room += -room % _STEP
        grown = tuple(new.new_empty(new.shape[0], room, new.shape[2]) for new in (keys, values))
        if kept:
            for old, new in zip(kept, grown, strict=True):
                new[:, : self.length] = old[:, : self.length]
        return grown[0], grown[1]


@dataclass(frozen=True)
class Span:
    """One stream's part of a pass in one layer: its keys and values, how many queries are its, and which they may see."""

    keys: Tensor
    values: Tensor
    queries: int
    seen: Any


class Packed(Cache):
    """What Transformers takes for its cache: hands each stream its slice, and the attention below the spans."""

    def __init__(self, streams: Sequence[Stream], counts: Sequence[int]) -> None:
        super().__init__(layers=[])
        self._parts = list(zip(streams, counts, strict=True))
        self._seen: list[Any] = []

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        """`key_states` (1, heads, all new tokens, head_dim). Returns the spans in place of tensors."""
        if not self._seen:
            self._seen = [_visible(stream.length, count, key_states.device, key_states.dtype) for stream, count in self._parts]
        spans, start = [], 0
        for (stream, count), seen in zip(self._parts, self._seen, strict=True):
            new = slice(start, start + count)
            keys, values = stream.write(layer_idx, key_states[0, :, new], value_states[0, :, new])
            spans.append(Span(keys, values, count, seen))
            start += count
        return spans, None

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0


def _visible(past: int, new: int, device: torch.device, dtype: torch.dtype) -> Any:
    """Each new token sees the past and the new ones up to itself; None where that is everything."""
    if new == 1:
        return None
    if device.type == "cuda":
        return causal_lower_right(new, past + new)  # lets the flash kernel do it
    return torch.full((new, past + new), float("-inf"), device=device, dtype=dtype).triu(past + 1)  # added, not chosen by: faster


def check_plain(options: dict[str, Any]) -> None:
    """Raises NotImplementedError for an attention that ours cannot stand in for."""
    if any(options.get(name) is not None for name in _UNLIKE):
        raise NotImplementedError("this model's attention is not the plain one")


def attend(
    module: Any, query: Tensor, key: Sequence[Span], value: None, attention_mask: Any, scaling: float | None = None, **rest: Any
) -> tuple[Tensor, None]:
    """`query` (1, heads, all new tokens, head_dim) → (1, all new tokens, heads, head_dim), each span over its own stream."""
    check_plain(rest)
    outputs, start = [], 0
    for span in key:
        own = query[:, :, start : start + span.queries]
        grouped = own.shape[1] != span.keys.shape[0]
        keys, values = span.keys[None], span.values[None]
        outputs.append(scaled_dot_product_attention(own, keys, values, attn_mask=span.seen, scale=scaling, enable_gqa=grouped))
        start += span.queries
    return torch.cat(outputs, dim=2).transpose(1, 2), None


AttentionInterface.register(ATTENTION, attend)
