"""`python -m joyvl_app serve`: the HTTP API alone."""

from __future__ import annotations

import argparse

from joyvl_app.errors import BadInput
from joyvl_app.listening import check_port
from joyvl_app.settings import load_settings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("serve", help="serve the HTTP API without the page")
    parser.add_argument("--host", help="default: the setting JOYVL_HOST")
    parser.add_argument("--port", type=int, help="default: the setting JOYVL_PORT")
    parser.add_argument("--decider", help="default: the setting JOYVL_DECIDER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import uvicorn

    from joyvl_app.api.server import build_api

    changes = {name: value for name in ("host", "port", "decider") if (value := getattr(options, name))}
    settings = load_settings().model_copy(update=changes)
    if not 1 <= settings.port <= 65_535:
        raise BadInput("--port must be between 1 and 65535.")
    check_port(settings.host, settings.port)
    app = build_api(settings)
    print(f"The API is at http://{settings.host}:{settings.port}/v1 (Ctrl+C ends it)", flush=True)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=3)
    return 0
