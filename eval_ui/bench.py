"""`bench rating`: a hundred raters at once over HTTP, results over 50,000 votes, two 1080p clips side by side in Chromium."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import yaml
from sqlalchemy import func, insert, select

from eval_ui.house import House
from eval_ui.results import results
from eval_ui.studies import read_study
from eval_ui.tally import read_tally
from joyvl_app.bench import Result
from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, playwright_here, served
from joyvl_app.events import Header, Spoken
from joyvl_app.settings import Settings
from joyvl_app.store.models import AssignmentRow, ComparisonRow, RaterRow, StudyRow, VoteRow

_RATERS, _EACH, _ITEMS = 100, 20, 40
_TWICE = 0.2  # of the votes are sent twice, at once
_LOOK = 1.0, 3.0  # seconds that a rater takes for an item: ten times as fast as people are
_MANY_ITEMS, _MANY_RATERS, _MANY_EACH = 1_000, 1_000, 50
_TARGETS = {
    "submit_p95_ms": ("<=", 200.0), "lost": ("<=", 0.0), "doubled": ("<=", 0.0), "votes": (">=", float(_RATERS * _EACH)),
    "results_s": ("<=", 5.0), "dropped_share": ("<=", 0.05), "apart_p95_ms": ("<=", 40.0), "stalls": ("<=", 0.0),
}  # fmt: skip


def measure() -> Result:
    """Everything on real parts: the server in its process, SQLite, HTTP, the page in Chromium."""
    playwright_here()
    figures: dict[str, float] = {}
    for part in (_crowd, _counting, _watching):
        with tempfile.TemporaryDirectory() as folder:
            figures |= part(Path(folder))
    return Result(figures, _TARGETS)


# --- a crowd of raters -------------------------------------------------------------------------------------------


def _crowd(folder: Path) -> dict[str, float]:
    _prepare(folder, _ITEMS, (320, 180), 1.0)
    with served("-m", "eval_ui", "serve", folder=folder) as (address, _):
        acknowledged, took = asyncio.run(_vote_all(address))
    stored = asyncio.run(_stored(folder))
    print(f"{len(took)} votes sent by {_RATERS} raters at once, {len(acknowledged)} acknowledged, {len(stored)} in the database")
    return {
        "submit_p95_ms": float(np.percentile(took, 95)) * 1000, "submit_p50_ms": float(np.percentile(took, 50)) * 1000,
        "votes": float(len(stored)), "lost": float(len(acknowledged - set(stored))),
        "doubled": float(len(stored) - len(set(stored))) + abs(float(sum(asyncio.run(_counted(folder))) - len(stored))),
    }  # fmt: skip


async def _vote_all(address: str) -> tuple[set[str], list[float]]:
    acknowledged, took = set[str](), list[float]()
    async with asyncio.TaskGroup() as group:
        for number in range(_RATERS):
            group.create_task(_rate(address, random.Random(number), acknowledged, took))
    return acknowledged, took


async def _rate(address: str, chance: random.Random, acknowledged: set[str], took: list[float]) -> None:
    await asyncio.sleep(chance.uniform(0, 2))
    async with httpx.AsyncClient(base_url=address, timeout=30, verify=False) as client:
        (await client.post("/rating/studies/crowd/join", json={"consent": True})).raise_for_status()
        while item := (await client.post("/rating/studies/crowd/next")).raise_for_status().json()["item"]:
            await asyncio.sleep(chance.uniform(*_LOOK))
            answers = {name: chance.choice(("left", "right", "tie")) for name in ("quality", "timing", "overall")}
            vote = {
                **answers,
                "assignment": item["assignment"],
                "submission": secrets.token_hex(8),
                "watched": [1, 1],
                "spent": 1.0,
            }
            sendings = [_send(client, vote, took) for _ in range(2 if chance.random() < _TWICE else 1)]
            await asyncio.gather(*sendings)
            acknowledged.add(item["assignment"])


async def _send(client: httpx.AsyncClient, vote: dict[str, Any], took: list[float]) -> None:
    began = time.perf_counter()
    (await client.post("/rating/studies/crowd/votes", json=vote)).raise_for_status()
    took.append(time.perf_counter() - began)


async def _stored(folder: Path) -> list[str]:
    house = House(Settings.model_validate({"data_dir": folder}))
    ids = await house.read(lambda connection: list(connection.execute(select(VoteRow.assignment_id)).scalars()))
    await house.aclose()
    return ids


async def _counted(folder: Path) -> list[int]:
    """How many votes each comparison has been counted."""
    house = House(Settings.model_validate({"data_dir": folder}))
    counts = await house.read(lambda connection: list(connection.execute(select(ComparisonRow.votes)).scalars()))
    await house.aclose()
    return counts


# --- many votes --------------------------------------------------------------------------------------------------


def _counting(folder: Path) -> dict[str, float]:
    return asyncio.run(_count_many(folder))


async def _count_many(folder: Path) -> dict[str, float]:
    house = House(Settings.model_validate({"data_dir": folder}))
    await house.write(_fill)
    began = time.perf_counter()
    tally = await house.read(lambda connection: read_tally(connection, "many"))
    told = results(tally)
    took = time.perf_counter() - began
    await house.aclose()
    print(f"{told['votes']} votes of {told['raters']} raters on {told['comparisons']} comparisons counted in {took:.1f} s")
    return {"results_s": took}


def _fill(connection: Any) -> None:
    chance = random.Random(7)
    about = {"title": {"en": "", "zh": ""}, "subject": "ours", "blind": True}
    connection.execute(insert(StudyRow), {"id": "many", "body": json.dumps(about), "digest": "", "state": "open", "created": 0.0})
    body = json.dumps({"expect": ""})
    connection.execute(insert(ComparisonRow), [
        {"id": n, "study_id": "many", "item": f"item {n}", "kind": "rated", "aspect": f"aspect {n % 6}", "subject": "ours",
         "opponent": f"other {n % 3}", "body": body} for n in range(1, _MANY_ITEMS + 1)
    ])  # fmt: skip
    connection.execute(insert(RaterRow), [
        {"id": n, "study_id": "many", "key": str(n), "number": n, "seed": n, "joined": 0.0, "invitation": None, "completion": ""}
        for n in range(1, _MANY_RATERS + 1)
    ])  # fmt: skip
    given = list(_given(chance))
    connection.execute(insert(AssignmentRow), given)
    connection.execute(insert(VoteRow), [_voted(row["id"], chance) for row in given])
    assert connection.execute(select(func.count()).select_from(VoteRow)).scalar_one() == _MANY_RATERS * _MANY_EACH


def _given(chance: random.Random) -> Iterator[dict[str, Any]]:
    for rater in range(1, _MANY_RATERS + 1):
        for number, comparison in enumerate(chance.sample(range(1, _MANY_ITEMS + 1), _MANY_EACH)):
            name = f"{rater}-{number}"
            yield {
                "id": name, "rater_id": rater, "comparison_id": comparison, "number": number, "swapped": chance.random() < 0.5,
                "left": f"l{name}", "right": f"r{name}", "drawn": 0.0,
            }  # fmt: skip


def _voted(assignment: str, chance: random.Random) -> dict[str, Any]:
    answers = {name: chance.choice(("left", "right", "tie", "both_bad")) for name in ("quality", "timing", "overall")}
    return {
        **answers, "assignment_id": assignment, "revision": 0, "submission": "", "comment": "", "watched_left": 1.0,
        "watched_right": 1.0, "spent": 10.0, "device": "desktop", "at": 0.0,
    }  # fmt: skip


# --- two large clips ---------------------------------------------------------------------------------------------


def _watching(folder: Path) -> dict[str, float]:
    _prepare(folder, 1, (1_920, 1_080), 8.0)
    with served("-m", "eval_ui", "serve", folder=folder) as (address, _), playwright_here()() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1_280, "height": 900})
        page.goto(f"{address}/?rate=crowd")
        page.check(".jv-agree input[type=checkbox]")
        page.click(".jv-agree .jv-primary")
        page.wait_for_selector(".jv-players video")
        page.wait_for_function("() => [...document.querySelectorAll('video')].every((video) => video.readyState === 4)")
        told: dict[str, float] = page.evaluate(_PLAY)
        browser.close()
    print(f"two 1080p clips: {told['shown']:.0f} pictures shown, {told['dropped']:.0f} dropped")
    return {  # of both clips together
        "dropped_share": told["dropped"] / max(1.0, told["shown"]), "apart_p95_ms": told["apart"], "stalls": told["stalls"],
        "played_s": told["played"],
    }  # fmt: skip


# Plays both to the end; how far apart they were, how often one had to wait, how many pictures were dropped.
_PLAY = """async () => {
  const videos = [...document.querySelectorAll('.jv-players video')];
  const apart = [];
  let stalls = 0;
  videos.forEach((video) => video.addEventListener('waiting', () => { stalls += 1; }));
  document.querySelector('.jv-play').click();
  const began = performance.now();
  await new Promise((done) => {
    const timer = setInterval(() => {
      if (!videos[0].paused && !videos[1].paused) apart.push(1000 * Math.abs(videos[0].currentTime - videos[1].currentTime));
      if (videos.every((video) => video.currentTime > video.duration - 0.2)) { clearInterval(timer); done(); }
    }, 50);
  });
  apart.sort((a, b) => a - b);
  const quality = videos.map((video) => video.getVideoPlaybackQuality());
  return {
    stalls, apart: apart[Math.floor(0.95 * apart.length)], played: (performance.now() - began) / 1000,
    shown: quality.reduce((sum, q) => sum + q.totalVideoFrames, 0),
    dropped: quality.reduce((sum, q) => sum + q.droppedVideoFrames, 0),
  };
}"""


def _prepare(folder: Path, items: int, size: tuple[int, int], seconds: float) -> None:
    """Take in a study whose items all show the same moving picture."""
    _film(folder / "clip.mp4", size, seconds)
    for name, turns in (("ours", 3), ("other", 1)):
        events: list[Header | Spoken] = [Header(source="clip", decider=name, scenario="bench")]
        events += [Spoken(t=t, t_start=t, t_end=t + 0.5, text=f"{t}", decision_t=t) for t in np.linspace(0, seconds * 0.8, turns)]
        (folder / f"{name}.jsonl").write_text("".join(event.model_dump_json() + "\n" for event in events), encoding="utf-8")
    sides = {name: {"log": f"{name}.jsonl"} for name in ("ours", "other")}
    item = {"aspect": "bench", "instruction": "Watch.", "clip": "clip.mp4", "sides": sides}
    study = {
        "id": "crowd", "title": {"en": "bench", "zh": "bench"}, "subject": "ours", "per_rater": _EACH, "voice": False,
        "items": [{"id": f"item-{number}", **item} for number in range(items)],
    }  # fmt: skip
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    asyncio.run(_take_in(folder))


async def _take_in(folder: Path) -> None:
    house = House(Settings.model_validate({"data_dir": folder}))
    await house.take_in(await asyncio.to_thread(read_study, folder))
    await house.aclose()


def _film(path: Path, size: tuple[int, int], seconds: float) -> None:
    width, height = size
    field = np.random.default_rng(1).integers(0, 255, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: field.shape[0], : field.shape[1]] = field
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        for number in range(int(seconds * 30)):
            moved = np.ascontiguousarray(np.roll(picture, 4 * number, axis=1))
            made.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        made.mux(stream.encode())
