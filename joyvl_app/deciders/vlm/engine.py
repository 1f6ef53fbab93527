"""The model on its device: new tokens of one or many streams in, the next token's logits out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from joyvl_app.deciders.vlm.checkpoint import Checkpoint, context_of, renderer
from joyvl_app.deciders.vlm.framing import Framing, framing_of
from joyvl_app.deciders.vlm.inputs import Inputs, Piece, ProcessorInputs, QwenInputs
from joyvl_app.deciders.vlm.marks import Marks, ends_of
from joyvl_app.deciders.vlm.stream import ATTENTION, Packed, Stream
from joyvl_app.domain import MODEL_PIXELS

_CLOSE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.1}  # kept and fresh logits, relative to their spread
_CHECK_SIDE = 64


class Engine:
    """Runs on one thread. `keeps` tells whether this model's keys and values can be kept from second to second."""

    def __init__(self, checkpoint: Checkpoint, max_pixels: int = MODEL_PIXELS) -> None:
        self.name = checkpoint.name
        self.model, self.tokenizer = checkpoint.model, checkpoint.tokenizer
        self.framing: Framing = framing_of(renderer(checkpoint))
        self.inputs: Inputs = (
            QwenInputs(self.model, self.tokenizer, checkpoint.image_processor, max_pixels)
            if checkpoint.is_qwen
            else ProcessorInputs(self.model, checkpoint.processor, self.framing, max_pixels)
        )
        text = self.model.config.get_text_config()
        self.context = context_of(self.model.config)
        self.eos = ends_of(self.model.generation_config, self.tokenizer)
        self.never = _placeholders(self.model)
        self._native = text._attn_implementation
        self.packs = checkpoint.is_qwen
        self.disarmed = Marks(self.tokenizer, checkpoint.processor).disarmed
        self.keeps = self._can_keep()

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    @property
    def bytes_a_token(self) -> int:
        """Keys and values of one token over all layers."""
        text = self.model.config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        return int(2 * text.num_hidden_layers * heads * head_dim * self.model.dtype.itemsize)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    @torch.inference_mode()
    def forward(self, work: Sequence[tuple[Stream, Piece]]) -> Tensor:
        """Feed each piece to its stream; returns (streams, vocabulary) float32 logits of what comes next.

        Raises torch.OutOfMemoryError, or whatever the model raises; some streams may then have moved on: go back to their marks.
        """
        if not self.keeps or (len(work) > 1 and not self.packs):
            return torch.cat([self._one(stream, piece) for stream, piece in work])
        return self._together(work)

    def _one(self, stream: Stream, piece: Piece) -> Tensor:
        if self.keeps:
            return self._together([(stream, piece)])
        logits = self.whole([*stream.pieces, piece])
        stream.pieces.append(piece)
        stream.length += piece.count
        return logits

    def _together(self, work: Sequence[tuple[Stream, Piece]]) -> Tensor:
        pieces = [piece for _, piece in work]
        positions = torch.cat([piece.positions + stream.position for stream, piece in work], dim=1)
        packed = Packed([stream for stream, _ in work], [piece.count for piece in pieces])
        logits = self._run(pieces, positions, packed)
        for stream, piece in work:
            stream.length += piece.count
            stream.position += piece.span
        return logits

    @torch.inference_mode()
    def whole(self, pieces: Sequence[Piece]) -> Tensor:
        """The same conversation read afresh, with the model's own attention and nothing kept: (1, vocabulary)."""
        start, shifted = 0, []
        for piece in pieces:
            shifted.append(piece.positions + start)
            start += piece.span
        present = self._attend_with(self._native)
        try:
            return self._run(pieces, torch.cat(shifted, dim=1), None, last_only=True)
        finally:
            self._attend_with(present)

    def _run(self, pieces: Sequence[Piece], positions: Tensor, cache: Packed | None, last_only: bool = False) -> Tensor:
        ids = torch.cat([piece.ids for piece in pieces])[None].to(self.device)
        ends = torch.tensor([piece.count for piece in pieces]).cumsum(0) - 1
        axes = positions.shape[0]
        placed = positions[:, None] if axes > 1 else positions
        pictures = {
            name: part.to(self.device, self.model.dtype) if part.is_floating_point() else part.to(self.device)
            for name, part in self.inputs.join(pieces).items()
        }
        output = self.model(
            input_ids=ids,
            position_ids=placed.to(self.device),
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=(ends[-1:] if last_only else ends).to(self.device),
            **pictures,
        )
        logits: Tensor = output.logits[0].float()
        return logits

    def _attend_with(self, implementation: str) -> str:
        """Switch the language model's attention; returns what it was."""
        text = self.model.config.get_text_config()
        present: str = text._attn_implementation
        text._attn_implementation = implementation
        return present

    def _can_keep(self) -> bool:
        """Proved on the spot with two made-up seconds; it warms the kernels up as well. A model that disagrees is read whole."""
        grey = torch.full((_CHECK_SIDE, _CHECK_SIDE, 3), 127, dtype=torch.uint8).numpy()
        frame = self.framing.pictured
        try:
            pieces = [self.inputs.piece((), text, (), [grey]) for text in (frame.first("See.", "One."), frame.later("Two."))]
            stream = Stream()
            self._attend_with(ATTENTION)
            with torch.inference_mode():
                kept = [self._together([(stream, piece)]) for piece in pieces][-1]
            fresh = self.whole(pieces)
        except (NotImplementedError, AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            self._attend_with(self._native)
            return False
        close = agree(kept, fresh, self.model.dtype)
        if not close:
            self._attend_with(self._native)
        return close


def agree(one: Tensor, other: Tensor, dtype: torch.dtype | None = None, within: float | None = None) -> bool:
    """Whether logits that were come by in two ways differ by less than a share of their spread, by default what the number format
    of the model (else theirs) cannot tell.
    """
    apart = (one - other).float().norm() / (other - other.mean()).float().norm()
    return bool(apart <= (_CLOSE.get(dtype or other.dtype, 0.1) if within is None else within))


def _placeholders(model: Any) -> frozenset[int]:
    """Tokens that stand for pictures: written by the model they would be taken for pictures that nobody sent."""
    names = ("image_token_id", "video_token_id", "image_token_index", "vision_start_token_id", "vision_end_token_id")
    found = (getattr(model.config, name, None) for name in names)
    return frozenset(int(token) for token in found if token is not None)
