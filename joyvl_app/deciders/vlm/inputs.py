"""Text and pictures → what a model takes. Qwen3-VL is fed by hand, other families through their own processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from joyvl_app.deciders.vlm.fitting import fitted
from joyvl_app.deciders.vlm.framing import Framing
from joyvl_app.domain import Image
from joyvl_app.errors import ProviderFailed
from joyvl_app.sources.scaling import within

_BATCHED_INSIDE = ("idefics2", "idefics3", "smolvlm")  # their pictures are (1, pictures, …); all others' are (pictures, …)

_TILES = ("do_image_splitting", "crop_to_patches")  # what makes processors cut a picture up


@dataclass(frozen=True, eq=False)
class Piece:
    """New tokens of one stream: `ids` (n,), rotary `positions` (axes, n) from 0, the pictures' tensors by argument name."""

    ids: Tensor
    positions: Tensor
    pictures: dict[str, Tensor]

    @property
    def count(self) -> int:
        return int(self.ids.numel())

    @property
    def span(self) -> int:
        """How far the next piece's positions lie behind this one's."""
        return int(self.positions.max()) + 1


class Inputs(Protocol):
    """How one family of models is fed."""

    def piece(self, before: Sequence[int], text: str, after: Sequence[int], images: Sequence[Image]) -> Piece:
        """`text` with one placeholder for each of `images`, between token ids that are known already."""
        ...

    def pictures(self, images: Sequence[Image]) -> dict[str, Tensor]:
        """The pictures' tensors alone, by argument name."""
        ...

    def join(self, pieces: Sequence[Piece]) -> dict[str, Tensor]:
        """The pictures of several pieces, in their order."""
        ...


class QwenInputs:
    """Qwen3-VL: placeholders are expanded and M-RoPE positions computed here, which needs neither a processor nor torchvision."""

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any, max_pixels: int) -> None:
        self._tokenizer = tokenizer
        self._positions = model.model.get_rope_index
        self._image = int(model.config.image_token_id)
        self._merge = int(model.config.vision_config.spatial_merge_size) ** 2
        self._patches = Patches(image_processor, max_pixels, torch.device(model.device))

    def piece(self, before: Sequence[int], text: str, after: Sequence[int], images: Sequence[Image]) -> Piece:
        pictures = self._patches(images) if images else {}
        grids = pictures.get("image_grid_thw", torch.empty(0, 3, dtype=torch.long))
        written = self._tokenizer.encode(text, add_special_tokens=False)
        ids = torch.tensor([*before, *self._expanded(written, (grids.prod(-1) // self._merge).tolist()), *after])
        kinds = (ids == self._image).int()
        positions, _ = self._positions(ids[None], image_grid_thw=grids if images else None, mm_token_type_ids=kinds[None])
        return Piece(ids, positions[:, 0], pictures)

    def pictures(self, images: Sequence[Image]) -> dict[str, Tensor]:
        return self._patches(images)

    def _expanded(self, ids: Sequence[int], sizes: Sequence[int]) -> list[int]:
        counts, expanded = iter(sizes), list[int]()
        for token in ids:
            expanded += [token] * (next(counts) if token == self._image else 1)
        return expanded

    def join(self, pieces: Sequence[Piece]) -> dict[str, Tensor]:
        return _joined([piece.pictures for piece in pieces], 0)


class Patches:
    """What the checkpoint's own image processor makes of pictures, with the arithmetic done on the model's device.

    `pixel_values` (patches, channels x frames x side x side), `image_grid_thw` (pictures, 3). A picture is one frame, told twice.
    """

    def __init__(self, processor: Any, max_pixels: int, device: torch.device) -> None:
        self._side, self._merge, self._frames = processor.patch_size, processor.merge_size, processor.temporal_patch_size
        edges = ("shortest_edge", "longest_edge")  # in pixels of area, for this family
        self._least, self._most = (min(processor.size[edge], max_pixels) for edge in edges)
        scale = float(processor.rescale_factor)
        self._mean = torch.tensor(processor.image_mean, device=device) / scale
        self._deviation = torch.tensor(processor.image_std, device=device) / scale

    def __call__(self, images: Sequence[Image]) -> dict[str, Tensor]:
        made = [self._of(self.fitted(image)) for image in images]
        return {
            "pixel_values": torch.cat([patches for patches, _ in made]),
            "image_grid_thw": torch.tensor([grid for _, grid in made]),
        }

    def fitted(self, image: Image) -> Image:
        """The picture in the size that the model sees."""
        return fitted(image, self.token_side, self._least, self._most)

    @property
    def token_side(self) -> int:
        """Of a vision token, in pixels."""
        return int(self._side * self._merge)

    def _of(self, image: Image) -> tuple[Tensor, tuple[int, int, int]]:
        side, merge = self._side, self._merge
        rows, columns = image.shape[0] // side, image.shape[1] // side
        pixels = torch.from_numpy(np.array(image)).to(self._mean.device)
        whole = (pixels.float() - self._mean) / self._deviation
        blocks = whole.view(rows // merge, merge, side, columns // merge, merge, side, 3).permute(0, 3, 1, 4, 6, 2, 5)
        frames = blocks.unsqueeze(5).expand(-1, -1, -1, -1, -1, self._frames, -1, -1)
        return frames.reshape(rows * columns, -1), (1, rows, columns)


class ProcessorInputs:
    """Any other family: its processor expands the placeholders; positions are the model's own where it has some that go on from
    turn to turn, else they count tokens.
    """

    def __init__(self, model: Any, processor: Any, framing: Framing, max_pixels: int) -> None:
        """Of `model` nothing but its shape is used: it may lie on the meta device."""
        self._processor, self._max_pixels = processor, max_pixels
        self.alone = framing.pictured.later("")  # a turn without words
        self._axis = int(model.config.model_type in _BATCHED_INSIDE)
        self._image = int(getattr(model.config, "image_token_id", None) or -1)
        self._rotary = getattr(getattr(model, "model", None), "get_rope_index", None)
        if self._rotary and not self._goes_on(self.alone):
            self._rotary = None

    def piece(self, before: Sequence[int], text: str, after: Sequence[int], images: Sequence[Image]) -> Piece:
        written, pictures = self._processed(text, images)
        ids = torch.cat((torch.tensor(list(before), dtype=torch.long), written, torch.tensor(list(after), dtype=torch.long)))
        return Piece(ids, self._positions(ids, pictures), pictures)

    def _processed(self, text: str, images: Sequence[Image]) -> tuple[Tensor, dict[str, Tensor]]:
        """Token ids (n,), and the pictures' tensors by argument name."""
        if not text:  # of which some processors make no ids
            return torch.empty(0, dtype=torch.long), {}
        shown = [self.fitted(image) for image in images]
        try:
            made = dict(self._processor(text=text, images=shown or None, return_tensors="pt", **self._options()))
        except (ValueError, IndexError) as error:
            raise ProviderFailed(f"The model's processor does not take this picture: {error}") from error
        for name in ("attention_mask", "token_type_ids", "mm_token_type_ids"):  # a matter of text, which grows
            made.pop(name, None)
        return made.pop("input_ids")[0], {name: part for name, part in made.items() if torch.is_tensor(part)}

    def _goes_on(self, turn: str) -> bool:
        """Whether the model's own positions of two turns are those of the first and, behind it, those of the second."""
        try:
            piece = self.piece((), turn, (), [np.full((64, 64, 3), 127, np.uint8)])
            whole = self._positions(torch.cat((piece.ids, piece.ids)), self.join([piece, piece]))
        except (TypeError, ValueError, AttributeError, LookupError, RuntimeError, ProviderFailed):
            return False
        return torch.equal(whole, torch.cat((piece.positions, piece.positions + piece.span), dim=1))

    def fitted(self, image: Image) -> Image:
        """The picture as it is given to the processor, which may change its size once more."""
        return within(image, self._max_pixels)

    def _positions(self, ids: Tensor, pictures: dict[str, Tensor]) -> Tensor:
        if self._rotary is None:
            return torch.arange(ids.numel())[None]
        kinds = (ids == self._image).int()
        positions: Tensor = self._rotary(
            ids[None], mm_token_type_ids=kinds[None], image_grid_thw=pictures.get("image_grid_thw")
        )[0]  # fmt: skip
        return positions[:, 0]

    def pictures(self, images: Sequence[Image]) -> dict[str, Tensor]:
        return _joined([self._processed(self.alone, [image])[1] for image in images], self._axis)

    def _options(self) -> dict[str, Any]:
        """Text as it is; a picture as one tile where that can be said, for a second has no time for a dozen."""
        pictures = getattr(self._processor, "image_processor", None)
        return {"add_special_tokens": False} | {name: False for name in _TILES if hasattr(pictures, name)}

    def join(self, pieces: Sequence[Piece]) -> dict[str, Tensor]:
        return _joined([piece.pictures for piece in pieces], self._axis)


def _joined(pictures: Sequence[dict[str, Tensor]], axis: int) -> dict[str, Tensor]:
    shown = [tensors for tensors in pictures if tensors]
    return {name: torch.cat([tensors[name] for tensors in shown], dim=axis) for name in (shown[0] if shown else {})}
