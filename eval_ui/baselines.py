"""The runs that a study compares: every system plays every case through the same Session, on the same clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from joyvl_app.evals.cases import Case
from joyvl_app.evals.replay import Job
from joyvl_app.evals.running import run_jobs
from joyvl_app.evals.suite import Suite
from joyvl_app.settings import Settings


def play(
    suite: Suite, cases: Sequence[Case], systems: Sequence[str], settings: Settings, logs: Path, processes: int,
    told: Callable[[str], None],
) -> list[Case]:  # fmt: skip
    """Write `logs`/SYSTEM/CASE.jsonl for all; returns the cases that every system played to the end."""
    failed = set[str]()

    def done(job: Job, error: str) -> None:
        told(f"{job.name}: {job.case.id}" + (f" FAILED: {error}" if error else ""))
        if error:
            failed.add(job.case.id)

    jobs = [Job(case, suite.clips[case.clip], system, 0.0, logs) for system in systems for case in cases]
    run_jobs(jobs, settings, settings.data_dir / "cache" / "perception.sqlite", processes, done)
    return [case for case in cases if case.id not in failed]
