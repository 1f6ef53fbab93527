"""What the commands do, and what they print."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, select

from eval_ui import ballots, keeping
from eval_ui.house import House
from eval_ui.studies import read_study
from eval_ui.tally import read_tally
from joyvl_app.errors import BadInput
from joyvl_app.settings import Settings
from joyvl_app.store.models import StudyRow

_MOST_CODES, _MOST_USES, _MOST_DAYS, _MOST_CASES = 1_000, 100_000, 3_650, 1_000


async def create(house: House, options: argparse.Namespace) -> int:
    """Runs, study folder, import: all at once."""
    from eval_ui.creating import check_plan, chosen_cases, create
    from joyvl_app.evals.suite import load_suite

    if not 1 <= options.most <= _MOST_CASES or not 1 <= options.jobs <= 64:
        raise BadInput(f"--most is between 1 and {_MOST_CASES}, --jobs between 1 and 64.")
    name = options.name or f"study-{secrets.token_hex(3)}"
    settings, console = house.settings, Console(stderr=True)
    folder: Path = options.out or settings.data_dir / "studies" / name
    check_plan(name, list(dict.fromkeys(options.system)), folder)
    await house.read(lambda connection: _refuse_taken(connection, name))
    with console.status("reading cases, rendering clips that are not in the cache"):
        suite = await asyncio.to_thread(load_suite, options.cases, settings.data_dir / "cache")
    suite.cases = [case for case in suite.cases if options.only in case.id]
    cases = chosen_cases(suite, options.most)
    systems = list(dict.fromkeys(options.system))
    study = await asyncio.to_thread(create, name, suite, cases, systems, settings, folder, options.jobs, print)
    print(f"The study lies in {folder}; edit its study.yaml and import it again as you like, until somebody has voted.")
    return await _taken_in(house, study)


def _refuse_taken(connection: Connection, name: str) -> None:
    if connection.execute(select(StudyRow.id).where(StudyRow.id == name)).first():
        raise BadInput(f"There is a study {name} already; give another --name.")


async def take_in(house: House, path: Path) -> int:
    """Raises BadInput naming all that is wrong; then nothing has been written."""
    return await _taken_in(house, await asyncio.to_thread(read_study, path))


async def _taken_in(house: House, study: Any) -> int:
    told, notes = await house.take_in(study, lambda line: print(f"making ready {line}", flush=True))
    for note in notes:
        print(f"note: {note}")
    print(told)
    return 0


async def list_all(house: House) -> int:
    rows = await house.read(keeping.list_studies)
    for study in reversed(rows):
        print(f"{study['id']}  {study['state']}  {study['raters']} raters")
    if not rows:
        print("There is no study yet: python -m eval_ui create --from scenarios/cases --system embedded --system turn_based")
    return 0


async def show_results(house: House, study: str, question: str, with_flagged: bool) -> int:
    from eval_ui.results import results

    tally = await house.read(lambda connection: read_tally(connection, study))
    told = results(tally, with_flagged)
    console = Console(width=150)
    console.print(
        f"{study}: {told['subject']} against its opponents, {question}. {told['raters']} raters, {told['votes']} votes, "
        f"{told['state']}." + ("" if told["blind"] else " NOT BLIND: recordings showed whose app it was."), markup=False,
    )  # fmt: skip
    if told["raters"] < told["least_raters"]:
        console.print(f"Fewer than {told['least_raters']} raters: a first impression, no result.", markup=False)
    console.print(_table([cell for cell in told["cells"] if cell["question"] == question]))
    for left_out in told["excluded"]:
        console.print(f"rater {left_out['rater']}: {left_out['why']}" + (" (counted)" if with_flagged else " (left out)"))
    return 0


def _table(cells: list[dict[str, Any]]) -> Table:
    table = Table()
    for column in (
        "aspect",
        "against",
        "win",
        "tie",
        "both bad",
        "loss",
        "win share (Wilson)",
        "bootstrap",
        "sign p",
        "alpha",
        "raters",
    ):
        table.add_column(column, justify="left" if column in ("aspect", "against") else "right")
    for cell in cells:
        share = f"{cell['win_share']:.0%} {_interval(cell['wilson'])}"
        table.add_row(
            cell["aspect"], cell["opponent"], *(str(cell["counts"][name]) for name in ("win", "tie", "both_bad", "loss")), share,
            _interval(cell["bootstrap"]), _figure(cell["sign_p"], ".3g"), _figure(cell["alpha"], ".2f"), str(cell["raters"]),
        )  # fmt: skip
    return table


def _interval(interval: tuple[float, float] | None) -> str:
    return f"({interval[0]:.0%}–{interval[1]:.0%})" if interval else "–"


def _figure(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


async def export_votes(house: House, study: str, folder: Path, form: str, names: bool) -> int:
    from eval_ui.exporting import FORMATS, export

    tally = await house.read(lambda connection: read_tally(connection, study))
    try:
        written = await asyncio.to_thread(export, tally, folder, names, FORMATS if form == "all" else (form,))
    except OSError as error:
        raise BadInput(f"Cannot write to {folder}: {error.strerror}.") from error
    print(f"{len(tally.votes)} votes: {', '.join(str(path) for path in written)}")
    return 0


async def set_state(house: House, study: str, state: str) -> int:
    await house.write(lambda connection: keeping.set_state(connection, study, state))
    print(f"The study {study} is {state}.")
    return 0


async def delete(house: House, study: str, with_votes: bool) -> int:
    await house.delete(study, with_votes)
    print(f"The study {study} and its clips are deleted.")
    return 0


async def invite(house: House, study: str, codes: int, uses: int, days: float) -> int:
    if not 1 <= codes <= _MOST_CODES or not 1 <= uses <= _MOST_USES or not 0 < days <= _MOST_DAYS:
        raise BadInput(f"--codes is 1 to {_MOST_CODES}, --uses 1 to {_MOST_USES}, --days above 0 and at most {_MOST_DAYS}.")
    expires = time.time() + days * 86_400
    for code in await house.write(lambda connection: ballots.invite(connection, study, codes, uses, expires)):
        print(code)
    return 0


async def transcribe(recording: Path, out: Path, language: str, settings: Settings) -> int:
    from eval_ui.transcribing import write_down

    turns = await write_down(recording, out, language, settings)
    print(f"{turns} turns in {out}. Listen to the recording and mend what was misheard before you import them.")
    return 0
