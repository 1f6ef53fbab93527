"""Whether an address can be listened on, told before anything heavy is loaded."""

from __future__ import annotations

import socket

from joyvl_app.errors import BadInput


def check_port(host: str, port: int) -> None:
    """Raises BadInput when something else already listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadInput(f"{host}:{port} cannot be listened on ({error.strerror}). Try JOYVL_PORT={port + 1}.") from error
