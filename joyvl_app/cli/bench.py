"""`python -m joyvl_app bench NAME`: one benchmark; the last line is JSON with what was measured in this run."""

from __future__ import annotations

import argparse

from joyvl_app.bench import BENCHES, run_bench


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bench", help="measure speed and memory")
    parser.add_argument("name", choices=sorted(BENCHES))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when every target is met, 1 otherwise."""
    return 0 if run_bench(options.name) else 1
