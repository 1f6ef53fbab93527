"""Key frames of one session: small JPEGs, one every few seconds and when something happens, so many in memory."""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from joyvl_app.domain import Frame, Image
from joyvl_app.sources.scaling import fit

_EVERY = 5.0  # seconds between key frames
_AT_ONCE = 1.0  # … when something happens
_STILL_EVERY = 60.0  # … of a picture that stands still
_STILL = 2.0  # grey levels between two thumbnails, on average
_SIDE, _QUALITY = 640, 80
_THUMB = (32, 18)


@dataclass(frozen=True)
class KeyFrame:
    t: float
    jpeg: bytes


class Gallery:
    """Encodes on the given thread; `keep` is told of every key frame, on that thread."""

    def __init__(self, pool: ThreadPoolExecutor, most: int, keep: Callable[[KeyFrame], None]) -> None:
        self._pool, self._keep = pool, keep
        self._frames: deque[KeyFrame] = deque(maxlen=max(1, most))
        self._lock = threading.Lock()
        self._last_t = -_STILL_EVERY
        self._kept_t = -2 * _STILL_EVERY
        self._thumb: Image | None = None
        self._busy = False

    def see(self, frame: Frame, happening: bool) -> None:
        """Offer a picture; it is taken when it is time for one."""
        if self._busy or frame.t - self._last_t < (_AT_ONCE if happening else _EVERY):
            return
        self._busy, self._last_t = True, frame.t
        self._pool.submit(self._take, frame, happening)

    def near(self, t: float) -> KeyFrame | None:
        """The key frame closest to second `t`."""
        with self._lock:
            return min(self._frames, key=lambda kept: abs(kept.t - t), default=None)

    def between(self, since: float, until: float, most: int) -> list[KeyFrame]:
        """Up to `most` of a stretch's key frames, evenly chosen."""
        with self._lock:
            there = [kept for kept in self._frames if since <= kept.t <= until]
        step = max(1.0, len(there) / most)
        return [there[int(number * step)] for number in range(min(most, len(there)))]

    def _take(self, frame: Frame, happening: bool) -> None:
        try:
            thumb = cv2.resize(frame.image, _THUMB, interpolation=cv2.INTER_AREA)
            still = self._thumb is not None and float(np.abs(thumb.astype(np.int16) - self._thumb).mean()) < _STILL
            if still and not happening and frame.t - self._kept_t < _STILL_EVERY:
                return
            self._thumb, self._kept_t = thumb.astype(np.uint8), frame.t
            key_frame = KeyFrame(frame.t, encode(frame.image))
            with self._lock:
                self._frames.append(key_frame)
            self._keep(key_frame)
        finally:
            self._busy = False


def encode(image: Image) -> bytes:
    """A small JPEG of an RGB picture."""
    bgr = cv2.cvtColor(fit(image, _SIDE), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()


def data_url(image: Image) -> str:
    """The same, as chat servers take it."""
    return f"data:image/jpeg;base64,{base64.b64encode(encode(image)).decode()}"


def decode(jpeg: bytes) -> Image:
    """The picture of a key frame, RGB."""
    found: Image = cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return found
