"""`python -m joyvl_app eval CASES…`, `eval compare A B`, `eval sheet CASES…`: presence in numbers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from joyvl_app.build import chosen_decider
from joyvl_app.cli.entry import add_jobs, jobs_of, settings_with
from joyvl_app.errors import BadInput
from joyvl_app.evals.compare import common_deciders, compare, load_metrics
from joyvl_app.evals.evaluation import Evaluation, check_folder, dump, evaluate, metrics, plan, with_baselines, write
from joyvl_app.evals.replay import Job
from joyvl_app.evals.report import verdicts, write_report
from joyvl_app.evals.sheet import draw_sheet
from joyvl_app.evals.suite import Suite, load_suite
from joyvl_app.settings import Settings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "eval",
        help="measure when it speaks, on annotated clips",
        description="eval CASES… runs them; eval compare A B shows what changed; eval sheet CASES… draws contact sheets.",
    )
    parser.add_argument(
        "what", nargs="+", metavar="CASES", help="case files or folders (YAML), or public annotation files (JSON)"
    )
    parser.add_argument("--decider", action="append", metavar="NAME", help="may be repeated; default: the setting JOYVL_DECIDER")
    parser.add_argument("--model", metavar="PATH", help="checkpoint of the vlm decider; default: the setting JOYVL_MODEL")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where metrics.json, report.html and logs go (default: data/eval)"
    )
    add_jobs(parser)
    parser.add_argument("--split", choices=("dev", "test"), help="only this split")
    parser.add_argument("--only", metavar="TEXT", help="only cases whose name holds this")
    parser.add_argument("--no-sweep", action="store_true", help="leave out the runs at other sensitivities")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    settings = settings_with(options, "model")
    if options.what[0] == "compare":
        return _compare(options.what[1:])
    if options.what[0] == "sheet":
        return _sheets(options, settings)
    return _evaluate(options, settings)


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    """0 when every case ran, 1 when one failed."""
    console = Console(stderr=True)
    jobs_at_once = jobs_of(options)
    deciders = with_baselines(options.decider or [chosen_decider(settings)])
    suite = _chosen(options, settings, options.what, console)
    out: Path = options.out or settings.data_dir / "eval"
    check_folder(out)
    told: dict[str, Any] = {}

    def fill(folder: Path) -> None:
        jobs = plan(suite, deciders, not options.no_sweep, folder / "logs")
        result = _run(suite, jobs, settings, jobs_at_once, console)
        told.update(metrics(result))
        dump(told, folder / "metrics.json")
        write_report(result, told, folder / "report.html")

    write(out, fill)
    _print_summary(told, suite, out)
    return 1 if told["failed"] else 0


def _run(suite: Suite, jobs: list[Job], settings: Settings, processes: int, console: Console) -> Evaluation:
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("watching", total=sum(job.case.seconds for job in jobs))
        return evaluate(
            suite, jobs, settings, settings.data_dir / "cache", processes, lambda job: bar.advance(task, job.case.seconds)
        )


def _chosen(options: argparse.Namespace, settings: Settings, what: list[str], console: Console) -> Suite:
    if not what:
        raise BadInput("Name the case files or folders, for example scenarios/cases.")
    with console.status("reading cases, rendering clips that are not in the cache"):
        suite = load_suite([Path(name) for name in what], settings.data_dir / "cache")
    if options.split:
        suite.cases = [case for case in suite.cases if case.split == options.split]
    if options.only:
        suite.cases = [case for case in suite.cases if options.only in case.id]
    if not suite.cases:
        raise BadInput("No case is left to run." + (f" Missing: {suite.missing[0][1]}" if suite.missing else ""))
    return suite


def _print_summary(told: dict[str, Any], suite: Suite, out: Path) -> None:
    console = Console(width=110)
    table = Table(title="test split: monitoring, counting, reading, time and greeting", title_justify="left")
    for column in ("decider", "F1", "timing F1", "precision", "recall", "delay p50", "false alarms", "quiet hours", "events"):
        table.add_column(column, justify="left" if column == "decider" else "right")
    deciders = told["deciders"]
    for name, figures in deciders.items():
        s = figures["test"]["targeted"]
        keys = ("f1", "timing_f1", "precision", "recall", "delay_p50", "false_alarms", "quiet_hours", "n_events")
        table.add_row(name, *(_cell(s[key]) for key in keys))
    console.print(table)
    first = next(iter(deciders))
    for row in verdicts(told, first) if deciders[first]["test"]["targeted"]["n_cases"] else []:
        console.print(
            f"{first}: {row['name']} {_cell(row['figure'])} ({row['sign']} {row['bound']}): {'met' if row['met'] else 'missed'}"
        )
    for item in told["failed"]:
        console.print(f"failed: {item['case']} with {item['decider']}: {item['why']}", markup=False)
    for case, why in suite.missing:
        console.print(f"not run: {case}: {why}", markup=False)
    console.print(f"{out / 'report.html'}", markup=False)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _compare(folders: list[str]) -> int:
    if len(folders) != 2:
        raise BadInput("eval compare needs two evaluations: eval compare BEFORE AFTER.")
    before, after = (load_metrics(Path(folder)) for folder in folders)
    console = Console(width=110)
    names = common_deciders(before, after)
    if not names:
        raise BadInput("The two evaluations share no decider.")
    for name in names:
        told = compare(before, after, name)
        console.print(f"{name}: {told.cases} cases in both; {told.only[0]} only before, {told.only[1]} only after", markup=False)
        for d in told.differences:
            console.print(f"  {d.name}: {d.before:.3f} → {d.after:.3f}  [{d.low:+.3f}, {d.high:+.3f}] {d.told}", markup=False)
        for line in told.changed:
            console.print(f"  {line}", markup=False)
    return 0


def _sheets(options: argparse.Namespace, settings: Settings) -> int:
    suite = _chosen(options, settings, options.what[1:], Console(stderr=True))
    out: Path = options.out or settings.data_dir / "sheets"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"Cannot write to {out}: {error.strerror}.") from error
    for case in suite.cases:
        draw_sheet(case, suite.clips[case.clip], out / f"{case.id}.png")
        print(out / f"{case.id}.png", flush=True)
    return 0
