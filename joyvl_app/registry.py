"""Explicit tables: name → how to make a provider. Nothing heavy is imported until its provider is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Generic, TypeVar

from joyvl_app.errors import BadInput, MissingPart
from joyvl_app.ports import Clock
from joyvl_app.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """How to make a provider, what it is for, and the packages it needs (import name → install name)."""

    make: Callable[[Clock, Settings], T]
    about: str
    needs: tuple[tuple[str, str], ...] = ()

    def missing(self) -> list[str]:
        return [install for module, install in self.needs if find_spec(module) is None]


class Registry(Generic[T]):
    """One port's providers by name. A repeated name is refused, an unknown one lists the choices."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._entries: dict[str, Entry[T]] = {}

    def add(self, name: str, entry: Entry[T]) -> None:
        if name in self._entries:
            raise BadInput(f"There is already a {self._port} called '{name}'.")
        self._entries[name] = entry

    @property
    def entries(self) -> dict[str, Entry[T]]:
        return dict(self._entries)

    def make(self, name: str, clock: Clock, settings: Settings) -> T:
        """Raises BadInput for an unknown name, MissingPart naming what to install."""
        return self.check(name).make(clock, settings)

    def check(self, name: str) -> Entry[T]:
        """The entry of a name that can be made. Raises as `make`."""
        if name not in self._entries:
            raise BadInput(f"There is no {self._port} '{name}'. Choose from: {', '.join(self._entries)}.")
        entry = self._entries[name]
        if missing := entry.missing():
            raise MissingPart(f"The {self._port} '{name}' needs: pip install {' '.join(missing)}")
        return entry
