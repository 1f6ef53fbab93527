"""What the networks found, remembered by picture and weights: a replay of the same footage costs no second pass.

A remembered result is never kinder than life: the seconds it once took are owed to the clock (`Worker.owed`).
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import TypeAdapter

from joyvl_app.domain import Box, Image
from joyvl_app.errors import BadInput
from joyvl_app.perception.eyes import Nets
from joyvl_app.perception.models import MODELS
from joyvl_app.perception.reader import Line, Reader

T = TypeVar("T")
_BOXES, _SCORES, _LINES = TypeAdapter(list[Box]), TypeAdapter(dict[str, float]), TypeAdapter(tuple[Line, ...])
_CODE = ("detector.py", "faces.py", "reader.py")  # they turn the networks' outputs into results


class PerceptionCache:
    """Results in one SQLite file, shared by processes; past `max_mb` nothing more is stored."""

    def __init__(self, path: Path, max_mb: int = 2_000) -> None:
        self._lock = threading.Lock()
        self._local = threading.local()
        self._max_bytes = max_mb << 20
        self._weights = _fingerprint()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")  # a lost cache is only made again
            self._db.execute("CREATE TABLE IF NOT EXISTS found (key BLOB PRIMARY KEY, value BLOB, seconds REAL) WITHOUT ROWID")
        except (sqlite3.Error, OSError) as error:
            raise BadInput(f"The perception cache {path} cannot be used: {error}. Delete it, or name another folder.") from error

    def nets(self, nets: Nets) -> Nets:
        """The same networks with a memory."""
        return Nets(
            detector=lambda image, undistorted=False: self._recall(
                f"things {undistorted}", _BOXES, image, lambda: nets.detector(image, undistorted)
            ),
            faces=lambda image: self._recall("faces", _BOXES, image, lambda: nets.faces(image)),
            expression=lambda image, face: self._recall(
                f"expression {face.x0:.5f} {face.y0:.5f} {face.x1:.5f} {face.y1:.5f}",
                _SCORES,
                image,
                lambda: nets.expression(image, face),
            ),
        )

    def reader(self, reader: Reader) -> Reader:
        return lambda image: self._recall("text", _LINES, image, lambda: reader(image))

    def take_owed(self) -> float:
        """Seconds that this thread's remembered results once took, since it last asked."""
        owed: float = getattr(self._local, "owed", 0.0)
        self._local.owed = 0.0
        return owed

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _recall(self, kind: str, adapter: TypeAdapter[T], image: Image, compute: Callable[[], T]) -> T:
        key = hashlib.blake2b(f"{kind} {image.shape}".encode(), key=self._weights, digest_size=16)
        key.update(np.ascontiguousarray(image).data)
        with self._lock:
            row = self._db.execute("SELECT value, seconds FROM found WHERE key = ?", (key.digest(),)).fetchone()
        if row:
            self._local.owed = getattr(self._local, "owed", 0.0) + row[1]
            return adapter.validate_json(row[0])
        began = time.perf_counter()
        value = compute()
        self._keep(key.digest(), adapter.dump_json(value), time.perf_counter() - began)
        return value

    def _keep(self, key: bytes, value: bytes, seconds: float) -> None:
        with self._lock:
            if self._size() < self._max_bytes:
                self._db.execute("INSERT OR IGNORE INTO found VALUES (?, ?, ?)", (key, value, seconds))

    def _size(self) -> int:
        pages: int = self._db.execute("PRAGMA page_count").fetchone()[0]
        return pages * 4_096


def _fingerprint() -> bytes:
    """Of the weights and of the code that decodes them: either one changed makes every result another."""
    from rapidocr import __file__ as rapidocr

    digest = hashlib.blake2b(digest_size=32)
    for path in (*sorted(MODELS.glob("*.onnx")), *sorted(Path(str(rapidocr)).parent.glob("models/*.onnx"))):
        digest.update(path.read_bytes())
    for name in _CODE:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.digest()
