"""Studies for tests: real ones on small clips, and planted ones whose clips nobody looks at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sqlalchemy import Connection

from eval_ui import ballots, votes
from eval_ui.ballots import Given, Rater
from eval_ui.house import House
from eval_ui.importing import Prepared
from eval_ui.keeping import write_study
from eval_ui.votes import Ballot
from joyvl_app.events import Event, Header, Spoken
from tests.support import settings, sign, write_clip

NOW = 1_900_000_000.0
SECONDS = 2.0


def side(name: str, media: str = "clip.mp4", seconds: float = SECONDS) -> dict[str, Any]:
    return {"media": media, "seconds": seconds, "turns": [[0.5, 1.0, f"{len(name)} birds"]], "sound": False}


def planted(
    study: str = "study", rated: int = 6, extras: tuple[tuple[str, str], ...] = (), opponents: tuple[str, ...] = ("other",),
    seconds: float = SECONDS, **about: Any,
) -> Prepared:  # fmt: skip
    """A study of `rated` items (and `extras`: kind, what is expected) that is ready to be written."""
    body = {
        "title": {"en": "Study", "zh": "研究"}, "consent": None, "guide": None, "subject": "ours", "per_rater": rated,
        "invitation": False, "completion": "", "blind": True, "seconds": seconds, **about,
    }  # fmt: skip
    items = [(f"item-{number}", "rated", "") for number in range(rated)]
    items += [(f"{kind}-{number}", kind, expect) for number, (kind, expect) in enumerate(extras)]
    rows: list[dict[str, Any]] = []
    for name, kind, expect in items:
        for opponent in ("=",) if kind == "trap" else opponents:
            shown = {"instruction": "Count the birds.", "language": "en", "expect": expect, "asked": [],
                     "sides": [side("ours", "ours.mp4", seconds), side(opponent, "other.mp4", seconds)]}  # fmt: skip
            aspect = "real-time counting" if len(rows) % 2 else "time awareness"
            subject = "" if kind == "trap" else "ours"
            rows.append({"item": name, "kind": kind, "aspect": aspect, "subject": subject, "opponent": opponent,
                         "body": json.dumps(shown)})  # fmt: skip
    return Prepared(study, f"digest of {study}", {**body, "kinds": Counter(row["kind"] for row in rows)}, rows, [])


async def plant(house: House, prepared: Prepared) -> str:
    house.media.mkdir(parents=True, exist_ok=True)
    for name in ("ours.mp4", "other.mp4"):
        (house.media / name).write_bytes(name.encode() * 100)
    return await house.write(lambda connection: write_study(connection, prepared, NOW))


@pytest.fixture
async def house(url: str, tmp_path: Path) -> AsyncIterator[House]:
    """On SQLite and on PostgreSQL."""
    made = House(settings(data_dir=tmp_path, database_url=url, synthesizer="scripted"))
    yield made
    await made.aclose()


def owner(number: int) -> str:
    return f"browser-{number:032d}"


async def joined(house: House, number: int = 1, study: str = "study", code: str = "") -> Rater:
    return await house.write(lambda connection: ballots.join(connection, study, owner(number), code, NOW))


async def following(house: House, rater: Rater, at: float = NOW) -> Given | None:
    def draw(connection: Connection) -> Given | None:
        body = ballots.open_study(connection, rater.study, "alone")
        return ballots.give(connection, rater, ballots.course_of(connection, rater, body), at)

    return await house.write(draw)


def ballot(given: Given, *answers: str, **changes: Any) -> Ballot:
    """A vote as it stands on the page: one answer for all questions, or three."""
    quality, timing, overall = answers if len(answers) == 3 else answers * 3
    told = {"comment": "", "watched": (SECONDS, SECONDS), "spent": 20.0, "device": "desktop", **changes}
    submission = told.pop("submission", f"form-{given.id}")
    return Ballot(given.id, submission, quality, timing, overall, **told)  # type: ignore[arg-type]


async def cast(house: House, rater: Rater, vote: Ballot, at: float = NOW + 60) -> int:
    return await house.write(lambda connection: votes.cast(connection, rater, vote, at))


def for_system(given: Given, system: str) -> str:
    """The answer that means this system (or tie, both_bad)."""
    if system in ("tie", "both_bad"):
        return system
    return "right" if (system == "ours") == given.swapped else "left"


async def vote_all(house: House, rater: Rater, *systems: str) -> list[Given]:
    """Answer every item in turn, the systems (ours, other, tie, both_bad) over and over."""
    done: list[Given] = []
    while (given := await following(house, rater)) is not None:
        answer = given.body["expect"] if given.kind == "trap" else for_system(given, systems[len(done) % len(systems)])
        await cast(house, rater, ballot(given, answer))
        done.append(given)
    return done


def write_log(path: Path, *turns: tuple[float, str], extra: tuple[Event, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    events: list[Event] = [Header(source="clip.mp4", decider="ours", scenario="test"), *extra]
    events += [Spoken(t=t, t_start=t, t_end=t + 1, text=text, decision_t=t) for t, text in turns]
    path.write_text("".join(event.model_dump_json() + "\n" for event in events), encoding="utf-8")
    return path


def write_study_folder(folder: Path, **changes: Any) -> Path:
    """A real study of two items on one clip of two seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    clip = np.asarray(sign("birds", size=(160, 96)))
    write_clip(folder / "clip.mp4", [np.roll(clip, 3 * number, axis=1) for number in range(20)])
    write_log(folder / "ours.jsonl", (0.5, "Two birds."))
    write_log(folder / "other.jsonl", (1.5, "I see a bird. I am Doubao."))
    sides = {"ours": {"log": "ours.jsonl"}, "other": {"log": "other.jsonl"}}
    item = {"aspect": "real-time counting", "instruction": "Count the birds.", "clip": "clip.mp4", "sides": sides}
    study = {
        "id": "birds", "title": {"en": "Birds", "zh": "鸟"}, "subject": "ours",
        "items": [{"id": "one", **item}, {"id": "two", **item}], **changes,
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    return folder
