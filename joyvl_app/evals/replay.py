"""A case through a real Session on the manual clock: identical to live, as fast as the decider allows.

The clock is charged with every decision's measured time, so a replay is never kinder than life.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from joyvl_app.build import Providers, build_providers
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.baselines import Baseline
from joyvl_app.errors import ProviderFailed
from joyvl_app.evals.cases import Case
from joyvl_app.evals.clips import Clip, Dark, open_clip
from joyvl_app.event_log import EventLog
from joyvl_app.events import Header
from joyvl_app.memory.memories import ScratchArchive, Visit
from joyvl_app.parts import Controls
from joyvl_app.ports import Remembers, Source
from joyvl_app.session import Session
from joyvl_app.settings import Settings
from joyvl_app.watching import Cue, watch


@dataclass(frozen=True)
class Job:
    """One run to make: a case, its clip, whose decisions, how talkative, and the folder of all logs."""

    case: Case
    clip: Clip
    decider: str
    sensitivity: float
    logs: Path

    @property
    def log(self) -> Path:
        return self.logs / self.name / f"{self.case.id}.jsonl"

    @property
    def name(self) -> str:
        """The decider, with its sensitivity where that is not 0."""
        return self.decider if self.sensitivity == 0 else f"{self.decider}{self.sensitivity:+g}"


class Replayer:
    """Providers loaded once, replaying one case after the other on one clock. Not for two at once."""

    def __init__(self, decider: str, settings: Settings, cache: Path | None = None) -> None:
        self._settings = settings.model_copy(update={"decider": decider, "tick_seconds": 1.0})
        self._clock = ManualClock()
        self._providers: Providers = build_providers(self._settings, self._clock, lambda: ScratchArchive(self._clock))
        if cache and isinstance(self._providers.decider, Remembers):
            self._providers.decider.remember(cache)

    async def start(self) -> None:
        """Raises MissingPart when a weight or package is missing."""
        await self._providers.decider.start()

    async def replay(self, job: Job) -> None:
        """Play the case and write its event log. Raises BadInput when the clip turns out unusable."""
        spec, clock = job.case.spec, self._clock
        clock.rewind()
        controls = Controls(spec.instruction, spec.sensitivity + job.sensitivity, spec.language)
        log = EventLog(job.log, self._settings.log_max_mb << 20)
        log.append(Header(source=job.clip.path.name, decider=job.decider, scenario=spec.id, settings=self._settings.public()))
        source = self._source(job)
        visit = Visit(spec.id, job.name, spec.id, job.clip.path.name, job.decider)
        session = Session(spec.id, self._providers.parts(self._settings, controls, visit), controls, clock, log, self._settings)
        try:
            await watch(session, source, clock, job.case.seconds, _cues(job.case))
        finally:
            await asyncio.to_thread(log.close, clock.now())
        if log.write_error:
            raise ProviderFailed(f"The log is not whole: {log.write_error}.")

    def _source(self, job: Job) -> Source:
        if isinstance(self._providers.decider, Baseline):
            return Dark(job.case.seconds)
        return open_clip(job.clip, job.case.spec, self._settings.frame_max_side)

    async def aclose(self) -> None:
        await self._providers.aclose()


def _cues(case: Case) -> list[Cue]:
    """What the user says, in order."""
    spec = case.spec
    cues: list[Cue] = [(said.t, lambda session, text=said.text: session.instruct(text)) for said in spec.instructions]  # type: ignore[misc]
    cues += [(said.t, lambda session, text=said.text: session.hear(text)) for said in spec.heard]  # type: ignore[misc]
    return sorted(cues, key=lambda cue: cue[0])
