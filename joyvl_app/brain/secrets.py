"""What must never be shown: keys and passwords of the settings and of the MCP servers, wherever they turn up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from joyvl_app.ports import Errand
from joyvl_app.settings import Settings

_KEY = re.compile(r"^-.*(?:key|token|secret|password)", re.I)
_LONG = 8
_SHORTEST = 4  # characters; what is shorter would blot out ordinary words
_BLOT = "•••"


class Secrets:
    """The values to blot out; `add` takes more of them."""

    def __init__(self, settings: Settings) -> None:
        self._values: set[str] = set()
        for value in settings.model_dump().values():
            self.add(value.get_secret_value() if isinstance(value, SecretStr) else value)
            if isinstance(value, SecretStr):
                self._values.add(value.get_secret_value())

    def add(self, value: object) -> None:
        """Take in the password of an address, or every `env` and `headers` value of a server's description."""
        self._values.update(_passwords(value))

    def hidden(self, text: str) -> str:
        """The text without them."""
        for secret in sorted(self._values, key=len, reverse=True):
            text = text.replace(secret, _BLOT) if len(secret) >= _SHORTEST else text
        return text


class Discreet:
    """An errand that shows no secrets."""

    def __init__(self, errand: Errand, secrets: Secrets) -> None:
        self._errand, self._secrets = errand, secrets

    def report(self, step: str) -> None:
        self._errand.report(self._secrets.hidden(step))

    async def allowed(self, action: str, details: str) -> bool:
        return await self._errand.allowed(self._secrets.hidden(action), self._secrets.hidden(details))


def _passwords(value: Any) -> Iterator[str]:
    """Passwords and keys in an address; in a server's description also what its environment, headers and arguments hold."""
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        yield from ([parts.password] if parts.password else [])
        yield from (part for _, part in parse_qsl(parts.query) if len(part) >= _LONG)
    if not isinstance(value, Mapping):
        return
    for name in ("env", "headers"):
        for text in (str(part) for part in (value.get(name) or {}).values()):
            yield text
            yield from (word for word in text.split() if len(word) >= _LONG)
    yield from _passwords(value.get("url"))
    arguments = [str(argument) for argument in value.get("args") or ()]
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if _KEY.search(before.partition("=")[0]):
            yield argument
        if _KEY.search(argument.partition("=")[0]) and "=" in argument:
            yield argument.partition("=")[2]
