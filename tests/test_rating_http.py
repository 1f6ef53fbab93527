"""The rating page over HTTP: what a rater's browser gets to see, what forged and foreign requests get, who may see results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from eval_ui.house import House
from eval_ui.studies import read_study
from eval_ui.wing import build_rating_app
from joyvl_app.settings import Settings
from tests.rating import plant, planted, write_study_folder
from tests.support import settings

PASSWORD = "correct horse"


async def test_clips_come_back_from_the_database_when_the_disk_was_wiped(house: House, tmp_path: Path) -> None:
    """On PostgreSQL; an SQLite file would be gone with the disk."""
    folder = write_study_folder(tmp_path / "birds")
    await house.take_in(read_study(folder))
    (path, *_) = sorted(house.media.iterdir())
    content = path.read_bytes()
    path.unlink()
    found = await asyncio.gather(*(house.clip(path.name) for _ in range(8)))
    if house.settings.database_url.get_secret_value().startswith("sqlite"):
        assert found == [None] * 8
        told, _ = await house.take_in(read_study(folder))  # from what the study was made of
        assert "its clips are there again" in told
    else:
        assert found == [path] * 8
    assert path.read_bytes() == content
    await house.delete("birds", with_votes=False)
    assert list(house.media.iterdir()) == [] and await house.clip(path.name) is None


@pytest.fixture
def limits(tmp_path: Path) -> Settings:
    return settings(data_dir=tmp_path / "data", rating_password=PASSWORD, synthesizer="scripted")


@pytest.fixture
async def app(limits: Settings) -> AsyncIterator[FastAPI]:
    made = build_rating_app(limits)
    async with made.router.lifespan_context(made):
        yield made


def browser(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://rating")


async def _taken_in(limits: Settings, tmp_path: Path) -> None:
    """The study `birds`, between systems whose names must not be seen."""
    house = House(limits)
    folder = write_study_folder(tmp_path / "birds", subject="embedded-one")
    text = (folder / "study.yaml").read_text(encoding="utf-8").replace("ours:", "embedded-one:").replace("other:", "polling-x:")
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    await house.take_in(read_study(folder))
    await house.aclose()


def _vote(item: dict[str, Any], **changes: Any) -> dict[str, Any]:
    told = {"quality": "left", "timing": "left", "overall": "tie", "watched": [99, 99], "spent": 10, "submission": "form"}
    return {"assignment": item["assignment"], **told, **changes}


async def test_names_are_nowhere_before_the_vote_nor_after(app: FastAPI, limits: Settings, tmp_path: Path) -> None:
    """Everything that a rater's browser receives: the page, its scripts, every answer with its headers, the clips."""
    await _taken_in(limits, tmp_path)
    seen: list[bytes] = []

    async def keep(response: httpx.Response) -> None:
        await response.aread()
        seen.append(f"{response.request.url} {response.headers}".encode() + response.content)

    async with browser(app) as client:
        client.event_hooks = {"response": [keep]}
        await client.get("/")
        for path in (Path(__file__).parent.parent / "assets" / "page").glob("ra*.js"):
            await client.get(f"/joyvl/static/{path.name}")
        await client.get("/rating/page")
        await client.post("/rating/studies/birds/join", json={"consent": True})
        item = (await client.post("/rating/studies/birds/next")).json()["item"]
        clips = [await client.get(side["media"], headers={"Range": "bytes=0-"}) for side in item["sides"]]
        assert [clip.status_code for clip in clips] == [206, 206] and clips[0].content != clips[1].content
        assert clips[0].headers["last-modified"] == clips[1].headers["last-modified"]
        await asyncio.sleep(1.5)  # both sides have to have played
        assert (await client.post("/rating/studies/birds/votes", json=_vote(item))).json() == {"revision": 0}
        await client.get("/rating/studies/birds/items/0")
        await client.get("/rating/results/birds")
    assert len(seen) > 10
    for name in ("embedded-one", "polling-x", "ours.jsonl", "clip.mp4", "swapped"):
        assert not any(name.encode() in each for each in seen), name
    assert set(item) == {"assignment", "number", "practice", "instruction", "language", "asked", "sides", "vote"}
    assert all(set(side) == {"media", "seconds", "turns", "sound"} for side in item["sides"])


async def test_the_lock_holds_on_the_server_too(app: FastAPI, limits: Settings, tmp_path: Path) -> None:
    await _taken_in(limits, tmp_path)
    async with browser(app) as client:
        await client.post("/rating/studies/birds/join", json={"consent": True})
        item = (await client.post("/rating/studies/birds/next")).json()["item"]
        early = await client.post("/rating/studies/birds/votes", json=_vote(item))
        assert (early.status_code, early.json()["error"]) == (400, "Please let both sides play to the end first.")
        assert (await client.post("/rating/studies/birds/next")).json()["item"] == item


async def test_forged_and_foreign_requests_are_refused_in_words(app: FastAPI, limits: Settings, tmp_path: Path) -> None:
    await _taken_in(limits, tmp_path)
    async with browser(app) as mine, browser(app) as other:
        await mine.post("/rating/studies/birds/join", json={"consent": True})
        item = (await mine.post("/rating/studies/birds/next")).json()["item"]
        forged = await other.post("/rating/studies/birds/votes", json=_vote(item), cookies={"joyvl_owner": "x" * 43})
        assert "has not joined the study" in forged.json()["error"]
        assert (await other.post("/rating/studies/birds/join", json={"consent": False})).status_code == 400
        assert (await other.post("/rating/studies/nowhere/join", json={"consent": True})).json() == {
            "error": "There is no such study."
        }
        foreign = await mine.post("/rating/studies/birds/next", headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 400 and "another site" in foreign.json()["error"]
        for wrong in ({"quality": "maybe"}, {"watched": [1]}, {"comment": "x" * 1_001}, {"spent": -1}, {"assignment": "../x"}):
            reply = await mine.post("/rating/studies/birds/votes", json=_vote(item, **wrong))
            assert reply.status_code == 400 and reply.json()["error"], wrong
        assert (await mine.get("/rating/media/unknown")).json() == {"error": "There is no such clip."}


async def test_a_request_that_is_too_large_is_not_read(app: FastAPI) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 8_192

    async with browser(app) as client:
        reply = await client.post("/rating/studies/birds/votes", content=endless())
        assert (reply.status_code, reply.json()["error"]) == (413, "A request here may have 64 KB.") and sent < 12
        for address in (
            "/rating/studies/%00/next",
            "/rating/studies/a%2Fb/next",
            "/rating/studies/birds/items/99999999999999999999",
        ):
            assert (await client.post(address)).status_code in (400, 404, 405)
            assert (await client.get(address)).status_code in (400, 404, 405)


async def test_a_clip_that_was_deleted_is_told(app: FastAPI, limits: Settings, tmp_path: Path) -> None:
    await _taken_in(limits, tmp_path)
    for path in (limits.data_dir / "rating").iterdir():
        path.unlink()
    async with browser(app) as client:
        await client.post("/rating/studies/birds/join", json={"consent": True})
        item = (await client.post("/rating/studies/birds/next")).json()["item"]
        reply = await client.get(item["sides"][0]["media"])
        assert reply.status_code == 500 and "missing on the server" in reply.json()["error"]
        assert (await client.post("/rating/studies/birds/skip", json={"assignment": item["assignment"]})).status_code == 204


async def test_results_are_for_those_who_know_the_password(app: FastAPI, limits: Settings, tmp_path: Path) -> None:
    await _taken_in(limits, tmp_path)
    asked = (
        "/rating/results/studies",
        "/rating/results/birds",
        "/rating/results/birds/votes",
        "/rating/results/birds/export.zip",
    )
    async with browser(app) as client:
        for address in asked:
            assert (await client.get(address)).status_code == 401
        wrong = await client.post("/rating/results/enter", json={"password": "wrong"})
        assert (wrong.status_code, wrong.json()["error"]) == (401, "That is not the password.")
        assert (await client.post("/rating/results/enter", json={"password": PASSWORD})).status_code == 204
        assert [(await client.get(address)).status_code for address in asked] == [200] * 4
        assert (await client.get("/rating/results/birds/votes", params={"outcome": "victory"})).status_code == 400
    async with browser(app) as forger:
        assert (await forger.get(asked[0], cookies={"joyvl_results": "9999999999." + "0" * 64})).status_code == 401


async def test_guessing_the_password_is_slow(app: FastAPI) -> None:
    async with browser(app) as client:
        statuses = [(await client.post("/rating/results/enter", json={"password": str(n)})).status_code for n in range(12)]
        assert statuses == [401] * 10 + [503] * 2
        assert (await client.post("/rating/results/enter", json={"password": PASSWORD})).status_code == 503


async def test_without_a_password_there_are_no_results(tmp_path: Path) -> None:
    made = build_rating_app(settings(data_dir=tmp_path))
    async with made.router.lifespan_context(made), browser(made) as client:
        assert "jv-results" not in (await client.get("/")).text
        assert (await client.get("/rating/page")).json()["results"] is False
        assert (await client.get("/rating/results/studies")).status_code == 401
        assert (await client.post("/rating/results/enter", json={"password": ""})).status_code == 400


async def test_a_space_whose_disk_is_wiped_collects_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eval_ui import house as room

    monkeypatch.setenv("SPACE_ID", "someone/joyvl")
    disk = tmp_path / "disk"
    monkeypatch.setattr(room, "PERSISTENT", disk)
    monkeypatch.setattr(room, "is_mounted", lambda path: path == disk and disk.exists())
    cases = (
        (tmp_path / "wiped", "", False),
        (disk / "joyvl", "", True),
        (disk / "joyvl", f"sqlite:///{tmp_path / 'wiped.db'}", False),
    )
    for folder, url, collects in cases:
        limits = settings(data_dir=folder, database_url=url)
        made = build_rating_app(limits)
        async with made.router.lifespan_context(made), browser(made) as client:
            house = House(limits)
            await plant(house, planted())
            told = (await client.get("/rating/page")).json()
            reply = await client.post("/rating/studies/study/join", json={"consent": True})
            assert ("refused" not in told) is collects and (reply.status_code == 200) is collects
            if not collects:
                assert "JOYVL_DATABASE_URL" in told["refused"] and "wiped" in reply.json()["error"]
            await house.aclose()


async def test_the_page_tells_how_far_one_has_come(app: FastAPI, limits: Settings) -> None:
    house = House(limits)
    await plant(house, planted(rated=3, seconds=0.01))
    await house.aclose()
    async with browser(app) as client:
        (before,) = [one for one in (await client.get("/rating/page")).json()["studies"] if one["id"] == "study"]
        assert (before["joined"], before["total"], before["done"], before["completion"]) == (False, 3, 0, None)
        await client.post("/rating/studies/study/join", json={"consent": True})
        for number in range(3):
            told = (await client.post("/rating/studies/study/next")).json()
            assert (told["item"]["number"], told["done"], told["total"], told["completion"]) == (number, number, 3, None)
            vote = _vote(told["item"], watched=[1, 1], spent=30, submission=f"form-{number}")
            assert (await client.post("/rating/studies/study/votes", json=vote)).json() == {"revision": 0}
        end = (await client.post("/rating/studies/study/next")).json()
        assert end["item"] is None and len(end["completion"]) == 10 and end["minutes"] == 0
        again = (await client.get("/rating/studies/study/items/1")).json()["item"]
        assert again["vote"]["overall"] == "tie" and json.dumps(again).find("kind") < 0
