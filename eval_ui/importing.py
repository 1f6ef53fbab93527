"""A study into the database: checked whole, its media made ready, then written in one transaction or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from eval_ui.captions import spoken
from eval_ui.checking import Checked, Report, Shown, check
from eval_ui.media import prepare, probe, sound_of
from eval_ui.studies import Study
from joyvl_app.domain import Pcm
from joyvl_app.errors import BadInput, JoyError
from joyvl_app.ports import Synthesizer
from joyvl_app.store.models import AssignmentRow, ComparisonRow, RaterRow, StudyRow, VoteRow

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """A study whose media lie ready: rows to be written."""

    id: str
    body: dict[str, Any]
    comparisons: list[dict[str, Any]]
    notes: list[str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps([self.body, self.comparisons], sort_keys=True).encode()).hexdigest()


async def prepare_study(
    study: Study, media: Path, most_bytes: int, voices: tuple[Synthesizer, ...], progress: Progress = lambda told: None
) -> Prepared:
    """Check everything, then make all media ready in `media`. Raises BadInput; then nothing has been written."""
    report = await asyncio.to_thread(check, study)
    sides: dict[tuple[str, str], dict[str, Any]] = {}
    with _workshop(media) as work:
        for number, checked in enumerate(report.items, 1):
            progress(f"{number} of {len(report.items)}: {checked.item.id}")
            for name, shown in checked.sides.items():
                voice = await _voice(checked, shown, voices if study.spec.voice else ())
                sides[checked.item.id, name] = await asyncio.to_thread(_made, shown, voice, work)
        await asyncio.to_thread(_move, work, media, most_bytes)
    rows = _comparisons(study, report, sides)
    return Prepared(study.spec.id, _body(study, report, rows), rows, report.notes)


@contextmanager
def _workshop(media: Path) -> Iterator[Path]:
    """A folder beside the media; what is left in it at the end is gone."""
    try:
        media.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=media) as work:
            yield Path(work)
    except OSError as error:
        raise BadInput(f"The study's clips cannot be stored: {error.strerror}. Nothing was written.") from error


def write_study(connection: Connection, prepared: Prepared, now: float) -> str:
    """Write a study, open for votes; returns what was done. Raises BadInput when another one of its name has votes."""
    held = connection.execute(select(StudyRow.digest).where(StudyRow.id == prepared.id)).scalar()
    if held == prepared.digest:
        return f"The study {prepared.id} is there already, exactly like this."
    if held is not None:
        _refuse_change(connection, prepared.id)
        connection.execute(delete(StudyRow).where(StudyRow.id == prepared.id))
    row = {"id": prepared.id, "body": json.dumps(prepared.body), "digest": prepared.digest, "state": "open", "created": now}
    connection.execute(insert(StudyRow), row)
    connection.execute(insert(ComparisonRow), [{"study_id": prepared.id, **comparison} for comparison in prepared.comparisons])
    return f"The study {prepared.id} is open: {len(prepared.comparisons)} comparisons."


def _refuse_change(connection: Connection, study_id: str) -> None:
    """Votes belong to what was voted on."""
    of_study = select(RaterRow.id).where(RaterRow.study_id == study_id)
    joined = select(func.count()).select_from(VoteRow).join(AssignmentRow, AssignmentRow.id == VoteRow.assignment_id)
    votes = connection.execute(joined.where(AssignmentRow.rater_id.in_(of_study))).scalar_one()
    if votes:
        raise BadInput(
            f"The study {study_id} has {votes} votes and cannot be changed: give the new one another id. Nothing was written."
        )


async def _voice(checked: Checked, shown: Shown, voices: tuple[Synthesizer, ...]) -> Pcm | None:
    """What the side sounds like: its turns read aloud, else the file's own sound."""
    own = await asyncio.to_thread(_own_sound, shown)
    voice = next((each for each in voices if each.audible and checked.item.language in each.languages), None)
    if own is not None or voice is None or not shown.turns or checked.item.kind == "trap":
        return own
    try:
        await voice.start()
        return await spoken(shown.turns, shown.cut.seconds, voice)
    except JoyError:  # captions remain
        return None


def _own_sound(shown: Shown) -> Pcm | None:
    wanted = shown.own_voice or not shown.turns
    return sound_of(shown.path, shown.cut) if wanted and probe(shown.path).sounds else None


def _made(shown: Shown, voice: Pcm | None, work: Path) -> dict[str, Any]:
    name, seconds = prepare(shown.path, shown.cut, voice, work)
    turns = [[round(turn.t, 2), round(turn.end, 2), turn.text] for turn in shown.turns]
    return {"media": name, "seconds": round(seconds, 2), "turns": turns, "sound": voice is not None and bool(voice.any())}


def _move(work: Path, media: Path, most_bytes: int) -> None:
    made = [path for path in work.iterdir() if not (media / path.name).exists()]
    held = sum(path.stat().st_size for path in media.iterdir() if path.is_file())
    if (whole := held + sum(path.stat().st_size for path in made)) > most_bytes:
        raise BadInput(
            f"The clips of all studies would take {whole >> 20} MB, more than JOYVL_RATING_MB ({most_bytes >> 20}). "
            "Nothing was written."
        )
    for path in made:
        shutil.move(path, media / path.name)


def _body(study: Study, report: Report, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What raters are shown of the study."""
    spec = study.spec
    texts = {
        name: words.model_dump() if words else None
        for name, words in (("title", spec.title), ("consent", spec.consent), ("guide", spec.guide))
    }
    return {
        **texts, "subject": spec.subject, "per_rater": spec.per_rater, "invitation": spec.invitation,
        "completion": spec.completion, "blind": report.blind,
        "kinds": Counter(row["kind"] for row in rows),
        "seconds": round(sum(item.seconds for item in report.items) / len(report.items), 1),
    }  # fmt: skip


def _comparisons(study: Study, report: Report, sides: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for checked in report.items:
        item = checked.item
        subject = "" if item.kind == "trap" else study.spec.subject
        for opponent in checked.sides:
            if opponent != subject:
                body = {
                    "instruction": item.instruction, "language": item.language, "expect": item.expect,
                    "asked": [(said.t, said.text) for said in item.asked],
                    "sides": [sides[item.id, subject], sides[item.id, opponent]],
                }  # fmt: skip
                rows.append(
                    {
                        "item": item.id,
                        "kind": item.kind,
                        "aspect": item.aspect,
                        "subject": subject,
                        "opponent": opponent,
                        "body": json.dumps(body),
                    }
                )
    return rows
