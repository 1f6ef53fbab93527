"""Screenplay → pictures → an MP4 in the cache, named by the hash of everything that went into it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from joyvl_app.domain import Image
from joyvl_app.evals.render.material import EVALS, TRAIN, Sprite, drawn_thing, photograph
from joyvl_app.evals.render.painters import Painter, painter
from joyvl_app.evals.render.screenplay import Act, Backdrop, PictureAct, Screenplay, WordsAct

_LITTER = 5  # keeps its random numbers apart from the acts'
_NOISES = 8  # fields of sensor noise, shifted at random for every picture


def pictures(play: Screenplay) -> Iterator[Image]:
    """The clip's pictures, RGB uint8; the same screenplay gives the same pictures."""
    yield from looks(play, (number / play.fps for number in range(round(play.seconds * play.fps))))


def looks(play: Screenplay, times: Iterable[float]) -> Iterator[Image]:
    """The picture at each of `times` (seconds, in order)."""
    rng = np.random.default_rng(play.seed)
    cast = [(act, painter(act, play, np.random.default_rng((play.seed, number)))) for number, act in enumerate(play.acts)]
    behind, noise = _backdrop(play.backdrop, play), sensor_noise(rng, play.size, play.noise)
    for t in times:
        image = behind.copy()
        for act, paint in cast:
            _stage(image, act, paint, t, play.size)
        yield noise(_lit(image, play, t))


def film(play: Screenplay, folder: Path) -> Path:
    """The rendered clip, from the cache if it was rendered before; safe to call from several processes."""
    path = folder / f"{fingerprint(play)}.mp4"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        _encode(part, play)
        part.replace(path)
    return path


def sensor_noise(rng: np.random.Generator, size: tuple[int, int], sigma: float, many: int = _NOISES) -> Callable[[Image], Image]:
    """A function that adds fresh noise of `sigma` grey levels to each picture of `size` (width, height), from `many` fields."""
    width, height = size
    fields: list[NDArray[np.int16]] = [
        rng.normal(0, sigma, (height, width, 1)).round().astype(np.int16) for _ in range(many if sigma else 0)
    ]

    def noisy(image: Image) -> Image:
        if not fields:
            return image
        field = np.roll(fields[int(rng.integers(many))], (int(rng.integers(height)), int(rng.integers(width))), (0, 1))
        noised: Image = np.clip(image + field, 0, 255).astype(np.uint8)
        return noised

    return noisy


def _stage(image: Image, act: Act, paint: Painter, t: float, size: tuple[int, int]) -> None:
    if not act.since <= t < act.to:
        return
    share = _entered(act, t)
    sprite, dx, dy = paint(t)
    x, y = act.at[0] * size[0] + dx, act.at[1] * size[1] + dy
    if act.enter in ("left", "right"):
        way = size[0] * (1 - share) * (-1 if act.enter == "left" else 1)
        x += way
    elif act.enter == "rise":
        y += size[1] * (1 - share)
    _blit(image, sprite, round(x), round(y), share if act.enter == "fade" else 1.0)


def _entered(act: Act, t: float) -> float:
    """0 outside, 1 fully there."""
    coming = (t - act.since) / act.enter_s if act.enter_s else 1.0
    going = (act.to - t) / act.leave_s if act.leave_s else 1.0
    x = min(1.0, max(0.0, min(coming, going)))
    return x * x * (3 - 2 * x)


def _blit(image: Image, sprite: Sprite, x: int, y: int, opacity: float) -> None:
    """Draw a sprite centred at a pixel, as much of it as lies in the picture."""
    height, width = sprite.shape[:2]
    left, top = x - width // 2, y - height // 2
    x0, y0, x1, y1 = max(0, left), max(0, top), min(image.shape[1], left + width), min(image.shape[0], top + height)
    if x0 >= x1 or y0 >= y1:
        return
    part = sprite[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = part[..., 3:].astype(np.float32) * (opacity / 255)
    under = image[y0:y1, x0:x1]
    under[:] = (under + (part[..., :3].astype(np.float32) - under) * alpha).astype(np.uint8)


def _backdrop(backdrop: Backdrop, play: Screenplay) -> Image:
    width, height = play.size
    if backdrop.kind == "photo" and backdrop.photo:
        image = _filling(_part(photograph(play.split, backdrop.photo)[..., :3], backdrop), width, height)
    else:
        top, bottom = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)], np.float32) for c in backdrop.colours)
        share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        image = np.broadcast_to(top + (bottom - top) * share, (height, width, 3)).astype(np.uint8).copy()
        if backdrop.kind == "room":
            _furnish(image, play)
        elif backdrop.kind == "clutter":
            _litter(image, np.random.default_rng((play.seed, _LITTER)))
    return cv2.GaussianBlur(image, (0, 0), backdrop.blur).astype(np.uint8) if backdrop.blur else image


def _filling(photo: Image, width: int, height: int) -> Image:
    scale = max(width / photo.shape[1], height / photo.shape[0])
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])


def _part(photo: Image, backdrop: Backdrop) -> Image:
    height, width = (int(side / backdrop.zoom) for side in photo.shape[:2])
    top, left = int(backdrop.at[1] * (photo.shape[0] - height)), int(backdrop.at[0] * (photo.shape[1] - width))
    part = photo[top : top + height, left : left + width]
    return part[:, ::-1] if backdrop.mirror else part


def _litter(image: Image, rng: np.random.Generator) -> None:
    """Boxes, discs and strokes of all colours."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(3, 25))):
        colour = tuple(int(tone) for tone in rng.integers(0, 256, 3))
        a, b = (tuple(int(v) for v in rng.integers(0, (width, height))) for _ in range(2))
        kind = int(rng.integers(3))
        if kind == 0:
            cv2.rectangle(image, a, b, colour, -1)
        elif kind == 1:
            cv2.circle(image, a, int(rng.uniform(0.03, 0.3) * height), colour, int(rng.choice((-1, 1, 2, 4))))
        else:
            cv2.line(image, a, b, colour, int(rng.integers(1, max(2, height // 16))))


def _furnish(image: Image, play: Screenplay) -> None:
    """A window, a floor and a sideboard, each split's in its own place."""
    height, width = image.shape[:2]
    floor = int(0.82 * height)
    image[floor:] = (image[floor:] * 0.7).astype(np.uint8)
    x = int((0.06 if play.split == "dev" else 0.66) * width)
    cv2.rectangle(image, (x, int(0.1 * height)), (x + int(0.26 * width), int(0.5 * height)), (214, 226, 236), -1)
    cv2.rectangle(image, (x, int(0.1 * height)), (x + int(0.26 * width), int(0.5 * height)), (240, 240, 236), 6)
    y, near = int(0.62 * height), int((0.7 if play.split == "dev" else 0.04) * width)
    cv2.rectangle(image, (near, y), (near + int(0.24 * width), floor + 12), (106, 80, 58), -1)


def _lit(image: Image, play: Screenplay, t: float) -> Image:
    gain = 1.0
    for light in play.lights:
        share = min(1.0, max(0.0, (t - light.at) / light.over)) if light.over else float(t >= light.at)
        gain += (light.gain - gain) * share
    return image if gain == 1.0 else cv2.convertScaleAbs(image, alpha=gain).astype(np.uint8)


def _encode(path: Path, play: Screenplay) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=play.fps, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height = play.size
        stream.pix_fmt = "yuv420p"
        for image in pictures(play):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())


def fingerprint(play: Screenplay) -> str:
    """Of everything that goes into the clip: screenplay, code, fonts, photographs, drawings."""
    digest = hashlib.blake2b(play.model_dump_json(by_alias=True).encode(), digest_size=12)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for path in sorted((EVALS / "fonts" / play.split).iterdir()):
        digest.update(path.read_bytes())
    for name in sorted(_photographs(play)):
        digest.update((EVALS / "photos" / play.split / f"{name}.webp").read_bytes())
    for act in play.acts:
        if isinstance(act, PictureAct):
            digest.update(drawn_thing(act.picture).tobytes())
        elif isinstance(act, WordsAct) and act.font:
            digest.update((TRAIN / "fonts" / f"{act.font}.ttf").read_bytes())
    return digest.hexdigest()


def _photographs(play: Screenplay) -> set[str]:
    names = {name for act in play.acts if isinstance(name := getattr(act, "photo", None), str)}
    names |= {play.backdrop.photo} if play.backdrop.photo else set()
    for name in names:
        photograph(play.split, name)  # a missing one is told by its name
    return names
