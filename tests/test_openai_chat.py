"""The decider behind real HTTP servers: what it sends, whom it asks, and every way in which a server can let it down."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from joyvl_app.bench.tiny import write_tiny_llava
from joyvl_app.brain.agent import AgentBrain
from joyvl_app.clock import ManualClock, RealClock
from joyvl_app.deciders.openai_chat.decider import OpenAiDecider
from joyvl_app.domain import Delegate, Delegation, Frame, Moment, Respond, Silence, Transcript
from joyvl_app.errors import BadInput, ProviderFailed
from tests.minds import Line, Looks
from tests.servers import Model, chunks, free_port, refusal, running
from tests.support import GREY, settings
from tests.test_vlm import Told


def moment(t: float, **changes: Any) -> Moment:
    return replace(Moment(t=t, frames=(Frame(t, GREY),), instruction="Count the people."), **changes)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Any]]:
    """`await opened(model, …, setting=…)`: a watcher in front of these servers."""
    deciders: list[OpenAiDecider] = []
    with ExitStack() as stack:

        async def make(*models: Model, urls: str = "", **changes: Any) -> Any:
            urls = urls or ",".join(stack.enter_context(running(model.app)) for model in models)
            decider = OpenAiDecider(ManualClock(charge=False), settings(openai_urls=urls, **{"openai_seconds": 3, **changes}))
            deciders.append(decider)
            await decider.start()
            assert decider._pool
            decider._pool._pause = 0.05
            watcher = decider.open("a")
            watcher.host = Told()
            return watcher

        yield make
        for decider in deciders:
            await decider.aclose()


async def test_the_chunk_is_sent_with_an_unchanging_beginning(opened: Callable[..., Any]) -> None:
    model = Model("</silence>", "</response> Two.", "</response> Let me see. </delegation> Who is it?", "</silence>")
    watcher = await opened(model)
    assert isinstance(await watcher.decide(moment(1)), Silence)
    second = await watcher.decide(moment(2, heard=(Transcript("How many?", 2, 2),)))
    third = await watcher.decide(moment(3))
    assert second == Respond("Two.", 1.0, second.evidence)
    assert isinstance(third, Delegate) and (third.note, third.question) == ("Let me see.", "Who is it?")
    assert watcher.host.drafts[-1] in ("Two.", "Let me see.")
    await watcher.decide(moment(4))
    for number in range(3):
        before = model.asked[number]["messages"]
        assert model.asked[number + 1]["messages"][: len(before)] == before
    texts = model.texts()
    assert texts[2:7] == ["</silence>", "How many?\n<2.0 seconds>\n", "</response> Two.", "<3.0 seconds>\n", third_turn(third)]
    assert model.pictures() == 4 and model.asked[0]["skip_special_tokens"] is False
    assert model.asked[0]["messages"][1]["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def third_turn(decision: Delegate) -> str:
    return f"</response> {decision.note} </delegation> {decision.question}"


async def test_a_new_chunk_begins_with_the_last_seconds(opened: Callable[..., Any]) -> None:
    model = Model("</silence>")
    watcher = await opened(model, reprime_frames=2)
    for t in range(1, 6):
        await watcher.decide(moment(t, chunk_id=int(t > 4)))
    texts = model.texts()
    assert model.pictures() == 3 and "Count the people." in texts[1] and texts[1].endswith("<3.0 seconds>\n")
    assert texts[-1] == "<5.0 seconds>\n"


async def test_the_first_tokens_alternatives_give_the_probability(opened: Callable[..., Any]) -> None:
    def behave(body: dict[str, Any]) -> Any:
        if body["messages"][-1]["role"] == "assistant":
            assert body["continue_final_message"] is True
            return StreamingResponse(chunks("A dog."), media_type="text/event-stream")
        top = (("</silence>", -0.2), ("</response>", -1.7))
        return StreamingResponse(chunks("</silence>", top), media_type="text/event-stream")

    watcher = await opened(Model("", behave=behave))
    quiet = await watcher.decide(moment(1))
    assert isinstance(quiet, Silence) and quiet.p_act == pytest.approx(1 - np.exp(-0.2), abs=1e-6)
    eager = await watcher.decide(moment(2, sensitivity=3.0))
    assert isinstance(eager, Respond) and eager.text == "A dog."


async def test_sensitivity_holds_words_back_and_a_mute_second_is_silent(opened: Callable[..., Any]) -> None:
    def behave(body: dict[str, Any]) -> Any:
        top = (("</response>", -0.4), ("</silence>", -1.1))
        return StreamingResponse(chunks("</response> A dog.", top), media_type="text/event-stream")

    model = Model("", behave=behave)
    watcher = await opened(model)
    assert isinstance(await watcher.decide(moment(1)), Respond)
    assert isinstance(await watcher.decide(moment(2, sensitivity=-3.0)), Silence)
    assert isinstance(await watcher.decide(moment(3, mute=True)), Silence)
    await watcher.decide(moment(4))
    assert model.texts().count("</silence>") == 2, "what was held back was never said"


async def test_a_session_stays_until_its_server_dies_and_the_dead_are_asked_again(opened: Callable[..., Any]) -> None:
    first, second, port = Model("</response> first"), Model("</response> second"), free_port()
    with running(second.app) as other:
        with running(first.app, port) as home:
            watcher = await opened(urls=f"{home},{other}")
            for t in (1, 2, 3):
                assert (await watcher.decide(moment(t))).text == "first"
        assert (await watcher.decide(moment(4))).text == "second"
        assert (await watcher.decide(moment(5))).text == "second"
        assert not watcher._pool.endpoints[0].up
        with running(first.app, port):
            await _until_up(watcher)
            assert watcher._pool.endpoints[0].up
            assert (await watcher.decide(moment(6))).text == "second", "its cache lives there now"
            assert watcher._pool.pick("another session") is watcher._pool.endpoints[0]


async def _until_up(watcher: Any) -> None:
    async with asyncio.timeout(10):
        while not watcher._pool.endpoints[0].up:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_the_only_server_dying_is_told_and_it_recovers_by_itself(opened: Callable[..., Any]) -> None:
    model, port = Model("</silence>"), free_port()
    with running(model.app, port) as url:
        watcher = await opened(urls=url)
        await watcher.decide(moment(1))
    for t in (2, 3):
        with pytest.raises(ProviderFailed, match=r"cannot be reached"):
            await watcher.decide(moment(t, heard=(Transcript(f"Question {t}?", t, t),)))
    with running(model.app, port):
        await _until_up(watcher)
        await watcher.decide(moment(4))
    assert model.texts()[-1] == "Question 2?\nQuestion 3?\n<4.0 seconds>\n"


async def test_a_server_that_hangs_costs_its_time_and_no_more(opened: Callable[..., Any]) -> None:
    async def hang() -> AsyncIterator[str]:
        await asyncio.sleep(30)
        yield ""

    stuck = Model("", behave=lambda body: StreamingResponse(hang(), media_type="text/event-stream"))
    watcher = await opened(stuck, openai_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(ProviderFailed, match="does not answer in time"):
        await watcher.decide(moment(1))
    assert time.monotonic() - began < 3


async def test_an_endless_stream_is_cut(opened: Callable[..., Any]) -> None:
    async def endless() -> AsyncIterator[str]:
        async for chunk in chunks("</response> on and on"):
            if "DONE" not in chunk:
                yield chunk
        while True:
            async for chunk in chunks(" and on"):
                if "DONE" not in chunk:
                    yield chunk
            await asyncio.sleep(0)

    watcher = await opened(
        Model("", behave=lambda body: StreamingResponse(endless(), media_type="text/event-stream")), reply_tokens=8
    )
    decision = await watcher.decide(moment(1))
    assert isinstance(decision, Respond) and len(decision.text) <= 8 * 16


@pytest.mark.parametrize(
    "answer",
    [
        lambda: HTMLResponse("<html><body>Welcome to nginx</body></html>"),
        lambda: JSONResponse({"hello": "world"}),
        lambda: JSONResponse([1, 2, 3]),
        lambda: StreamingResponse(iter(["data: {broken\n\n"]), media_type="text/event-stream"),
        lambda: StreamingResponse(iter(['data: {"choices": "none"}\n\n']), media_type="text/event-stream"),
        lambda: HTMLResponse("Bad gateway", 502),
    ],
)
async def test_garbage_is_never_spoken(opened: Callable[..., Any], answer: Callable[[], Any]) -> None:
    watcher = await opened(Model("", behave=lambda body: answer()))
    with pytest.raises(ProviderFailed, match=r"did not answer with a completion|in trouble|cannot be reached"):
        await watcher.decide(moment(1))


async def test_a_server_that_does_not_stream_is_asked_plainly(opened: Callable[..., Any]) -> None:
    whole = {"id": "x", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "</response> Hello."}}]}  # fmt: skip
    model = Model("", behave=lambda body: JSONResponse(whole))
    watcher = await opened(model)
    assert (await watcher.decide(moment(1))).text == "Hello."
    assert not model.asked[-1].get("stream")
    await watcher.decide(moment(2))
    assert len(model.asked) == 3, "it is remembered"


async def test_a_server_that_knows_only_the_standard_is_asked_plainly(opened: Callable[..., Any]) -> None:
    def strict(body: dict[str, Any]) -> Any:
        return refusal(422, "Unexpected fields: skip_special_tokens") if "skip_special_tokens" in body else None

    model = Model("</response> Hello.", behave=strict)
    watcher = await opened(model)
    assert (await watcher.decide(moment(1))).text == "Hello."
    await watcher.decide(moment(2))
    assert [("top_k" in body) for body in model.asked] == [True, False, False]


async def test_too_many_pictures_are_halved_until_they_are_taken(opened: Callable[..., Any]) -> None:
    def strict(body: dict[str, Any]) -> Any:
        pictures = json.dumps(body).count('image_url"}') or json.dumps(body).count('"type": "image_url"')
        return refusal(400, "At most 3 image(s) may be provided in one prompt.") if pictures > 3 else None

    model = Model("</silence>", behave=strict)
    watcher = await opened(model)
    faults = 0
    for t in range(1, 12):
        try:
            await watcher.decide(moment(t))
        except ProviderFailed as error:
            assert "fewer pictures" in str(error)
            faults += 1
    assert faults == 1 and max(model.pictures(n) for n in range(len(model.asked) - 5, len(model.asked))) <= 3


async def test_an_outgrown_context_begins_a_new_chunk(opened: Callable[..., Any]) -> None:
    def strict(body: dict[str, Any]) -> Any:
        turns = len(body["messages"])
        return refusal(400, "This model's maximum context length is 4096 tokens.") if turns > 12 else None

    model = Model("</silence>", behave=strict)
    watcher, faults = await opened(model), 0
    for t in range(1, 20):
        try:
            await watcher.decide(moment(t))
        except ProviderFailed as error:
            assert "outgrown" in str(error)
            faults += 1
    assert 1 <= faults <= 4 and len(model.asked[-1]["messages"]) <= 12


async def test_a_refused_key_says_which_setting(opened: Callable[..., Any]) -> None:
    watcher = await opened(Model("", behave=lambda body: refusal(401, "bad key")), openai_key="opensesame")
    with pytest.raises(ProviderFailed, match="JOYVL_OPENAI_KEY") as told:
        await watcher.decide(moment(1))
    assert "opensesame" not in str(told.value)


@pytest.mark.parametrize("urls", ["", "localhost:8000", "ftp://x/v1"])
def test_an_address_is_needed(urls: str) -> None:
    with pytest.raises(BadInput, match="JOYVL_OPENAI_URLS"):
        OpenAiDecider(ManualClock(), settings(openai_urls=urls))


async def test_transformers_serve_with_a_real_checkpoint(opened: Callable[..., Any], tmp_path: Path) -> None:
    """A model never trained for this, behind another project's server: it answers, and nothing without an action is spoken."""
    folder, port = write_tiny_llava(tmp_path / "llava"), free_port()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path), "CUDA_VISIBLE_DEVICES": ""}
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder), "--port", str(port), "--device", "cpu"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await asyncio.to_thread(_wait_for, port, server)
        watcher = await opened(urls=f"http://127.0.0.1:{port}/v1", openai_model=str(folder), openai_seconds=60, reply_tokens=8)
        decisions = [await watcher.decide(moment(t)) for t in (1, 2, 3)]
        assert len(watcher.host.raw) == 3 and all(isinstance(decision, Silence) for decision in decisions)
        assert watcher._pool.endpoints[0].streams and not watcher._pool.endpoints[0].extras
        await _asks_the_brain(f"http://127.0.0.1:{port}/v1", str(folder))
    finally:
        server.terminate()
        server.wait(10)


async def _asks_the_brain(url: str, model: str) -> None:
    """The same server as the agent's model: random weights name no tools and answer with noise, but they answer."""
    brain = AgentBrain(RealClock(), settings(brain_url=url, brain_model=model, brain_tokens=24))
    line = Line()
    try:
        answer = await brain.solve(Delegation("d", "What do you see?", 1.0, "What do you see?"), Looks(), line)
        assert answer.status == "ready" and answer.digest
    except ProviderFailed as error:
        assert "empty answer" in str(error)  # noise may be white
    finally:
        await brain.aclose()
    assert line.steps == ["planning", "thinking"]


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=1)
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise RuntimeError("transformers serve did not start")


# --- anybody may stumble once -------------------------------------------------------------------------------------------


async def test_one_odd_refusal_does_not_change_how_a_good_server_is_asked(opened: Callable[..., Any]) -> None:
    refusals = iter([None, *(refusal(400, "corrupted input") for _ in range(4))])
    model = Model("</response> Hello.", behave=lambda body: next(refusals, None))
    watcher = await opened(model)
    await watcher.decide(moment(1))
    with pytest.raises(ProviderFailed, match=r"refused the request: .*corrupted input"):
        await watcher.decide(moment(2))
    with pytest.raises(ProviderFailed):
        await watcher.decide(moment(3))
    assert (await watcher.decide(moment(4))).text == "Hello." and model.asked[-1]["skip_special_tokens"] is False


async def test_one_broken_stream_does_not_end_streaming(opened: Callable[..., Any]) -> None:
    def done() -> Any:
        return StreamingResponse(iter(["data: [DONE]\n\n"]), media_type="text/event-stream")

    broken = iter([None, done(), done()])
    model = Model("</response> Hello.", behave=lambda body: next(broken, None))
    watcher = await opened(model)
    await watcher.decide(moment(1))
    with pytest.raises(ProviderFailed):
        await watcher.decide(moment(2))
    await _until_up(watcher)
    await watcher.decide(moment(3))
    assert model.asked[-1]["stream"] is True


async def test_an_image_in_a_refusal_is_not_a_limit_on_images(opened: Callable[..., Any]) -> None:
    odd = iter([None, None, None, refusal(400, "cannot identify image file"), refusal(400, "cannot identify image file")])
    watcher = await opened(Model("</silence>", behave=lambda body: next(odd, None)))
    for t in (1, 2, 3):
        await watcher.decide(moment(t))
    with pytest.raises(ProviderFailed):
        await watcher.decide(moment(4))
    assert watcher._pool.endpoints[0].most_pictures == 1_000


@pytest.mark.parametrize("status", [401, 404])
async def test_a_server_that_refuses_is_left_for_another(opened: Callable[..., Any], status: int) -> None:
    bad, good = Model("", behave=lambda body: refusal(status, "no")), Model("</response> Hello.")
    watcher = await opened(bad, good)
    for t in (1, 2):
        assert (await watcher.decide(moment(t))).text == "Hello."
    assert len(bad.asked) == 1


async def test_a_lone_server_that_answers_at_the_second_asking_is_up(opened: Callable[..., Any]) -> None:
    stumbles = iter([HTMLResponse("", 503)])
    watcher = await opened(Model("</response> Hello.", behave=lambda body: next(stumbles, None)))
    for t in (1, 2):
        assert (await watcher.decide(moment(t))).text == "Hello."


async def test_a_hung_server_leaves_time_for_another(opened: Callable[..., Any]) -> None:
    async def hang() -> AsyncIterator[str]:
        await asyncio.sleep(30)
        yield ""

    stuck = Model("", behave=lambda body: StreamingResponse(hang(), media_type="text/event-stream"))
    watcher = await opened(stuck, Model("</response> Hello."), openai_seconds=1.5)
    began = time.monotonic()
    assert (await watcher.decide(moment(1))).text == "Hello." and time.monotonic() - began < 1.6


async def test_hush_does_not_wait_for_a_hung_server(opened: Callable[..., Any]) -> None:
    async def hang() -> AsyncIterator[str]:
        yield ": still here\n\n"
        await asyncio.sleep(30)

    watcher = await opened(
        Model("", behave=lambda body: StreamingResponse(hang(), media_type="text/event-stream")), openai_seconds=20
    )
    deciding = asyncio.create_task(watcher.decide(moment(1)))
    await asyncio.sleep(0.3)
    watcher.hush()
    async with asyncio.timeout(2):
        assert await deciding == Silence()


async def test_no_message_tells_a_servers_address(opened: Callable[..., Any]) -> None:
    watcher = await opened(urls=f"http://user:opensesame@127.0.0.1:{free_port()}/v1")
    with pytest.raises(ProviderFailed) as told:
        await watcher.decide(moment(1))
    assert "opensesame" not in str(told.value) and "127.0.0.1" not in str(told.value)
