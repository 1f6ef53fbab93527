"""A part of the page that is built in another house: its routes, its tabs, and what its errors mean to HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter


@dataclass(frozen=True)
class Wing:
    """Its routes lie under `prefix`; `tabs` lays Gradio tabs out, `entry` is the first one's; `head` goes into the page's head;
    `statuses` are the HTTP statuses of its own errors.
    """

    prefix: str
    routers: tuple[APIRouter, ...]
    tabs: Callable[[], None]
    entry: str
    head: str
    aclose: Callable[[], Awaitable[None]]
    statuses: Mapping[type[Exception], int] = field(default_factory=dict)
