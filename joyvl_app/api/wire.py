"""What clients of the public servers send, read strictly where it matters and leniently where they differ.

Sources, as facts: the JoyAI-VL-Interaction reference server's HTTP interface and vLLM-Omni's `joyvl` server's.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from joyvl_app.domain import Image
from joyvl_app.errors import BadInput
from joyvl_app.sources.encoded import decode

MAX_BYTES = 32 << 20
MAX_FRAMES = 16
MAX_ID = 200
_LATEST = 10_000_000.0  # seconds: nobody streams for four months
_SECONDS = r"(\d{1,9}(?:\.\d{1,6})?)\s*s(?:ec(?:onds?)?)?"
_RANGE = re.compile(rf"<?\s*{_SECONDS}\s*(?:[~-]\s*{_SECONDS}\s*)?>?", re.I)
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.I)
_HEADER_TIMES = ("x-frame-time-range", "x-streaming-time-range")
_BODY_TIMES = ("x_frame_time_range", "frame_time_range")

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request: its session ("" when it named none), the query ("" when there is none), pictures with their second or None."""

    session: str
    query: str
    images: tuple[Image, ...]
    times: tuple[float | None, ...]
    stream: bool = False


def read_body(raw: bytes) -> dict[str, Any]:
    """Raises BadInput when it is no JSON object."""
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadInput("The request's body is not JSON.") from error
    if not isinstance(body, dict):
        raise BadInput("The request's body must be a JSON object.")
    return body


def session_of(headers: Mapping[str, str], body: Body) -> str:
    """`x-streaming-session`, else `x-session-id`, else the body's `user` or `session_id`; "" without any. Raises BadInput."""
    for value in (headers.get("x-streaming-session"), headers.get("x-session-id"), body.get("user"), body.get("session_id")):
        if value is None or value == "":
            continue
        if not isinstance(value, str) or len(value) > MAX_ID or not value.isprintable():
            raise BadInput(f"A session id is a text of at most {MAX_ID} printable characters.")
        return value
    return ""


def read_request(headers: Mapping[str, str], body: Body, max_side: int) -> Asked:
    """Decodes the pictures, so call it off the loop. Raises BadInput naming what is wrong."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadInput("'messages' must be a list of chat messages.")
    text = _last_text(messages)
    images = tuple(decode(_picture_bytes(url), max_side) for url in _urls(messages))
    query = "\n".join(line for line in text.splitlines() if line.strip() and not _RANGE.fullmatch(line.strip()))
    if not images and not query.strip():
        raise BadInput("The request holds neither a picture (image_url with a data URL) nor a question.")
    times = _times(headers, body, text, len(images))
    return Asked(session_of(headers, body), query.strip(), images, times, body.get("stream") is True)


def seconds(text: object) -> float | None:
    """The first second of "3.0 seconds", "<3s>" or "3.0 seconds ~ 4.0 seconds"; None for anything else."""
    match = _RANGE.fullmatch(str(text).strip()) if isinstance(text, str) else None
    value = float(match.group(1)) if match else math.nan
    return value if 0 <= value <= _LATEST else None


def _times(headers: Mapping[str, str], body: Body, text: str, count: int) -> tuple[float | None, ...]:
    """A second for each picture: from the list, else one for the first; None where the session's own count goes on."""
    listed = body.get("frame_time_ranges")
    found = [seconds(entry) for entry in listed[:count]] if isinstance(listed, list) else []
    if not any(value is not None for value in found):
        lines = (line for line in text.splitlines() if line.strip().startswith("<"))
        single = (*(headers.get(name) for name in _HEADER_TIMES), *(body.get(name) for name in _BODY_TIMES), *lines)
        found = [next((value for value in map(seconds, single) if value is not None), None)]
    return tuple(found[:count]) + (None,) * (count - len(found))


def _parts(message: Body) -> Iterable[Body]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _last_text(messages: list[Body]) -> str:
    """The text parts of the last user message."""
    spoken = next((message for message in reversed(messages) if message.get("role") == "user"), {})
    return "\n".join(str(part.get("text", "")) for part in _parts(spoken) if part.get("type") == "text")


def _urls(messages: list[Body]) -> list[str]:
    """All pictures of the last message that has any."""
    for message in reversed(messages):
        shown = [part.get("image_url") for part in _parts(message) if part.get("type") == "image_url"]
        if shown:
            if len(shown) > MAX_FRAMES:
                raise BadInput(f"A request may hold {MAX_FRAMES} pictures; this one has {len(shown)}.")
            return [str(entry.get("url", "")) if isinstance(entry, dict) else str(entry) for entry in shown]
    return []


def _picture_bytes(url: str) -> bytes:
    """Raises BadInput for anything but a data URL: this server fetches nothing and opens no files for strangers."""
    head = _DATA_URL.match(url[:100])
    if not head:
        raise BadInput("Pictures must come as data URLs (data:image/jpeg;base64,…).")
    try:
        return base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("A picture's data URL is not base64.") from error
