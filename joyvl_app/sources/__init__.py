"""Where pictures come from on the command line; in the page the browser is the source (ui/rtc.py)."""

from __future__ import annotations

from pathlib import Path

from joyvl_app.errors import BadInput
from joyvl_app.ports import Source
from joyvl_app.sources.picture import PictureSource, is_picture
from joyvl_app.sources.video import VideoSource

__all__ = ["PictureSource", "VideoSource", "open_source"]


def open_source(path: str, rate: float, max_side: int) -> Source:
    """The source for a file, giving about `rate` pictures a second. Raises BadInput when nothing can be seen in it."""
    file = Path(path)
    if not file.exists():
        raise BadInput(f"There is no file {path}.")
    if file.is_dir() or file.stat().st_size == 0:
        raise BadInput(f"{path} is {'a folder' if file.is_dir() else 'empty'}; give a video or a picture.")
    return PictureSource(file, rate, max_side) if is_picture(file) else VideoSource(file, rate, max_side)
