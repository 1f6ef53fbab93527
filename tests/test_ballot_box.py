"""Votes and disks: one that fails among others, a full disk, and a server that is killed under load twenty times."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select, text

from eval_ui.box import BallotBox
from eval_ui.house import House
from joyvl_app.errors import BadInput, Busy, ProviderFailed
from joyvl_app.store.database import open_database
from joyvl_app.store.models import StudyRow, VoteRow
from tests.rating import plant, planted
from tests.servers import free_port
from tests.support import settings

_ROUNDS, _RATERS, _LIFE = 20, 12, 0.25


def _study(name: str) -> Any:
    row = {"id": name, "body": "{}", "digest": "", "state": "open", "created": 0.0}
    return lambda connection: connection.execute(insert(StudyRow).values(row))


def test_one_that_fails_takes_nothing_of_the_others_with_it(url: str) -> None:
    engine = open_database(url, durable=True)
    box = BallotBox(engine)

    def refused(connection: Any) -> None:
        _study("half")(connection)
        raise BadInput("no")

    futures = [box.put(_study("a")), box.put(refused), box.put(_study("b"))]
    futures[0].result(5)
    futures[2].result(5)
    with pytest.raises(BadInput):
        futures[1].result(5)
    box.close()
    with engine.connect() as connection:
        assert sorted(connection.execute(select(StudyRow.id)).scalars()) == ["a", "b"]
    with pytest.raises(Busy):
        box.put(_study("late")).result(5)
    engine.dispose()


async def test_a_full_disk_is_told_and_the_vote_can_be_given_again(tmp_path: Path) -> None:
    house = House(settings(data_dir=tmp_path))
    await plant(house, planted())
    box = house._box

    def fill(connection: Any) -> None:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    def large(connection: Any) -> None:
        connection.execute(insert(StudyRow).values(id="big", body="x" * 400_000, digest="", state="open", created=0.0))

    await asyncio.wrap_future(box.put(fill))
    with pytest.raises(ProviderFailed, match=r"could not be stored .*full.*Nothing is lost"):
        await house.write(large)
    await asyncio.wrap_future(box.put(lambda connection: connection.execute(text("PRAGMA max_page_count = 1000000"))))
    await house.write(large)
    assert await house.read(lambda c: c.execute(select(func.count()).select_from(StudyRow)).scalar_one()) == 2
    await house.aclose()


def _serve(folder: str, port: int) -> None:
    """A server with the rating routes alone, in a process that will be killed."""
    import uvicorn
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse

    from eval_ui.routes import make_rating_router
    from eval_ui.starter import Starter

    house = House(settings(data_dir=Path(folder)))
    app = FastAPI()
    app.include_router(make_rating_router(house, Starter(house, Path(folder) / "none"), False))
    app.add_exception_handler(BadInput, lambda request, error: JSONResponse({"error": str(error)}, 400))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


class _Client:
    """A rater who votes as fast as the server takes it, and remembers what was acknowledged."""

    def __init__(self, number: int) -> None:
        self.acknowledged: set[str] = set()
        self.cookies = httpx.Cookies()
        self.unsure: dict[str, Any] | None = None  # sent, and no answer came
        self._number = number

    async def live(self, address: str) -> None:
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(base_url=address, cookies=self.cookies, timeout=5, verify=False) as client:
                (await client.post("/rating/studies/study/join", json={"consent": True})).raise_for_status()
                self.cookies = client.cookies
                if self.unsure:
                    await self._send(client, self.unsure)
                while item := (await client.post("/rating/studies/study/next")).json()["item"]:
                    sent = {"quality": "left", "timing": "tie", "overall": "right", "watched": [1, 1], "spent": 1.0}
                    await self._send(client, {"assignment": item["assignment"], "submission": f"s-{item['assignment']}", **sent})

    async def _send(self, client: httpx.AsyncClient, ballot: dict[str, Any]) -> None:
        self.unsure = ballot
        (await client.post("/rating/studies/study/votes", json=ballot)).raise_for_status()
        self.acknowledged.add(ballot["assignment"])
        self.unsure = None


async def test_every_vote_that_was_acknowledged_survives_twenty_kills(tmp_path: Path) -> None:
    house = House(settings(data_dir=tmp_path))
    await plant(house, planted(rated=400, seconds=0.01))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_ballot_box", "eval_ui.routes", "uvicorn"])
    clients = [_Client(number) for number in range(_RATERS)]
    for kill in range(_ROUNDS):
        port = free_port()
        process = context.Process(target=_serve, args=(str(tmp_path), port), daemon=True)
        process.start()
        await _listening(port)
        voting = [asyncio.create_task(client.live(f"http://127.0.0.1:{port}")) for client in clients]
        await asyncio.sleep(_LIFE + 0.01 * kill)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        await asyncio.gather(*voting)
    stored = await house.read(lambda c: list(c.execute(select(VoteRow.assignment_id)).scalars()))
    acknowledged = set().union(*(client.acknowledged for client in clients))
    assert len(acknowledged) > 2 * _ROUNDS and acknowledged <= set(stored)
    assert len(set(stored) - acknowledged) <= _RATERS  # the last, whose answer never came
    await house.aclose()


async def _listening(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    pytest.fail("the server did not start")
