"""`python -m joyvl_app data render|convert|check|stats`: what models learn from."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from joyvl_app.cli.entry import add_jobs, jobs_of
from joyvl_app.domain import MODEL_PIXELS
from joyvl_app.errors import BadInput

_MOST_CLIPS, _MOST_SHOWN = 1_000_000, 20


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("data", help="make and check training data")
    parts = parser.add_subparsers(required=True, metavar="WHAT")
    render = parts.add_parser("render", help="time-aligned clips from the renderer: videos, annotations, cases")
    render.add_argument("--world", choices=("train", "heldout", "shifted"), default="train")
    render.add_argument("--clips", type=int, default=100, metavar="N")
    render.add_argument("--seed", type=int, default=0, help="of the first clip")
    render.add_argument("--family", help="one kind of episode only")
    render.set_defaults(run=_render)
    convert = parts.add_parser("convert", help="released annotations and their videos to shards")
    convert.add_argument("annotations", type=Path)
    convert.add_argument("--videos", type=Path, metavar="DIR", help="what the annotations' paths begin at; default: their folder")
    convert.add_argument("--pixels", type=int, default=MODEL_PIXELS, help="the most of a frame")
    convert.add_argument("--per-shard", type=int, default=64, metavar="N", help="annotations a shard")
    convert.set_defaults(run=_convert)
    for part in (render, convert):
        part.add_argument("--out", type=Path, required=True, metavar="DIR")
        add_jobs(part)
    check = parts.add_parser("check", help="read every clip and frame of a folder of shards")
    check.add_argument("folder", type=Path)
    check.set_defaults(run=_check)
    stats = parts.add_parser("stats", help="what a folder of shards holds")
    stats.add_argument("folder", type=Path)
    stats.add_argument("--model", type=Path, metavar="DIR", help="count the tokens of this checkpoint too")
    stats.set_defaults(run=_stats)


def _render(options: argparse.Namespace) -> int:
    from joyvl_app.train.families import check_family
    from joyvl_app.train.rendering import render

    _within("--clips", options.clips, 1, _MOST_CLIPS)
    _within("--seed", options.seed, 0, 1 << 40)
    check_family(options.family)
    seeds = range(options.seed, options.seed + options.clips)
    with _bar() as bar:
        task = bar.add_task("rendering", total=len(seeds))
        path = render(options.world, seeds, options.family, options.out, jobs_of(options), lambda name: bar.advance(task))
    print(path)
    return 0


def _convert(options: argparse.Namespace) -> int:
    from joyvl_app.train.convert import Conversion, Outcome, convert

    _within("--pixels", options.pixels, 32 * 32, 4_096 * 4_096)
    _within("--per-shard", options.per_shard, 1, 4_096)
    videos = options.videos or options.annotations.parent
    conversion = Conversion(options.annotations, videos, options.out, options.pixels, options.per_shard)
    total, reasons = Counter[str](), list[tuple[str, str]]()
    with _bar() as bar:
        task = bar.add_task("converting", total=None)

        def told(outcome: Outcome) -> None:
            total.update(shards=1, clips=outcome.clips, rejected=len(outcome.rejected))
            reasons.extend(outcome.rejected[: max(0, _MOST_SHOWN - len(reasons))])
            bar.update(task, completed=total["clips"])

        convert(conversion, jobs_of(options), told)
    for name, why in reasons:
        print(f"rejected: {name}: {why}")
    print(f"{total['clips']} clips in {total['shards']} shards, {total['rejected']} rejected; each shard's .json says why")
    return 0 if total["clips"] else 1


def _check(options: argparse.Namespace) -> int:
    """0 when all is well, 1 when there is a fault."""
    from joyvl_app.train.checking import look_through

    contents = look_through(options.folder)
    for where, what in contents.faults:
        print(f"{where}: {what}")
    print(f"{contents.clips} clips are whole, {len(contents.faults)} faults")
    return 1 if contents.faults else 0


def _stats(options: argparse.Namespace) -> int:
    from joyvl_app.train.checking import look_through

    encoder = None
    if options.model:
        from joyvl_app.train.loading import load_encoder

        encoder = load_encoder(options.model, MODEL_PIXELS)
    c = look_through(options.folder, encoder, pictures=False)
    print(f"{c.clips} clips, {c.seconds / 3600:.2f} hours, {c.responses} responses, {c.delegations} of them delegations")
    print(f"silent seconds: {100 * c.silent:.1f}%")
    for family, count in c.families.most_common():
        print(f"  {family}: {count}")
    if encoder:
        print(f"{c.tokens} tokens, {c.tokens / max(1, c.seconds):.1f} a second, at most {c.most_tokens} in a chunk")
    if c.faults:
        print(f"{len(c.faults)} faults; python -m joyvl_app data check {escape(str(options.folder))} names them")
    return 0


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console,
        transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadInput(f"{name} must be between {least} and {most}.")
