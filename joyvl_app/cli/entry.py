"""What every command line of ours does: an exit status for each kind of ending, errors in words; and a server on a free port."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from joyvl_app.errors import BadInput, JoyError
from joyvl_app.listening import check_port
from joyvl_app.settings import Settings, load_settings

_BAD_INPUT = 2
_MOST_JOBS = 64


def run_command(parser: argparse.ArgumentParser, arguments: list[str] | None) -> int:
    """Run the command that `arguments` name; 0 is success, 2 is something the user can mend."""
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except JoyError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return _BAD_INPUT
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="default: the setting JOYVL_HOST")
    parser.add_argument("--port", type=int, help="default: the setting JOYVL_PORT")


def add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes at once; default: one for each core")


def jobs_of(options: argparse.Namespace) -> int:
    """How many processes at once. Raises BadInput."""
    wanted = int(options.jobs)
    if not 0 <= wanted <= _MOST_JOBS:
        raise BadInput(f"--jobs must be between 1 and {_MOST_JOBS}.")
    return wanted or min(_MOST_JOBS, os.cpu_count() or 1)


def settings_with(options: argparse.Namespace, *names: str) -> Settings:
    """The settings, in whose place the options `names` stand where they are given."""
    return load_settings().model_copy(update={name: value for name in names if (value := getattr(options, name))})


def serve(options: argparse.Namespace, build: Callable[[Settings], Any], told: str, *names: str) -> int:
    """Serve what `build` makes until interrupted; `told` names the address as {host} and {port}. Of the options, host, port and
    `names` take the settings' place. Raises BadInput or MissingPart before anything listens.
    """
    import uvicorn

    settings = settings_with(options, "host", "port", *names)
    if not 1 <= settings.port <= 65_535:
        raise BadInput("--port must be between 1 and 65535.")
    check_port(settings.host, settings.port)
    app = build(settings)
    print(told.format(host=settings.host, port=settings.port), flush=True)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=3)
    return 0
