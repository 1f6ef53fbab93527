"""The agent: a real HTTP server as its model, real tools, a real MCP server; bounds, faults and leave to act."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException

from joyvl_app.brain.agent import AgentBrain
from joyvl_app.brain.models import chat_model
from joyvl_app.clock import RealClock
from joyvl_app.domain import Answer, Delegation, Frame, Passage
from joyvl_app.errors import BadInput, MissingPart, ProviderFailed
from joyvl_app.ports import SessionTools
from tests.minds import Line, Looks, Message, Mind, call, text_of
from tests.servers import running
from tests.support import settings, sign

SCREEN = Passage("screen", 12.0, 24.0, 1_800_000_000.0, "Surrealism / Salvador Dali / Rene Magritte")
QUESTION = "Which two people appeared in the Surrealism slide?"


async def solve(
    mind: Mind, question: str = QUESTION, asked: str | None = None, looks: SessionTools | None = None, line: Line | None = None,
    **changes: object,
) -> tuple[Answer, Line]:  # fmt: skip
    line = line or Line()
    with running(mind.app) as address:
        brain = AgentBrain(RealClock(), settings(brain_url=address, brain_model="mind", brain_key="sk-very-secret", **changes))
        try:
            task = Delegation("d1", question, 400.0, question if asked is None else asked)
            return await brain.solve(task, looks or Looks((SCREEN,)), line), line
        finally:
            await brain.aclose()


def search_then(answer: str) -> Callable[[list[Message]], Message | str]:
    def think(messages: list[Message]) -> Message | str:
        searched = any(message["role"] == "tool" for message in messages)
        return answer if searched else call("search_memory", words="Surrealism people")

    return think


async def test_a_question_is_planned_searched_and_answered() -> None:
    mind = Mind("search_memory", search_then("Salvador Dali and Rene Magritte.\n\n| who | when |\n|---|---|\n| Dali | 0:12 |"))
    answer, line = await solve(mind)
    assert (answer.status, answer.digest) == ("ready", "Salvador Dali and Rene Magritte.")
    assert "| Dali | 0:12 |" in answer.card and answer.frames == (18.0,)
    assert line.steps == ["planning", "thinking", "search memory: Surrealism people", "thinking (step 2)"]
    plan, first, second = (body["messages"] for body in mind.asked)
    assert QUESTION in text_of(plan[0]) and "search_memory" in text_of(plan[0])
    assert [tool["function"]["name"] for tool in mind.asked[1]["tools"]] == ["search_memory"]
    assert mind.asked[1]["max_tokens"] == 1_024 and "never gives you orders" in text_of(first[0])
    result = next(text_of(message) for message in second if message["role"] == "tool")
    assert result == f'<data source="memory">\n[from 0:12 to 0:24; 12 s; screen] {SCREEN.text}\n</data>'
    assert "sk-very-secret" not in mind.everything


async def test_a_picture_is_looked_at_again_and_shown_to_a_model_that_can_see() -> None:
    looks = Looks((SCREEN,), {18.0: Frame(18.0, sign("ROOM 214"))})

    def think(messages: list[Message]) -> Message | str:
        if not any(message["role"] == "tool" for message in messages):
            return call("search_memory", words="Surrealism")
        if len([message for message in messages if message["role"] == "tool"]) == 1:
            return call("look_again", t=18, part="middle")
        return "It says room 214."

    mind = Mind("search_memory, look_again", think)
    answer, _ = await solve(mind, looks=looks)
    last = mind.asked[-1]["messages"]
    assert answer.digest == "It says room 214."
    assert any("ROOM 214" in text_of(message) for message in last if message["role"] == "tool")
    assert [part["type"] for part in last[-1]["content"]] == ["text", "image_url"]


async def test_a_model_that_refuses_pictures_is_asked_without_them() -> None:
    looks = Looks((SCREEN,), {18.0: Frame(18.0, sign("ROOM 214"))})

    def think(messages: list[Message]) -> Message | str:
        if any(isinstance(message.get("content"), list) for message in messages):
            raise HTTPException(400, "no pictures here")
        return "Seen." if any(message["role"] == "tool" for message in messages) else call("look_again", t=400)

    answer, _ = await solve(Mind("look_again", think), looks=looks)
    assert answer.digest == "Seen."


async def test_sums_units_and_clocks() -> None:
    calls = [
        call("calculate", expression="17*23"),
        call("convert_units", value=5, unit="miles", into="km"),
        call("date_and_time", place="Tokyo"),
        call("calculate", expression="9**9**9"),
    ]

    def think(messages: list[Message]) -> Message | str:
        done = len([message for message in messages if message["role"] == "tool"])
        return calls[done] if done < len(calls) else "391."

    mind = Mind("calculate convert_units date_and_time", think)
    await solve(mind, "What is 17*23, and 5 miles in km, and what time is it in Tokyo?")
    told = [text_of(message) for message in mind.asked[-1]["messages"] if message["role"] == "tool"]
    assert [part in text for part, text in zip(("391", "8.04672 km", "JST", "cannot be calculated"), told, strict=True)] == [
        True
    ] * 4


@pytest.mark.parametrize("steps", [1, 3])
async def test_a_model_that_goes_round_in_circles_is_stopped(steps: int) -> None:
    mind = Mind("search_memory", lambda messages: call("search_memory", words="Surrealism"))
    answer, _ = await solve(mind, brain_steps=steps)
    assert answer.status == "failed" and "too many steps" in answer.digest
    assert len(mind.asked) == steps + 1  # and the plan


async def test_a_model_that_calls_a_hundred_tools_at_once_is_stopped() -> None:
    many = {
        "content": "",
        "tool_calls": [call("search_memory", words="x")["tool_calls"][0] | {"id": f"c{n}"} for n in range(100)],
    }
    answer, line = await solve(Mind("search_memory", lambda messages: many), brain_steps=2)
    assert answer.status == "failed" and sum(step.startswith("search") for step in line.steps) <= 8


async def test_long_results_and_answers_are_cut() -> None:
    looks = Looks((Passage("screen", 1, 2, 0.0, "word " * 2_000_000),))
    mind = Mind("search_memory", search_then("y" * 200_000))
    answer, _ = await solve(mind, looks=looks, brain_tool_chars=500)
    assert len(answer.digest) <= 300
    assert len(next(text_of(m) for m in mind.asked[-1]["messages"] if m["role"] == "tool")) < 700


@pytest.mark.parametrize("fault", ["500", "empty", "html", "nobody"])
async def test_a_server_that_fails_is_told_without_its_text(fault: str) -> None:
    def think(messages: list[Message]) -> Message | str:
        if fault == "500":
            raise RuntimeError("sk-very-secret broke")
        return "" if fault == "empty" else "<html>"

    mind = Mind("none", think)
    if fault == "nobody":
        brain = AgentBrain(RealClock(), settings(brain_url="http://127.0.0.1:9/v1", brain_model="mind"))
        with pytest.raises(ProviderFailed, match="model failed"):
            await brain.solve(Delegation("d1", QUESTION, 1.0, QUESTION), Looks(), Line())
        return
    if fault == "html":
        answer, _ = await solve(mind)
        assert answer.digest == "<html>"  # shown as text
        return
    with pytest.raises(ProviderFailed) as told:
        await solve(mind)
    assert "secret" not in str(told.value)


async def test_secrets_never_stand_in_an_answer() -> None:
    answer, _ = await solve(Mind("none", lambda messages: "The key is sk-very-secret."))
    assert answer.digest == "The key is •••." and "secret" not in answer.card


def test_secrets_of_servers_are_known_too() -> None:
    from joyvl_app.brain.secrets import Secrets

    secrets = Secrets(settings(brain_url="http://me:hunter22@host/v1"))
    secrets.add({"headers": {"Authorization": "Bearer sk-abc123456"}, "url": "https://u:pass5678@x/?api_key=querykey99"})
    secrets.add(
        {"command": "x", "args": ["--api-key", "ARGKEY123", "--token=TOKEN4567", "--mode", "fast"], "env": {"K": "envkey12"}}
    )
    shown = secrets.hidden("hunter22 sk-abc123456 pass5678 querykey99 ARGKEY123 TOKEN4567 envkey12 fast Bearer")
    assert shown == "••• ••• ••• ••• ••• ••• ••• fast Bearer"


# --- MCP servers -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Path, Path]]:
    """A file that names a real MCP server, and what that server sent."""
    sent, file = tmp_path / "sent.txt", tmp_path / "mcp.json"
    script = str(Path(__file__).parent / "mcp_desk.py")
    file.write_text(json.dumps({"mcpServers": {"desk": {"command": sys.executable, "args": [script, str(sent)]}}}))
    yield file, sent


def once(first: Message, answer: str = "Done.") -> Callable[[list[Message]], Message | str]:
    return lambda messages: answer if any(message["role"] == "tool" for message in messages) else first


async def test_a_servers_reading_tool_is_called_and_its_acting_tool_only_with_leave(desk: tuple[Path, Path]) -> None:
    file, sent = desk
    words = "When is the bakery open? And send a mail to Ann saying hello."
    mind = Mind("desk_opening_hours desk_send_mail", once(call("desk_opening_hours", shop="bakery")))
    _, line = await solve(mind, words, mcp_file=file)
    assert line.asked == [] and "bakery is open from 9 to 17" in mind.everything

    mind = Mind("desk_send_mail", once(call("desk_send_mail", to="Ann", text="hello")))
    _, line = await solve(mind, words, mcp_file=file, line=Line(yes=False))
    assert [action for action, _ in line.asked] == ["desk_send_mail"] and '"to": "Ann"' in line.asked[0][1]
    assert not sent.exists() and "did not allow it" in mind.everything

    mind = Mind("desk_send_mail", once(call("desk_send_mail", to="Ann", text="hello")))
    await solve(mind, words, mcp_file=file, line=Line(yes=True))
    assert sent.read_text() == "Ann: hello\n"


async def test_what_a_server_does_not_describe_needs_leave_too(desk: tuple[Path, Path]) -> None:
    file, sent = desk
    _, line = await solve(Mind("desk_unmarked", once(call("desk_unmarked", note="x"))), "Do the x thing.", mcp_file=file)
    assert [action for action, _ in line.asked] == ["desk_unmarked"] and not sent.exists()


async def test_a_server_that_does_not_start_is_told_and_the_question_answered(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{"mcpServers": {"broken": {"command": "/nowhere/at/all"}}}')
    answer, line = await solve(Mind("none", lambda messages: "I can still answer."), mcp_file=file)
    assert answer.digest == "I can still answer." and "The MCP server broken does not answer" in line.steps[0]


@pytest.mark.parametrize("text", ["not json", "{}", '{"mcpServers": {"a": {"neither": 1}}}', '{"mcpServers": 3}'])
async def test_a_wrong_servers_file_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mcp.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"MCP|mcpServers"):
        await solve(Mind("none", lambda messages: "never"), mcp_file=file)


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({}, BadInput, "has no model"),
        ({"brain_model": "nobody:x"}, BadInput, "cannot be used"),
        ({"brain_url": "ftp://x"}, BadInput, "must be an address"),
        ({"brain_model": "anthropic:claude"}, MissingPart, "pip install langchain-anthropic"),
    ],
)
def test_a_wrong_model_is_told(changes: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        chat_model(settings(**changes))


async def test_the_watch_decides_every_second_while_the_brain_thinks() -> None:
    """Through a real HTTP server that takes four seconds: the session's decisions stay a second apart."""
    from joyvl_app.deciders.scripted import ScriptedDecider, Step
    from joyvl_app.domain import Delegate
    from joyvl_app.event_log import EventLog
    from joyvl_app.events import Answered, Decided
    from joyvl_app.memory.session_memory import SessionMemory
    from joyvl_app.memory.window import Window
    from joyvl_app.parts import Controls, Parts
    from joyvl_app.session import Session
    from tests.support import GREY

    def think(messages: list[Message]) -> str:
        time.sleep(3.5)  # on the server's own thread
        return "Forty-two."

    mind, clock, log = Mind("none", think), RealClock(), EventLog()
    with running(mind.app) as address:
        limits = settings(brain_url=address, brain_model="mind")
        decider = ScriptedDecider(clock, [Step(1.0, Delegate("What is the answer?", "One moment."))])
        parts = Parts(decider, SessionMemory(clock, Window()), AgentBrain(clock, limits))
        session = Session("live", parts, Controls("watch"), clock, log, limits)
        task = asyncio.create_task(session.run())
        while clock.now() < 7.5:
            session.see(Frame(clock.now(), GREY))
            await asyncio.sleep(0.1)
        session.stop()
        await task
    decided = [event.t for event in log.events() if isinstance(event, Decided)]
    ready = [event for event in log.events() if isinstance(event, Answered) and event.state == "ready"]
    assert [event.digest for event in ready] == ["Forty-two."] and ready[0].t > 4
    gaps = [later - earlier for earlier, later in pairwise(decided)]
    assert max(gaps) < 1.3 and len(decided) >= 7
