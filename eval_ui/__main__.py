"""The command line of studies: `python -m eval_ui COMMAND`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from eval_ui import commands
from eval_ui.house import House
from joyvl_app.cli import entry
from joyvl_app.cli.entry import run_command
from joyvl_app.settings import load_settings

R = TypeVar("R")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 is success, 2 is something the user can mend."""
    return run_command(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eval_ui", description="Studies in which people compare two assistants, blind.")
    under = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_create(under)
    importing = under.add_parser("import", help="take a study in: study.yaml, or the folder it lies in")
    importing.add_argument("path", type=Path)
    importing.set_defaults(run=_with_house(lambda house, options: commands.take_in(house, options.path)))
    listing = under.add_parser("list", help="the studies that are there")
    listing.set_defaults(run=_with_house(lambda house, options: commands.list_all(house)))
    results = _of_study(under, "results", "the paper's table with intervals, on the terminal")
    results.add_argument("--question", choices=("quality", "timing", "overall"), default="overall")
    results.add_argument("--with-flagged", action="store_true", help="count raters who failed two attention checks, too")
    results.set_defaults(run=_with_house(lambda house, o: commands.show_results(house, o.study, o.question, o.with_flagged)))
    _add_export(under)
    for command, state, help in (("close", "closed", "take no more votes"), ("reopen", "open", "take votes again")):
        one = _of_study(under, command, help)
        one.set_defaults(run=_with_house(lambda house, o, state=state: commands.set_state(house, o.study, state)))
    deleting = _of_study(under, "delete", "delete a study and its clips")
    deleting.add_argument("--with-votes", action="store_true", help="even if people have voted in it")
    deleting.set_defaults(run=_with_house(lambda house, o: commands.delete(house, o.study, o.with_votes)))
    _add_invite(under)
    _add_transcribe(under)
    serving = under.add_parser("serve", help="the rating page alone")
    entry.add_address(serving)
    serving.set_defaults(run=_serve)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from eval_ui.wing import build_rating_app

    return entry.serve(options, build_rating_app, "The rating page is at http://{host}:{port} (Ctrl+C ends it)")


def _add_create(under: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    creating = under.add_parser("create", help="run systems on evaluation cases and make a study of their logs")
    creating.add_argument(
        "--from", dest="cases", type=Path, action="append", required=True, metavar="CASES", help="case files or folders"
    )
    creating.add_argument(
        "--system", action="append", required=True, metavar="DECIDER", help="twice or more; the first is the subject"
    )
    creating.add_argument("--name", default="", help="the study's id; raters see it (default: a random one)")
    creating.add_argument("--out", type=Path, help="folder for it (default: DATA_DIR/studies/NAME)")
    creating.add_argument("--most", type=int, default=20, metavar="N", help="cases at most (default: 20)")
    creating.add_argument("--only", default="", metavar="TEXT", help="only cases whose id contains this")
    creating.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    creating.set_defaults(run=_with_house(lambda house, options: commands.create(house, options)))


def _add_export(under: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    exporting = _of_study(under, "export", "votes as JSONL, CSV and Parquet with a data card")
    exporting.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    exporting.add_argument("--format", choices=("jsonl", "csv", "parquet", "all"), default="all")
    exporting.add_argument("--names", action="store_true", help="name the systems (default: system A, system B …)")
    exporting.set_defaults(run=_with_house(lambda house, o: commands.export_votes(house, o.study, o.out, o.format, o.names)))


def _add_invite(under: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    inviting = _of_study(under, "invite", "make invitation codes; they are shown once")
    inviting.add_argument("--codes", type=int, default=1, metavar="N", help="how many (default: 1)")
    inviting.add_argument("--uses", type=int, default=1, metavar="N", help="browsers that one code lets in (default: 1)")
    inviting.add_argument("--days", type=float, default=30, metavar="D", help="days until they expire (default: 30)")
    inviting.set_defaults(run=_with_house(lambda house, o: commands.invite(house, o.study, o.codes, o.uses, o.days)))


def _add_transcribe(under: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    writing = under.add_parser("transcribe", help="write down what is said in a screen recording, as an event log to be mended")
    writing.add_argument("recording", type=Path)
    writing.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")
    writing.add_argument("--language", choices=("en", "zh"), default="en")
    writing.set_defaults(run=lambda o: asyncio.run(commands.transcribe(o.recording, o.out, o.language, load_settings())))


def _of_study(under: argparse._SubParsersAction[argparse.ArgumentParser], command: str, help: str) -> argparse.ArgumentParser:
    parser = under.add_parser(command, help=help)
    parser.add_argument("study", help="its id")
    return parser


def _with_house(work: Callable[..., Awaitable[int]]) -> Callable[[argparse.Namespace], int]:
    """A command that needs the database: opened before, closed after."""

    async def run(options: argparse.Namespace) -> int:
        house = House(load_settings())
        try:
            return await work(house, options)
        finally:
            await house.aclose()

    return lambda options: asyncio.run(run(options))


if __name__ == "__main__":
    sys.exit(main())
