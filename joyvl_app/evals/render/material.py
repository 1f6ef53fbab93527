"""Photographs and fonts of one split (assets/evals: sources and licences in its README)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from joyvl_app.errors import BadInput

_ASSETS = Path(__file__).resolve().parent.parent.parent.parent / "assets"
EVALS, TRAIN = _ASSETS / "evals", _ASSETS / "train"
Sprite = NDArray[np.uint8]  # (height, width, 4), straight alpha


@lru_cache(maxsize=32)
def photograph(split: str, name: str) -> Sprite:
    """A photograph with its alpha. Raises BadInput listing the ones there are."""
    path = EVALS / "photos" / split / f"{name}.webp"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.webp")))
        raise BadInput(f"There is no photograph '{name}' for the {split} split. Choose from: {there}.")
    return np.asarray(Pillow.open(path).convert("RGBA"))


@lru_cache(maxsize=512)
def drawn_thing(name: str) -> Sprite:
    """A drawn picture "set/name". Raises BadInput when there is none."""
    path = TRAIN / "pictures" / f"{name}.webp"
    if not path.is_file():
        raise BadInput(f"There is no picture '{name}'. The sets are listed in assets/train/README.md.")
    return np.asarray(Pillow.open(path).convert("RGBA"))


def font_for(text: str, split: str, size: float, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The split's font that has this text's letters."""
    return _font(split, int(size), bold, any("⺀" <= char <= "鿿" or "＀" <= char <= "￯" for char in text))


@lru_cache(maxsize=64)
def _font(split: str, size: int, bold: bool, chinese: bool) -> ImageFont.FreeTypeFont:
    name = "chinese" if chinese else "bold" if bold else "regular"
    return ImageFont.truetype(str(EVALS / "fonts" / split / f"{name}.ttf"), size)


@lru_cache(maxsize=64)
def _named_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    path = TRAIN / "fonts" / f"{name}.ttf"
    if not path.is_file():
        raise BadInput(f"There is no font '{name}' in assets/train/fonts.")
    return ImageFont.truetype(str(path), size)


def lettering(split: str, text: str, size: int, ink: str, bold: bool = False, font: str | None = None) -> Sprite:
    """A line of text, tightly around its letters; `font` names one that is not the split's own."""
    face = _named_font(font, int(size)) if font else font_for(text, split, size, bold)
    left, top, right, bottom = (int(v) for v in face.getbbox(text))
    picture = Pillow.new("RGBA", (max(1, right - left + 2), max(1, bottom - top + 2)), (*_rgb(ink), 0))
    ImageDraw.Draw(picture).text((1 - left, 1 - top), text, font=face, fill=ink)
    return np.asarray(picture)


def canvas(width: int, height: int) -> tuple[Pillow.Image, Any]:
    """An empty sprite to draw on, and its pen."""
    picture = Pillow.new("RGBA", (max(1, width), max(1, height)), (0, 0, 0, 0))
    return picture, ImageDraw.Draw(picture)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
