"""Contact sheets, on which a person checks the ground truth: a picture a second, and one before, at and after every event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from joyvl_app.domain import Image
from joyvl_app.evals.cases import Case
from joyvl_app.evals.clips import Clip, pictures_at
from joyvl_app.evals.render.material import font_for

_WIDTH, _COLUMNS, _CAPTION = 224, 6, 40
_MOST = 120  # pictures of one sheet
_AROUND = (-1.0, 0.0, 1.0)


def draw_sheet(case: Case, clip: Clip, path: Path) -> None:
    """One PNG: every picture with its second, and what should have been said by then."""
    shown = _times(case)
    images = pictures_at(clip, case.spec, [t for t, _ in shown], 480)
    tiles = [_tile(image, t, words) for image, (t, words) in zip(images, shown, strict=True)]
    height, rows = tiles[0].height, -(-len(tiles) // _COLUMNS)
    sheet = Pillow.new("RGB", (_COLUMNS * _WIDTH, rows * height + 2 * _CAPTION), "#ffffff")
    _title(sheet, case)
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % _COLUMNS * _WIDTH, number // _COLUMNS * height + 2 * _CAPTION))
    sheet.save(path)


def _times(case: Case) -> list[tuple[float, str]]:
    """Seconds to show with their captions: all of the clip evenly, and close around each event."""
    end = min(case.seconds, 60.0) if case.looped else case.seconds
    events = case.spec.events[: _MOST // 4]
    around = {round(min(max(0.0, e.t + d), max(0.0, end - 0.1)), 2): _words(case, e.t, d) for e in events for d in _AROUND}
    step = max(1.0, end / max(1, _MOST - len(around)))
    even = {round(float(t), 2): "" for t in np.arange(0, end, step)}
    return sorted((even | around).items())


def _words(case: Case, t: float, shift: float) -> str:
    if shift:
        return "before" if shift < 0 else "after"
    event = next(e for e in case.spec.events if e.t == t)
    return "EVENT " + (event.accept[0] if event.accept else event.like or "anything")


def _tile(image: Image, t: float, words: str) -> Pillow.Image:
    picture = Pillow.fromarray(image)
    picture = picture.resize((_WIDTH - 4, round(picture.height * (_WIDTH - 4) / picture.width)))
    tile = Pillow.new("RGB", (_WIDTH, picture.height + _CAPTION), "#fff3e0" if words.startswith("EVENT") else "#ffffff")
    tile.paste(picture, (2, _CAPTION - 2))
    pen = ImageDraw.Draw(tile)
    _write(pen, (4, 2), f"{t:.2f} s", True)
    _write(pen, (4, 20), words[:34], False)
    return tile


def _title(sheet: Pillow.Image, case: Case) -> None:
    spec = case.spec
    asked: Sequence[str] = [spec.instruction, *(f"[{s.t:g} s] {s.text}" for s in (*spec.instructions, *spec.heard))]
    pen = ImageDraw.Draw(sheet)
    _write(pen, (6, 6), f"{spec.id}: {spec.capability}, {case.footage}, {case.seconds:g} s", True)
    _write(pen, (6, 34), " ".join(text for text in asked if text)[:170], False)


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, bold: bool) -> None:
    pen.text(place, text, font=font_for(text, "dev", 15, bold), fill="#1c2430")
