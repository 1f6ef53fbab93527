"""What the page asks of the server: ownership, events, bounds, and errors in people's words."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import uvicorn

from joyvl_app.errors import BadInput
from joyvl_app.scenario import MAX_INSTRUCTION
from joyvl_app.ui.pictures import MAX_BYTES
from joyvl_app.ui.server import build_app
from tests.support import settings as make_settings
from tests.support import sign


@contextmanager
def served(**changes: object) -> Iterator[str]:
    """The application on a real port, in a thread of its own."""
    config = uvicorn.Config(build_app(make_settings(**changes)), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[str]:
    with served(data_dir=tmp_path, decider="chatty", max_sessions=2, tick_seconds=0.2) as address:
        yield address


@pytest.fixture
def page(app: str) -> httpx.Client:
    return _page(app)


def _page(address: str) -> httpx.Client:
    client = httpx.Client(base_url=address, timeout=20)
    assert client.get("/joyvl/page").status_code == 200
    return client


def start(page: httpx.Client, **opening: object) -> str:
    reply = page.post("/joyvl/sessions", json={"scenario": "security", "instruction": "talk", **opening})
    assert reply.status_code == 200, reply.text
    session_id: str = reply.json()["id"]
    return session_id


def jpeg(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def stop_and_read(page: httpx.Client, session_id: str) -> list[dict[str, Any]]:
    assert page.post(f"/joyvl/sessions/{session_id}/change", json={"action": "stop"}).status_code == 204
    end = time.monotonic() + 5
    while time.monotonic() < end:
        lines = page.get(f"/joyvl/sessions/{session_id}/log").text.splitlines()
        if '"footer"' in lines[-1]:
            return [json.loads(line) for line in lines]
        time.sleep(0.05)
    raise AssertionError("the session did not end")


def test_a_session_takes_pictures_and_sentences_and_leaves_its_log(page: httpx.Client) -> None:
    session_id = start(page)
    for _ in range(4):
        assert page.post(f"/joyvl/sessions/{session_id}/frame", content=jpeg(sign("HELLO"))).status_code == 204
        time.sleep(0.15)
    assert page.post(f"/joyvl/sessions/{session_id}/say", json={"text": "What do you see?"}).json() == {"intent": "ask"}
    changes = {"instruction": "Count the people.", "sensitivity": 1.0, "language": "zh"}
    assert page.post(f"/joyvl/sessions/{session_id}/change", json=changes).status_code == 204
    time.sleep(0.3)
    events = stop_and_read(page, session_id)
    kinds = [event["type"] for event in events]
    assert kinds[0] == "header" and kinds[-1] == "footer"
    assert kinds.count("decision") >= 3 and "spoken" in kinds and "heard" in kinds
    assert [event["text"] for event in events if event["type"] == "instruction"] == ["talk", "Count the people."]


def read_stream(page: httpx.Client, session_id: str, until: int, after: int = 0) -> list[int]:
    """Numbers of the events that a page's stream brings, up to number `until`."""
    numbers: list[int] = []
    with page.stream("GET", f"/joyvl/sessions/{session_id}/events", headers={"last-event-id": str(after)}) as reply:
        for line in reply.iter_lines():
            if line.startswith("id: "):
                numbers.append(int(line[4:]))
                if numbers[-1] >= until:
                    break
    return numbers


def test_the_event_stream_starts_at_the_beginning_and_resumes_where_it_broke(page: httpx.Client) -> None:
    session_id = start(page)
    page.post(f"/joyvl/sessions/{session_id}/frame", content=jpeg(sign("HELLO")))
    assert read_stream(page, session_id, until=6) == [1, 2, 3, 4, 5, 6]
    assert read_stream(page, session_id, until=8, after=4) == [5, 6, 7, 8]


def test_the_stream_ends_with_the_session(page: httpx.Client) -> None:
    session_id = start(page)
    with page.stream("GET", f"/joyvl/sessions/{session_id}/events") as reply:
        lines = reply.iter_lines()
        assert next(lines).startswith("retry")
        httpx.post(f"{page.base_url}/joyvl/sessions/{session_id}/change", json={"action": "stop"}, cookies=dict(page.cookies))
        assert "event: end" in list(lines)
    gone = page.get(f"/joyvl/sessions/{session_id}/events")
    assert gone.status_code == 400 and "Press Start" in gone.json()["error"]


def test_two_pages_never_see_each_others_data(app: str) -> None:
    mine, other = _page(app), _page(app)
    session_id = start(mine)
    asks = [
        other.get(f"/joyvl/sessions/{session_id}/events"),
        other.get(f"/joyvl/sessions/{session_id}/log"),
        other.post(f"/joyvl/sessions/{session_id}/say", json={"text": "hello"}),
        other.post(f"/joyvl/sessions/{session_id}/change", json={"action": "stop"}),
        other.post(f"/joyvl/sessions/{session_id}/frame", content=b"x"),
        httpx.get(f"{app}/joyvl/sessions/{session_id}/log"),
    ]
    assert [reply.status_code for reply in asks] == [400] * 6
    assert mine.post(f"/joyvl/sessions/{session_id}/say", json={"text": "hello"}).status_code == 200
    cookie = mine.cookies.get("joyvl_owner")
    assert cookie and cookie != other.cookies.get("joyvl_owner") and len(cookie) >= 32


def test_the_owner_cookie_is_hidden_from_scripts_and_fits_its_place(app: str) -> None:
    plain = httpx.get(f"{app}/joyvl/page").headers["set-cookie"]
    framed = httpx.get(f"{app}/joyvl/page", headers={"x-forwarded-proto": "https"}).headers["set-cookie"]
    assert "HttpOnly" in plain and "SameSite=Lax" in plain
    assert "HttpOnly" in framed and "SameSite=None; Secure; Partitioned" in framed


def test_a_page_of_another_site_is_refused(page: httpx.Client) -> None:
    reply = page.post("/joyvl/sessions", json={"scenario": "security"}, headers={"origin": "https://evil.example"})
    assert reply.status_code == 400 and "another site" in reply.json()["error"]


def test_places_are_limited_and_given_back(page: httpx.Client) -> None:
    first, _ = start(page), start(page)
    full = page.post("/joyvl/sessions", json={"scenario": "security"})
    assert full.status_code == 503 and "All 2 places are taken" in full.json()["error"]
    stop_and_read(page, first)
    time.sleep(0.2)
    start(page)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"scenario": "nope"}, "Choose from: security"),
        ({"scenario": "security", "instruction": "x" * 10_000}, f"{MAX_INSTRUCTION} characters; this one has 10000"),
        ({"scenario": "security", "sensitivity": 99}, "sensitivity: "),
        ({"scenario": "security", "language": "fr"}, "language: "),
        ({}, "scenario: "),
    ],
)
def test_bad_openings_are_told(page: httpx.Client, body: dict[str, object], told: str) -> None:
    reply = page.post("/joyvl/sessions", json=body)
    assert reply.status_code == 400 and told in reply.json()["error"]


def test_bad_pictures_offers_and_sentences_leave_the_session_running(page: httpx.Client) -> None:
    session_id = start(page)
    at = f"/joyvl/sessions/{session_id}"
    assert "not a picture" in page.post(f"{at}/frame", content=b"nonsense").json()["error"]
    assert "not a picture" in page.post(f"{at}/frame", content=b"").json()["error"]
    assert "4 MB" in page.post(f"{at}/frame", content=bytes(MAX_BYTES + 1)).json()["error"]
    assert "could not be answered" in page.post(f"{at}/offer", json={"sdp": "v=0 junk", "connection": "c1"}).json()["error"]
    assert "between 1 and 2000" in page.post(f"{at}/say", json={"text": " "}).json()["error"]
    too_long = page.post(f"{at}/change", json={"instruction": "😀" * 3_000})
    assert "2000 characters" in too_long.json()["error"]
    assert page.post(f"{at}/frame", content=jpeg(sign("OK"))).status_code == 204


def test_an_8k_picture_is_scaled_down(page: httpx.Client) -> None:
    session_id = start(page)
    huge = jpeg(np.zeros((4320, 7680, 3), np.uint8))
    assert page.post(f"/joyvl/sessions/{session_id}/frame", content=huge).status_code == 204


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(page: httpx.Client) -> None:
    bomb = bytes(cv2.imencode(".png", np.zeros((16_000, 16_000), np.uint8))[1].tobytes())
    assert len(bomb) < MAX_BYTES
    reply = page.post(f"/joyvl/sessions/{start(page)}/frame", content=bomb)
    assert reply.status_code == 400 and "40 million pixels" in reply.json()["error"]


def test_nothing_can_be_uploaded_through_gradio(page: httpx.Client) -> None:
    assert page.post("/gradio_api/upload", files={"files": b"x"}).status_code == 404


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"folder of the archive joyvl\.db cannot be made"):
        build_app(make_settings(data_dir=tmp_path / "file", decider="silent"))
    with served(data_dir=tmp_path / "file", decider="silent", archive="off") as address:
        reply = httpx.post(f"{address}/joyvl/sessions", json={"scenario": "security"})
    assert reply.status_code == 500 and "event log cannot be written" in reply.json()["error"]


def test_files_outside_the_page_cannot_be_fetched(page: httpx.Client) -> None:
    for path in ("static/text.json", "static/..%2F..%2Fapp.py", "clips/README.md", "clips/..%2Fmodels%2Fnanodet.onnx"):
        assert page.get(f"/joyvl/{path}").status_code in (400, 404)
    assert page.get("/joyvl/static/main.js").status_code == 200
    assert page.get("/joyvl/clips/call.mp4").headers["content-type"] == "video/mp4"


def test_relays_are_configured_by_settings(tmp_path: Path) -> None:
    relay = {"turn": "static", "turn_url": "turn:relay.example.org:3478", "turn_user": "u", "turn_password": "p"}
    with served(data_dir=tmp_path, decider="silent", **relay) as address:
        server = _page(address).get("/joyvl/relay").json()["iceServers"][0]
        assert httpx.get(f"{address}/joyvl/relay").status_code == 400
    assert server == {"urls": "turn:relay.example.org:3478", "username": "u", "credential": "p"}
    with pytest.raises(BadInput, match="JOYVL_TURN_URL"):
        build_app(make_settings(data_dir=tmp_path, turn="static"))


def test_old_logs_are_forgotten(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, days in (("old", 30), ("new", 1)):
        (logs / f"{name}.jsonl").write_text("{}\n")
        os.utime(logs / f"{name}.jsonl", (time.time() - days * 86_400,) * 2)
    with served(data_dir=tmp_path, decider="silent"):
        assert [path.name for path in logs.iterdir()] == ["new.jsonl"]
