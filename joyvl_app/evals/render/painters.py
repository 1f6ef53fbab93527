"""How each kind of act looks: a painter gives the sprite of a second, drawn once where it does not change."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from joyvl_app.evals.render.fire import Fire, RisingHeat, Tongues, coloured
from joyvl_app.evals.render.material import Sprite, canvas, drawn_thing, font_for, lettering, photograph
from joyvl_app.evals.render.screenplay import (
    CardAct,
    FlameAct,
    LeavesAct,
    PatchAct,
    PhotoAct,
    PictureAct,
    PointerAct,
    Screenplay,
    SlideAct,
    WordsAct,
)

Painter = Callable[[float], tuple[Sprite, float, float]]  # second → sprite, and how far it has moved, in pixels


def painter(act: Any, play: Screenplay, rng: np.random.Generator) -> Painter:
    """The painter of one act; whatever is drawn at random comes from `rng` alone."""
    return _PAINTERS[type(act)](act, play, rng)


def _still(sprite: Sprite) -> Painter:
    return lambda t: (sprite, 0.0, 0.0)


def _photo(act: PhotoAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    photo = photograph(play.split, act.photo)
    height = int(act.height * play.size[1])
    sprite = cv2.resize(photo, (max(1, round(photo.shape[1] * height / photo.shape[0])), height), interpolation=cv2.INTER_AREA)
    sprite = np.ascontiguousarray(sprite[:, ::-1]) if act.mirror else sprite
    if act.framed:
        sprite = cv2.copyMakeBorder(sprite, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=(52, 40, 30, 255))
    return _swaying(sprite, act.sway * play.size[1], rng)


def _picture(act: PictureAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    sprite = drawn_thing(act.picture)
    sprite = _recoloured(sprite, act) if act.hue or (act.vivid, act.bright, act.shade) != (1, 1, 0) else sprite
    sprite = np.ascontiguousarray(sprite[:, ::-1]) if act.mirror else sprite
    height = max(2, int(act.height * play.size[1]))
    size = (max(2, round(sprite.shape[1] * height / sprite.shape[0] * act.stretch)), height)
    sprite = cv2.resize(sprite, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return _swaying(_turned(sprite, act.turn) if act.turn else sprite, act.sway * play.size[1], rng)


def _recoloured(sprite: Sprite, act: PictureAct) -> Sprite:
    tones = cv2.cvtColor(np.ascontiguousarray(sprite[..., :3]), cv2.COLOR_RGB2HSV).astype(np.float32)
    tones[..., 0] = (tones[..., 0] + act.hue) % 180
    tones[..., 1] *= act.vivid
    tones[..., 2] *= act.bright * (1 + act.shade * _slope(sprite.shape[:2], act.lit))
    tones = np.clip(tones, 0, 255).astype(np.uint8)
    return np.concatenate([cv2.cvtColor(tones, cv2.COLOR_HSV2RGB), sprite[..., 3:]], axis=-1).astype(np.uint8)


def _slope(shape: tuple[int, int], degrees: float) -> NDArray[np.float32]:
    """From -1 to 1 across a picture of this (height, width), upwards in a direction."""
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    across, along = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    slope: NDArray[np.float32] = ((x[None] * across + y[:, None] * along) / max(abs(across) + abs(along), 1e-6)).astype(
        np.float32
    )
    return slope


def _turned(sprite: Sprite, degrees: float) -> Sprite:
    height, width = sprite.shape[:2]
    cosine, sine = abs(np.cos(np.radians(degrees))), abs(np.sin(np.radians(degrees)))
    size = (int(width * cosine + height * sine) + 1, int(width * sine + height * cosine) + 1)
    move = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    move[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    return np.asarray(cv2.warpAffine(sprite, move, size), np.uint8)


def _swaying(sprite: Sprite, reach: float, rng: np.random.Generator) -> Painter:
    phase = float(rng.uniform(0, 6))
    return lambda t: (sprite, reach * np.sin(0.9 * t + phase), 0.5 * reach * np.sin(1.7 * t + phase))


def _words(act: WordsAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    @lru_cache(maxsize=4)
    def drawn(number: int) -> Sprite:
        text = act.text.replace("{n}", str(number))
        letters = lettering(play.split, text, int(act.size * play.size[1]), act.ink, act.bold, act.font)
        return letters if act.plate is None else _on_plate(letters, act.plate)

    def paint(t: float) -> tuple[Sprite, float, float]:
        steps = int((t - act.since) / act.every + 1e-6) if act.every else 0
        return drawn(act.start + act.step * steps), 0.0, 0.0

    return paint


def _on_plate(letters: Sprite, plate: str) -> Sprite:
    height, width = letters.shape[:2]
    margin = height // 2
    picture, pen = canvas(width + 2 * margin, height + 2 * margin)
    pen.rounded_rectangle((0, 0, picture.width - 1, picture.height - 1), margin // 2, fill=plate)
    picture.alpha_composite(Pillow.fromarray(letters), (margin, margin))
    return np.asarray(picture)


def _card(act: CardAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    width, height = (int(0.6 * play.size[0]), int(0.2 * play.size[1]))
    picture, pen = canvas(width, height)
    if act.style == "dev":
        pen.rounded_rectangle((0, 0, width - 1, height - 1), 12, fill="#ffffffeb")
        pen.text((16, height * 0.12), act.name, font=font_for(act.name, play.split, 0.21 * height), fill="#181c22")
        pen.text((16, height * 0.46), act.price, font=font_for(act.price, play.split, 0.36 * height, True), fill="#c4342d")
    else:
        pen.rectangle((0, 0, width - 1, height - 1), fill="#12343b")
        pen.rectangle((0, 0, 10, height - 1), fill="#f2b705")
        pen.text((26, height * 0.5), act.name, font=font_for(act.name, play.split, 0.22 * height), fill="#e8f1f2", anchor="lm")
        pen.text(
            (width - 16, height * 0.5),
            act.price,
            font=font_for(act.price, play.split, 0.3 * height, True),
            fill="#f2b705",
            anchor="rm",
        )
    return _still(np.asarray(picture))


def _slide(act: SlideAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    @lru_cache(maxsize=8)
    def drawn(lines: int) -> Sprite:
        return _slide_with(act, play, lines)

    def paint(t: float) -> tuple[Sprite, float, float]:
        passed = t - act.since - act.enter_s
        lines = min(len(act.lines), int(passed / act.build + 1e-6)) if act.build else len(act.lines)
        return drawn(max(0, lines)), 0.0, 0.0

    return paint


def _slide_with(act: SlideAct, play: Screenplay, lines: int) -> Sprite:
    width, height = play.size
    picture, pen = canvas(width, height)
    light = act.style == "dev"
    pen.rectangle((0, 0, width, height), fill="#fafafa" if light else "#1d2733")
    if light:
        pen.rectangle((0, 0, width, 14), fill="#26547c")
    else:
        pen.rectangle((0, height - 46, width, height), fill="#e07a5f")
    title = (0.06 * width, 0.11 * height) if light else (0.08 * width, 0.07 * height)
    pen.text(title, act.title, font=font_for(act.title, play.split, 0.085 * height, True), fill="#18202c" if light else "#f4f1de")
    for number, line in enumerate(act.lines[:lines]):
        place = (0.07 * width, (0.32 if light else 0.28) * height + number * 0.115 * height)
        text = line if light else f"- {line}"
        pen.text(place, text, font=font_for(line, play.split, 0.055 * height), fill="#323a46" if light else "#cfd8dc")
    if act.photo:
        photo = Pillow.fromarray(photograph(play.split, act.photo))
        photo.thumbnail((int(0.36 * width), int(0.45 * height)))
        picture.alpha_composite(photo, (width - photo.width - 40, height - photo.height - (40 if light else 70)))
    return np.asarray(picture)


def _pointer(act: PointerAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    picture, pen = canvas(17, 17)
    pen.ellipse((1, 1, 15, 15), fill=act.ink)
    sprite, (wide, high), phase = np.asarray(picture), play.size, float(rng.uniform(0, 6))
    return lambda t: (
        sprite,
        wide * (0.3 * np.sin(0.9 * t + phase) + 0.06 * np.sin(2.3 * t)),
        high * 0.22 * np.sin(0.6 * t + 1 + phase),
    )


def _flame(act: FlameAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    fire: Fire = RisingHeat(rng) if act.style == "dev" else Tongues(rng)
    height = int(act.height * play.size[1])
    width = int(height * 80 / 96)

    def paint(t: float) -> tuple[Sprite, float, float]:
        grown = min(1.0, max(0.0, (t - act.since) / act.grow)) if act.grow else 1.0
        return coloured(fire.step(0.2 + 0.8 * grown * grown * (3 - 2 * grown)), width, height), 0.0, -height / 2

    return paint


def _patch(act: PatchAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    width, height = int(act.size[0] * play.size[0]), int(act.size[1] * play.size[1])
    picture, pen = canvas(width, height)
    if act.round:
        pen.ellipse((0, 0, width - 1, height - 1), fill=act.ink)
    else:
        pen.rounded_rectangle((0, 0, width - 1, height - 1), width // 5, fill=act.ink)
    sprite = _shaded(np.asarray(picture))
    reach = act.swing * play.size[0]
    return lambda t: (sprite, reach * np.sin(2 * np.pi * t / act.period), 0.0)


def _shaded(sprite: Sprite) -> Sprite:
    """Darker towards the right, with folds: nothing real is of one flat colour."""
    height, width = sprite.shape[:2]
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    shade = (1.0 - 0.35 * x + 0.08 * np.sin(14 * x + 5 * y))[..., None]
    colour = (sprite[..., :3] * shade).clip(0, 255).astype(np.uint8)
    return np.concatenate([colour, sprite[..., 3:]], axis=-1)


def _leaves(act: LeavesAct, play: Screenplay, rng: np.random.Generator) -> Painter:
    width, height = play.size
    place = rng.uniform((0, 0), (1, 0.32), (act.many, 2))
    size, phase, pace = rng.uniform(6, 20, act.many), rng.uniform(0, 6, act.many), rng.uniform(1, 3, act.many)
    tone = rng.integers(-30, 30, act.many)
    base = np.array([58, 96, 40] if act.style == "dev" else [112, 118, 48])

    def paint(t: float) -> tuple[Sprite, float, float]:
        sprite = np.zeros((height, width, 4), np.uint8)
        for i in range(act.many):
            wind = 6 * np.sin(pace[i] * t + phase[i]) + 4 * np.sin(0.4 * t)
            centre = (int(place[i, 0] * width + wind), int(place[i, 1] * height + wind / 3))
            colour = (*(int(v) for v in (base + tone[i]).clip(0, 255)), 255)
            axes = (int(size[i]), int(size[i] / 2.5))
            cv2.ellipse(sprite, centre, axes, float(40 + 60 * np.sin(phase[i]) + 3 * wind), 0, 360, colour, -1)
        return sprite, 0.0, 0.0

    return paint


_PAINTERS: dict[type[Any], Callable[[Any, Screenplay, np.random.Generator], Painter]] = {
    PhotoAct: _photo,
    PictureAct: _picture,
    WordsAct: _words,
    CardAct: _card,
    SlideAct: _slide,
    PointerAct: _pointer,
    FlameAct: _flame,
    PatchAct: _patch,
    LeavesAct: _leaves,
}
