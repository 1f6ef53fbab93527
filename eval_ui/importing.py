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

from eval_ui.captions import spoken
from eval_ui.checking import Checked, Report, Shown, check
from eval_ui.media import prepare, probe, sound_of
from eval_ui.studies import Study
from joyvl_app.audio import pcm
from joyvl_app.domain import Pcm
from joyvl_app.errors import BadInput, JoyError
from joyvl_app.ports import Synthesizer

Progress = Callable[[str], None]
_SCENE = 0.4  # loudness of the scene under a voice
_MAKE = 1  # counts up when the same files would be made ready otherwise


@dataclass(frozen=True)
class Prepared:
    """A study whose media lie ready: rows to be written. `fresh` are the files that were not there before."""

    id: str
    digest: str
    body: dict[str, Any]
    comparisons: list[dict[str, Any]]
    notes: list[str]
    fresh: tuple[str, ...] = ()

    @property
    def media(self) -> set[str]:
        """The clips that its comparisons show."""
        return {side["media"] for row in self.comparisons for side in json.loads(row["body"])["sides"]}


def digest_of(study: Study) -> str:
    """What tells an edited study from the same one: its file, and all files that it names."""
    hashed = hashlib.sha256(f"{_MAKE}\n{study.spec.model_dump_json()}".encode())
    for path in sorted({study.path(name) for item in study.spec.items for name in item.files}):
        try:
            with path.open("rb") as file:
                hashed.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            hashed.update(b"missing")  # checking tells it
    return hashed.hexdigest()


async def prepare_study(
    study: Study, digest: str, media: Path, most_bytes: int, voices: tuple[Synthesizer, ...], progress: Progress
) -> Prepared:
    """Check everything, then make all media ready in `media`. Raises BadInput; then nothing has been written."""
    report = await asyncio.to_thread(check, study)
    sides: dict[tuple[str, str], dict[str, Any]] = {}
    with _workshop(media) as work:
        for number, checked in enumerate(report.items, 1):
            progress(f"{number} of {len(report.items)}: {checked.item.id}")
            sounds = await _voices(checked, voices if study.spec.voice else (), report.notes)
            for name, shown in checked.sides.items():
                sides[checked.item.id, name] = await asyncio.to_thread(_made, shown, sounds[name], work)
        fresh = await asyncio.to_thread(_move, work, media, most_bytes)
    rows = _comparisons(study, report, sides)
    return Prepared(study.spec.id, digest, _body(study, report, rows), rows, report.notes, fresh)


@contextmanager
def _workshop(media: Path) -> Iterator[Path]:
    """A folder beside the media; what is left in it at the end is gone."""
    try:
        media.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=media) as work:
            yield Path(work)
    except OSError as error:
        raise BadInput(f"The study's clips cannot be stored: {error.strerror}. Nothing was written.") from error


async def _voices(checked: Checked, voices: tuple[Synthesizer, ...], notes: list[str]) -> dict[str, Pcm | None]:
    """What each side sounds like. Where a voice fails for one of them, none has it: a silent side would be another side."""
    try:
        return {name: await _voice(checked, shown, voices) for name, shown in checked.sides.items()}
    except JoyError as error:
        notes.append(f"item {checked.item.id}: its sides have no voice, only captions: {error}")
        return dict.fromkeys(checked.sides)


async def _voice(checked: Checked, shown: Shown, voices: tuple[Synthesizer, ...]) -> Pcm | None:
    """A side's turns read aloud over the scene's sound; of a recording as it is, its own."""
    own = await asyncio.to_thread(_own_sound, shown)
    voice = next((each for each in voices if each.audible and checked.item.language in each.languages), None)
    if voice is None or not shown.turns or shown.own_voice:
        return own
    await voice.start()
    said = await spoken(shown.turns, shown.cut.seconds, voice)
    return said if own is None else pcm(said / 32_768 + own / 32_768 * _SCENE)


def _own_sound(shown: Shown) -> Pcm | None:
    wanted = shown.own_voice or shown.scene
    return sound_of(shown.path, shown.cut) if wanted and probe(shown.path).sounds else None


def _made(shown: Shown, voice: Pcm | None, work: Path) -> dict[str, Any]:
    name, seconds = prepare(shown.path, shown.cut, voice, work)
    turns = [[round(turn.t, 2), round(turn.end, 2), turn.text] for turn in shown.turns]
    return {"media": name, "seconds": round(seconds, 2), "turns": turns, "sound": voice is not None and bool(voice.any())}


def _move(work: Path, media: Path, most_bytes: int) -> tuple[str, ...]:
    made = [path for path in work.iterdir() if not (media / path.name).exists()]
    held = sum(path.stat().st_size for path in media.iterdir() if path.is_file())
    if (whole := held + sum(path.stat().st_size for path in made)) > most_bytes:
        raise BadInput(
            f"The clips of all studies would take {whole >> 20} MB, more than JOYVL_RATING_MB ({most_bytes >> 20}). "
            "Nothing was written."
        )
    for path in made:
        shutil.move(path, media / path.name)
    return tuple(path.name for path in made)


def _body(study: Study, report: Report, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What raters are shown of the study."""
    spec = study.spec
    texts = {name: words.model_dump() if (words := getattr(spec, name)) else None for name in ("title", "consent", "guide")}
    return {
        **texts, "subject": spec.subject, "per_rater": spec.per_rater, "invitation": spec.invitation,
        "completion": spec.completion, "blind": report.blind, "kinds": Counter(row["kind"] for row in rows),
        "seconds": round(sum(item.seconds for item in report.items) / len(report.items), 1),
    }  # fmt: skip


def _comparisons(study: Study, report: Report, sides: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for checked in report.items:
        item = checked.item
        subject = "" if item.kind == "trap" else study.spec.subject
        for opponent in checked.sides:
            if opponent == subject or (item.kind == "gold" and item.expect not in (subject, opponent)):
                continue  # between these two nobody must win
            body = {
                "instruction": item.instruction, "language": item.language, "expect": item.expect,
                "asked": [(said.t, said.text) for said in item.asked],
                "sides": [sides[item.id, subject], sides[item.id, opponent]],
            }  # fmt: skip
            told = {"item": item.id, "kind": item.kind, "aspect": item.aspect, "subject": subject, "opponent": opponent}
            rows.append({**told, "body": json.dumps(body)})
    return rows
