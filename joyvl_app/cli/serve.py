"""`python -m joyvl_app serve`: the HTTP API alone."""

from __future__ import annotations

import argparse

from joyvl_app.cli import entry


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("serve", help="serve the HTTP API without the page")
    entry.add_address(parser)
    parser.add_argument("--decider", help="default: the setting JOYVL_DECIDER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from joyvl_app.api.server import build_api

    return entry.serve(options, build_api, "The API is at http://{host}:{port}/v1 (Ctrl+C ends it)", "decider")
