"""Other cameras: colours, contrast, sharpness and noise that no screenplay varies, so that a model does not count on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from joyvl_app.domain import Image
from joyvl_app.evals.render.film import sensor_noise
from joyvl_app.train.episodes import Episode
from joyvl_app.train.families import SEE

_CAMERAS = 7  # keeps their random numbers apart from the screenplay's
_UNTOUCHED, _BLURRED = 0.4, 0.3  # shares of the cameras
_LUMA = np.array([0.299, 0.587, 0.114])
_SATURATION, _GAIN, _CONTRAST, _LIFT = (0.2, 1.5), (0.8, 1.2), (0.7, 1.25), 20.0
_SOFTEST, _NOISIEST = 1.2, 8.0  # pixels, grey levels
_NOISES = 4  # fields of noise of a camera that takes many pictures


def filmed(made: Episode) -> list[Image]:
    """A picture for each second of an episode, as a camera shows it that is the episode's own (in glimpses: each picture's)."""
    if made.empty:
        return made.pictures()
    return through_cameras(made.pictures(), np.random.default_rng((made.play.seed, _CAMERAS)), each=made.talk.family == SEE)


def through_cameras(images: Sequence[Image], rng: np.random.Generator, each: bool) -> list[Image]:
    """RGB uint8 pictures of one size as one camera may show them; `each` gives every picture a camera of its own."""
    if each:
        return [_camera(rng, image, 1)(image) for image in images]
    camera = _camera(rng, images[0], _NOISES) if images else _same
    return [camera(image) for image in images]


def _same(image: Image) -> Image:
    return image


def _camera(rng: np.random.Generator, like: Image, noises: int) -> Callable[[Image], Image]:
    if rng.random() < _UNTOUCHED:
        return _same
    colours = _colours(rng)
    softness = float(rng.uniform(0.5, _SOFTEST)) if rng.random() < _BLURRED else 0.0
    noisy = sensor_noise(rng, (like.shape[1], like.shape[0]), float(rng.uniform(0, _NOISIEST)), noises)

    def seen(image: Image) -> Image:
        toned = np.asarray(cv2.transform(image, colours), np.uint8)
        return noisy(np.asarray(cv2.GaussianBlur(toned, (0, 0), softness), np.uint8) if softness else toned)

    return seen


def _colours(rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A 3 x 4 matrix: saturation, a gain for each channel, contrast around mid-grey, and a lift."""
    saturation, contrast = rng.uniform(*_SATURATION), rng.uniform(*_CONTRAST)
    mixing = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    mixing *= contrast * rng.uniform(*_GAIN, (3, 1))
    lift = 128 * (1 - contrast) + rng.uniform(-_LIFT, _LIFT)
    return np.hstack([mixing, np.full((3, 1), lift)])
