"""The log that pages, replay and metrics read back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from joyvl_app.domain import Box, Delegate, Evidence, Respond
from joyvl_app.errors import BadInput
from joyvl_app.event_log import EventLog, read_log
from joyvl_app.events import Decided, Footer, Header, Spoken, State, decided

HEADER = Header(source="clip.mp4", decider="scripted", scenario="security", settings={"port": 1})


def written(path: Path, seconds: int = 3) -> Path:
    log = EventLog(path)
    log.append(HEADER)
    for t in range(seconds):
        log.append(decided(float(t), Respond(f"Second {t}.", 0.9), 87.12, 90.0, 0))
    log.close(float(seconds))
    return path


def test_a_log_reads_back_as_it_was_written(tmp_path: Path) -> None:
    events = list(read_log(written(tmp_path / "log.jsonl")))
    assert events[0] == HEADER
    assert [event.text for event in events if isinstance(event, Decided)] == ["Second 0.", "Second 1.", "Second 2."]
    assert events[-1] == Footer(t=3.0, counts={"header": 1, "decision": 3})


def test_a_decision_line_has_the_documented_shape() -> None:
    evidence = Evidence((Box("person", 0.876, 0.1, 0.2, 0.3, 0.4, 7),), ("SALE",), (("moving", 0.02),))
    line = json.loads(decided(12.0, Delegate("Which car?", "Let me look.", 0.93, evidence), 87.1, 90, 2).model_dump_json())
    assert line["type"] == "decision"
    assert (line["action"], line["text"], line["question"], line["p_act"]) == ("delegate", "Let me look.", "Which car?", 0.93)
    assert (line["decision_ms"], line["skipped"]) == (87.1, 2)
    assert line["evidence"]["boxes"] == [{"label": "person", "score": 0.88, "xyxy": [0.1, 0.2, 0.3, 0.4], "track": 7}]
    assert line["evidence"]["texts"] == ["SALE"]


def test_a_killed_writer_loses_at_most_its_torn_line(tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl")
    path.write_text(path.read_text()[:-40])
    assert sum(isinstance(event, Decided) for event in read_log(path)) == 3


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl")
    lines = path.read_text().splitlines()
    lines[2] = '{"type": "decision"}'
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(BadInput, match=r"log.jsonl, line 3 is not an event"):
        list(read_log(path))
    path.write_text(State(t=0, name="watching").model_dump_json() + "\n")
    with pytest.raises(BadInput, match="does not start with a header"):
        list(read_log(path))
    with pytest.raises(BadInput, match="Cannot read"):
        list(read_log(tmp_path / "missing.jsonl"))


def test_past_its_size_it_stops_writing_and_says_so(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log.jsonl", max_bytes=600)
    log.append(HEADER)
    for t in range(50):
        log.append(State(t=float(t), name="watching"))
    log.close(50)
    assert (tmp_path / "log.jsonl").stat().st_size <= 600
    assert log.write_error is not None and "size limit" in log.write_error
    assert log.counts["state"] == 50


async def test_a_listener_gets_what_it_missed_then_what_comes_then_the_end() -> None:
    log = EventLog()
    log.append(HEADER)
    log.append(State(t=1.0, name="watching"))
    queue = log.listen(after=1)
    log.append(Spoken(t=2, t_start=2, t_end=2, text="Hello.", decision_t=2))
    log.close(3.0)
    got = [await asyncio.wait_for(queue.get(), 1) for _ in range(4)]
    assert [item[0] if item else None for item in got] == [2, 3, 4, None]
    assert (await log.listen().get()) is not None


async def test_a_page_that_stopped_reading_never_holds_the_log_up() -> None:
    log = EventLog()
    queue = log.listen()
    for t in range(5_000):
        log.append(State(t=float(t), name="watching"))
    assert queue.full()
    newest = None
    while not queue.empty():
        newest = queue.get_nowait()
    assert newest is not None and newest[0] == 5_000
