"""The command line of the project: `python -m joyvl_app COMMAND`."""

from __future__ import annotations

import argparse
import sys

from joyvl_app import __version__
from joyvl_app.cli import bench, data, doctor, eval, serve, train, watch
from joyvl_app.cli.entry import run_command


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 is success, 2 is something the user can mend."""
    parser = argparse.ArgumentParser(prog="joyvl_app", description="An assistant that watches and decides every second.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (watch, serve, doctor, bench, eval, data, train):
        command.add_parser(commands)
    return run_command(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
