"""A whole evaluation: cases × deciders → logs → metrics.json and report.html, written at once or not at all."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from joyvl_app import __version__
from joyvl_app.build import DECIDERS
from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import ASPECTS, TARGETED, Case
from joyvl_app.evals.metrics import Outcome, Run, count, read_run, scores
from joyvl_app.evals.replay import Job
from joyvl_app.evals.running import run_jobs
from joyvl_app.evals.suite import Suite
from joyvl_app.event_log import read_log
from joyvl_app.settings import Settings

SCHEMA = 1
BASELINES = ("silent", "chatty")
SWEEP = (-3.0, -1.5, 1.5, 3.0)  # sensitivities beside 0 for the precision-recall curve


@dataclass(frozen=True)
class Played:
    """One case as one decider played it."""

    case: Case
    run: Run
    outcome: Outcome


@dataclass
class Evaluation:
    """Everything that a report shows. `played` is by decider; `swept` by decider and sensitivity."""

    suite: Suite
    played: dict[str, list[Played]] = field(default_factory=dict)
    swept: dict[str, dict[float, list[Played]]] = field(default_factory=dict)
    failed: list[tuple[str, str, str]] = field(default_factory=list)  # decider, case id, why


def with_baselines(deciders: Sequence[str]) -> list[str]:
    """The deciders asked for, each once, and the two baselines. Raises BadInput or MissingPart on one that cannot run."""
    names = list(dict.fromkeys((*deciders, *BASELINES)))
    for name in names:
        DECIDERS.check(name)
    return names


def plan(suite: Suite, deciders: Sequence[str], sweep: bool, logs: Path) -> list[Job]:
    """All runs: every case for every decider, and cases with events again at other sensitivities."""
    jobs = [Job(case, suite.clips[case.clip], name, 0.0, logs) for name in deciders for case in suite.cases]
    if sweep:
        eventful = [case for case in suite.cases if case.spec.events and not case.spec.loop and case.spec.capability in TARGETED]
        eventful = [case for case in eventful if case.split == "test"] or eventful  # dev's curve only where there is no other
        sensible = [name for name in deciders if name not in BASELINES]
        jobs += [Job(case, suite.clips[case.clip], name, s, logs) for name in sensible for s in SWEEP for case in eventful]
    return jobs


def evaluate(
    suite: Suite, jobs: Sequence[Job], settings: Settings, cache: Path, processes: int, told: Callable[[Job], None]
) -> Evaluation:
    """Run the jobs and read their logs."""
    result, failed = Evaluation(suite), set[Path]()

    def done(job: Job, error: str) -> None:
        told(job)
        if error:
            result.failed.append((job.name, job.case.id, error))
            failed.add(job.log)

    run_jobs(jobs, settings, cache / "perception.sqlite", processes, done)
    for job in jobs:
        if job.log not in failed:
            _take_in(result, job)
    return result


def metrics(result: Evaluation) -> dict[str, Any]:
    """What metrics.json holds."""
    suite = result.suite
    return {
        "schema": SCHEMA,
        "version": __version__,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "n_cases": len(suite.cases),
        "n_clips": len({case.clip for case in suite.cases}),
        "missing": [{"case": case, "why": why} for case, why in suite.missing],
        "failed": [{"decider": decider, "case": case, "why": why} for decider, case, why in result.failed],
        "deciders": {name: _of_decider(result, name) for name in result.played},
    }


def check_folder(folder: Path) -> None:
    """Raises BadInput when results may not be put there."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise BadInput(f"{folder} is no folder; name a new one.")
    if folder.exists() and any(folder.iterdir()) and not (folder / "metrics.json").exists():
        raise BadInput(f"{folder} holds other things; name a new folder or an earlier evaluation's.")


def write(folder: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` make the folder's contents beside it and put them in place when all is done.

    Raises BadInput when the folder holds something that is no evaluation, or cannot be written.
    """
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as made:
            work = Path(made) / "new"
            work.mkdir()
            fill(work)
            if folder.exists():
                shutil.rmtree(folder)
            work.rename(folder)
    except OSError as error:
        raise BadInput(f"Cannot write to {folder}: {error.strerror or error}.") from error


def dump(data: Any, path: Path) -> None:
    path.write_text(json.dumps(_rounded(data), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _take_in(result: Evaluation, job: Job) -> None:
    run = read_run(read_log(job.log))
    if run.error:
        result.failed.append((job.name, job.case.id, run.error))
        return
    played = Played(job.case, run, count(job.case, run))
    if job.sensitivity == 0:
        result.played.setdefault(job.decider, []).append(played)
    else:
        result.swept.setdefault(job.decider, {}).setdefault(job.sensitivity, []).append(played)


def _of_decider(result: Evaluation, name: str) -> dict[str, Any]:
    played = result.played[name]
    told: dict[str, Any] = {split: _of_split([p for p in played if p.case.split == split]) for split in ("test", "dev")}
    told["sweep"] = {split: _curve(result, name, split) for split in ("test", "dev")}
    told["cases"] = {p.case.id: _of_case(p) for p in played}
    return told


def _of_split(played: list[Played]) -> dict[str, Any]:
    """Scores by capability, by the paper's aspect, by footage, by tag, and of all."""
    capabilities = sorted({p.case.spec.capability for p in played})
    tags = sorted({tag for p in played for tag in p.case.spec.tags})
    targeted = [p for p in played if p.case.spec.capability in TARGETED]
    return {
        "overall": _scores(played),
        "targeted": _scores(targeted),
        "capabilities": {name: _scores(p for p in played if p.case.spec.capability == name) for name in capabilities},
        "aspects": {
            aspect: _scores(p for p in played if p.case.spec.capability in names)
            for aspect, names in ASPECTS.items()
            if set(names) & set(capabilities)
        },
        "footage": {kind: _scores(p for p in targeted if p.case.footage == kind) for kind in ("real", "rendered")},
        "quiet": {
            f"{'looped ' if looped else ''}{kind}": _scores(
                p for p in played if p.case.looped == looped and p.case.footage == kind
            )
            for kind in ("real", "rendered")
            for looped in (False, True)
        },
        "distinct_quiet_hours": _distinct_quiet_hours([p.case for p in played]),
        "tags": {tag: _scores(p for p in played if tag in p.case.spec.tags) for tag in tags},
    }


def _scores(played: Iterable[Played]) -> dict[str, Any]:
    return scores([p.outcome.counts for p in played])


def _distinct_quiet_hours(cases: list[Case]) -> float:
    """Hours of quiet footage, the same pictures counted once however many instructions were watched on them."""
    longest: dict[tuple[str, str], float] = {}
    for case in cases:
        footage = (case.clip, case.spec.loop.model_dump_json(exclude={"seconds"}) if case.spec.loop else str(case.spec.start))
        longest[footage] = max(longest.get(footage, 0.0), sum(end - start for start, end in case.quiet))
    return sum(longest.values()) / 3600


def _curve(result: Evaluation, name: str, split: str) -> list[dict[str, Any]]:
    """Precision and recall at each sensitivity, on the same cases."""
    swept = result.swept.get(name, {})
    if not swept:
        return []
    ids = {p.case.id for runs in swept.values() for p in runs if p.case.split == split}
    points = {0.0: [p for p in result.played[name] if p.case.id in ids]} | swept
    curve = []
    for sensitivity, played in sorted(points.items()):
        told = _scores(p for p in played if p.case.id in ids)
        curve.append({"sensitivity": sensitivity, **{key: told[key] for key in ("precision", "recall", "f1", "timing_f1")}})
    return curve


def _of_case(played: Played) -> dict[str, Any]:
    counts = asdict(played.outcome.counts)
    ages = counts.pop("ages")
    case = played.case
    return {
        "split": case.split,
        "capability": case.spec.capability,
        "footage": case.footage,
        "looped": case.looped,
        "seconds": case.seconds,
        "age_max": max(ages, default=None),
        **counts,
    }


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return round(data, 4)
    if isinstance(data, dict):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return data
