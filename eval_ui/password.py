"""Who may see results: whoever knows JOYVL_RATING_PASSWORD. A signed cookie remembers it for a day; guessing is slow."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque

from fastapi import Request, Response

from joyvl_app.errors import BadInput, Busy, JoyError

_COOKIE = "joyvl_results"
_SECONDS = 86_400
_TRIES, _WITHIN = 10, 60.0  # wrong passwords in so many seconds, from one address
_MOST = 1_000  # addresses remembered


class NotAllowed(JoyError):
    """The password has not been given, or not the right one."""


class Gate:
    """Off without a password: then nothing of the results can be asked for."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._salt = hashlib.sha256(b"joyvl results\n" + self._password).digest()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def on(self) -> bool:
        return bool(self._password)

    def enter(self, password: str, address: str, response: Response, https: bool) -> None:
        """Set the cookie. Raises NotAllowed, or Busy after too many wrong ones from this address."""
        if not self.on:
            raise BadInput("There are no results here: JOYVL_RATING_PASSWORD is not set.")
        wrong = self._of(address)
        if len(wrong) == _TRIES and time.monotonic() - wrong[0] < _WITHIN:
            raise Busy("Too many wrong passwords. Wait a minute.")
        if not secrets.compare_digest(password.encode("utf-8", "replace"), self._password):
            wrong.append(time.monotonic())
            raise NotAllowed("That is not the password.")
        until = str(int(time.time()) + _SECONDS)
        scope = "SameSite=None; Secure; Partitioned" if https else "SameSite=Strict"
        cookie = f"{_COOKIE}={until}.{self._signed(until)}; Path=/rating; Max-Age={_SECONDS}; HttpOnly; {scope}"
        response.headers.append("set-cookie", cookie)

    def check(self, request: Request) -> None:
        """Raises NotAllowed for whoever has not entered."""
        until, _, signature = request.cookies.get(_COOKIE, "").partition(".")
        fresh = until.isascii() and until.isdigit() and len(until) < 12 and int(until) > time.time()
        if not (self.on and fresh and hmac.compare_digest(signature.encode(), self._signed(until).encode())):
            raise NotAllowed("Results are for those who run the study: give the password.")

    def _of(self, address: str) -> deque[float]:
        wrong = self._wrong.setdefault(address, deque(maxlen=_TRIES))
        self._wrong.move_to_end(address)
        if len(self._wrong) > _MOST:
            self._wrong.popitem(last=False)
        return wrong

    def _signed(self, until: str) -> str:
        return hmac.new(self._salt, until.encode(), hashlib.sha256).hexdigest()
