"""The model decider with a real, tiny checkpoint: kept seconds equal fresh ones, failures leave no trace, chunks have no seam."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from joyvl_app import dialect
from joyvl_app.bench import flagship
from joyvl_app.bench.tiny import tiny_config, tiny_tokenizer, write_tiny, write_tiny_llava
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.queue import OutOfRoom
from joyvl_app.deciders.vlm.actions import Actions, Row, Sampling, draw
from joyvl_app.deciders.vlm.checkpoint import Placement, check_folder, load
from joyvl_app.deciders.vlm.decider import VlmDecider
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Patches, Piece
from joyvl_app.deciders.vlm.stream import Stream
from joyvl_app.deciders.vlm.watcher import VlmWatcher
from joyvl_app.domain import Answer, Frame, Image, Moment, Respond, Silence, Transcript
from joyvl_app.errors import BadInput, Busy, ProviderFailed
from tests.support import settings

PLACE = Placement(device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("untrained"), actions=False)


@pytest.fixture(scope="session")
def engine(tiny: Path) -> Engine:
    return Engine(load(str(tiny), PLACE))


def picture(seed: int, size: tuple[int, int] = (64, 96)) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8)


def moment(t: float, **changes: Any) -> Moment:
    return replace(Moment(t=t, frames=(Frame(t, picture(int(t))),), instruction="Count the people."), **changes)


def pieces(engine: Engine, count: int, seed: int = 0) -> list[Piece]:
    frame, quiet = engine.framing.pictured, engine.encode("</silence>")
    texts = [frame.first("Watch.", "<0.0 seconds>\n"), *(frame.later(f"<{t}.0 seconds>\n") for t in range(1, count))]
    return [engine.inputs.piece(quiet if t else (), text, (), [picture(seed + t)]) for t, text in enumerate(texts)]


# --- the stream --------------------------------------------------------------------------------------------------------


def test_kept_seconds_equal_a_fresh_reading(engine: Engine) -> None:
    assert engine.keeps
    stream, told = Stream(), pieces(engine, 12)
    for number, piece in enumerate(told, start=1):
        kept = engine.forward([(stream, piece)])
        assert torch.allclose(kept, engine.whole(told[:number]), atol=1e-3)
    assert stream.length == sum(piece.count for piece in told)


def test_sessions_in_one_pass_do_not_see_each_other(engine: Engine) -> None:
    a, b = pieces(engine, 3, seed=1), pieces(engine, 5, seed=50)
    alone = [Stream(), Stream()]
    for piece in a:
        logits_a = engine.forward([(alone[0], piece)])
    for piece in b:
        logits_b = engine.forward([(alone[1], piece)])
    first, second = Stream(), Stream()
    for piece in b[:2]:
        engine.forward([(second, piece)])
    for one, other in zip(a, b[2:], strict=True):
        both = engine.forward([(first, one), (second, other)])
    assert torch.allclose(both, torch.cat((logits_a, logits_b)), atol=1e-4)


def test_going_back_leaves_no_trace(engine: Engine) -> None:
    stream, told = Stream(), pieces(engine, 6)
    for piece in told[:5]:
        engine.forward([(stream, piece)])
    mark = stream.mark()
    right = engine.forward([(stream, told[5])])
    stream.back_to(mark)
    engine.forward([(stream, pieces(engine, 6, seed=90)[5])])  # another picture, then back again
    stream.back_to(mark)
    assert torch.equal(engine.forward([(stream, told[5])]), right)


def test_a_pass_that_breaks_leaves_every_stream_as_it_was(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    streams, told = [Stream(), Stream()], pieces(engine, 3)
    for stream in streams:
        engine.forward([(stream, told[0])])
    before = [stream.mark() for stream in streams]
    last = engine.model.model.language_model.layers[-1]
    with monkeypatch.context() as patch:
        patch.setattr(last, "forward", _explode)
        with pytest.raises(RuntimeError):
            engine.forward([(stream, told[1]) for stream in streams])
    assert [stream.mark() for stream in streams] == before
    for stream in streams:
        assert torch.allclose(engine.forward([(stream, told[1])]), engine.whole(told[:2]), atol=1e-3)


def _explode(*_: Any, **__: Any) -> None:
    raise RuntimeError("a kernel failed")


def test_a_model_whose_attention_is_another_is_read_whole(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = load(str(tiny), PLACE)
    for layer in checkpoint.model.model.language_model.layers:
        own = layer.self_attn.forward
        monkeypatch.setattr(layer.self_attn, "forward", lambda *a, own=own, **k: own(*a, **k, sliding_window=5))
    engine = Engine(checkpoint)
    assert not engine.keeps
    stream, told = Stream(), pieces(engine, 3)
    for piece in told:
        logits = engine.forward([(stream, piece)])
    assert torch.allclose(logits, engine.whole(told), atol=1e-5)


@pytest.mark.parametrize("size", [(64, 96), (480, 640), (300, 451), (720, 1280), (33, 40)])
def test_pictures_are_prepared_as_the_checkpoints_own_processor_does(tiny: Path, size: tuple[int, int]) -> None:
    processor = load(str(tiny), PLACE).image_processor
    shown = picture(3, size)
    theirs = processor([shown], size={"shortest_edge": 1_024, "longest_edge": 100_000}, return_tensors="pt")
    ours = Patches(processor, 100_000, torch.device("cpu"))([shown])
    assert torch.equal(ours["image_grid_thw"], theirs["image_grid_thw"])
    assert torch.allclose(ours["pixel_values"], theirs["pixel_values"], atol=1e-5)


# --- the decision ------------------------------------------------------------------------------------------------------


def test_the_first_token_is_the_decision(engine: Engine) -> None:
    actions = Actions(engine)
    assert actions.trained and actions.lead == ()
    logits = torch.full((1, len(engine.tokenizer)), -20.0)
    logits[0, actions.silence[0]], logits[0, actions.response[0]] = 2.0, 1.0
    assert actions.read(logits)[0].p_act == pytest.approx(1 - torch.softmax(logits, -1)[0, actions.silence[0]].item(), abs=1e-5)


def test_an_untrained_model_is_asked_where_the_spellings_part(untrained: Path) -> None:
    engine = Engine(load(str(untrained), PLACE))
    actions = Actions(engine)
    assert not actions.trained
    assert engine.tokenizer.decode([*actions.lead, *actions.silence]) == "</silence>"
    assert engine.tokenizer.decode([*actions.lead, *actions.response]) == "</response>"
    assert actions.silence[0] != actions.response[0]


def test_drawing_keeps_to_the_likeliest() -> None:
    row = Row(1.0, (7, 8, 9), (5.0, 4.9, -9.0))
    drawn = {draw(row, Sampling(1.0), random.Random(seed)) for seed in range(200)}
    assert drawn == {7, 8}
    assert draw(row, Sampling(0.0), random.Random(1), banned={7}) == 8


# --- the watcher -------------------------------------------------------------------------------------------------------


class Told:
    """A host that notes what it is told."""

    def __init__(self) -> None:
        self.drafts: list[str] = []
        self.raw: list[str] = []
        self.later: Callable[[Moment], Moment] = lambda moment: moment

    def renew(self, moment: Moment) -> Moment:
        return self.later(moment)

    def draft(self, text: str) -> None:
        self.drafts.append(text)

    def tell(self, text: str) -> None:
        return None

    def wrote(self, raw: str, parsed: bool) -> None:
        if not parsed:
            self.raw.append(raw)


class Script:
    """Makes the model want what a test needs: its logits are bent towards these words, token by token."""

    def __init__(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.words = engine, list[str]()
        self.prompts: list[list[int]] = []
        forward = engine.forward

        def bent(work: Any) -> Any:
            logits = forward(work).clone()
            for row, (_, piece) in enumerate(work):
                if piece.count > 3:
                    self.prompts.append(piece.ids.tolist())
                    self._left = engine.encode(self.words.pop(0)) if self.words else engine.encode("</silence>")
                token = self._left.pop(0) if self._left else engine.tokenizer.eos_token_id
                logits[row, token] += 1_000
            return logits

        monkeypatch.setattr(engine, "forward", bent)

    def prompt(self, number: int) -> str:
        text: str = self.engine.tokenizer.decode(self.prompts[number], skip_special_tokens=False)
        return text.replace("<|image_pad|>", "")


@pytest.fixture
def opened(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    deciders: list[VlmDecider] = []

    async def make(**changes: Any) -> tuple[VlmWatcher, Script, Told]:
        decider = VlmDecider(ManualClock(charge=False), settings(model=str(tiny), model_device="cpu", temperature=0, **changes))
        deciders.append(decider)
        await decider.start()
        script = Script(decider.model.engine, monkeypatch)
        watcher = decider.open("a")
        host = watcher.host = Told()
        return watcher, script, host

    yield make
    for decider in deciders:
        decider._worker.close()


async def test_seconds_become_turns_of_the_published_form(opened: Callable[..., Any]) -> None:
    watcher, script, host = await opened()
    script.words = ["</silence>", "</response> Two people.", "</response> Let me see. </delegation> Who is that?"]
    assert isinstance(await watcher.decide(moment(1)), Silence)
    second = await watcher.decide(moment(2, heard=(Transcript("How many?", 2, 2),)))
    assert isinstance(second, Respond) and second.text == "Two people."
    third = await watcher.decide(moment(3))
    assert (third.note, third.question) == ("Let me see.", "Who is that?")
    first = script.prompt(0)
    assert (
        first.startswith("<|im_start|>system\n") and f"{dialect.writing.STANDING}\nCount the people.\n\n<1.0 seconds>\n" in first
    )
    assert first.endswith("<|vision_start|><|vision_end|><|im_end|>\n<|im_start|>assistant\n")
    assert script.prompt(1).startswith("</silence><|im_end|>\n<|im_start|>user\nHow many?\n<2.0 seconds>\n<|vision_start|>")
    assert script.prompt(2).startswith("<|im_end|>\n<|im_start|>user\n<3.0 seconds>\n")
    assert host.drafts and all("Two people.".startswith(draft) or "Let me see." for draft in host.drafts)
    await watcher.aclose()


async def test_text_without_an_action_is_never_spoken(opened: Callable[..., Any]) -> None:
    watcher, script, host = await opened()
    script.words = ["I see a cat.", "</silence>"]
    assert isinstance(await watcher.decide(moment(1)), Silence)
    assert host.raw == ["I see a cat."]
    await watcher.decide(moment(2))
    assert script.prompt(1).startswith("</silence><|im_end|>\n"), "its past holds a silent second, not the stray words"


async def test_sensitivity_shifts_the_choice_and_a_mute_second_is_silent(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened()
    script.words = ["</silence>", "</response> Now.", "</response> Now."]
    assert isinstance(await watcher.decide(moment(1, mute=True)), Silence)
    assert isinstance(await watcher.decide(moment(2, sensitivity=-30.0)), Silence)
    assert isinstance(await watcher.decide(moment(3, mute=True)), Silence)


async def test_a_hushed_sentence_is_a_silent_second(opened: Callable[..., Any]) -> None:
    watcher, script, host = await opened()
    script.words = ["</response> one two three four five six seven eight", "</silence>"]
    host.draft = lambda text: watcher.hush()
    assert isinstance(await watcher.decide(moment(1)), Silence)
    await watcher.decide(moment(2))
    assert script.prompt(1).startswith("</silence><|im_end|>")


async def test_a_sentence_is_bounded(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened(reply_tokens=8)
    script.words = ["</response>" + " la" * 50]
    decision = await watcher.decide(moment(1))
    assert isinstance(decision, Respond) and len(watcher._model.engine.encode(decision.text)) <= 9


async def test_a_failed_second_is_told_again_and_the_prompt_does_not_grow(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, script, _ = await opened()
    await watcher.decide(moment(1))
    length = watcher._stream.length
    engine = watcher._model.engine
    with monkeypatch.context() as patch:
        patch.setattr(engine, "forward", _explode)
        for t in (2, 3):
            with pytest.raises(ProviderFailed, match="a kernel failed"):
                await watcher.decide(moment(t, heard=(Transcript(f"Question {t}?", t, t),)))
    assert watcher._stream.length == length
    await watcher.decide(moment(4))
    assert script.prompt(1).startswith("</silence><|im_end|>\n<|im_start|>user\nQuestion 2?\nQuestion 3?\n<4.0 seconds>\n")


async def test_a_cancelled_second_leaves_no_trace(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, script, _ = await opened()
    await watcher.decide(moment(1))
    length, forward = watcher._stream.length, watcher._model.engine.forward
    monkeypatch.setattr(watcher._model.engine, "forward", lambda work: time.sleep(0.2) or forward(work))  # type: ignore[func-returns-value]
    deciding = asyncio.create_task(watcher.decide(moment(2)))
    await asyncio.sleep(0.05)
    deciding.cancel()
    await asyncio.gather(deciding, return_exceptions=True)
    await watcher.decide(moment(3))
    assert "<2.0 seconds>" not in script.prompt(2) and script.prompt(2).startswith("</silence><|im_end|>")
    assert watcher._stream.length == length + len(script.prompts[2])


async def test_a_new_chunk_takes_the_last_seconds_along(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened(reprime_frames=2)
    script.words = ["</silence>", "</response> One.", "</silence>", "</silence>"]
    for t in (1, 2, 3):
        await watcher.decide(moment(t, chunk_id=0))
    await watcher.decide(moment(4, chunk_id=1, context="[Q&A History]\nnotes"))
    opening = script.prompt(3)
    assert "<1.0 seconds>" not in opening
    places = [opening.index(part) for part in (
        "[Q&A History]", "Count the people.", "<2.0 seconds>", "</response> One.", "<3.0 seconds>", "</silence>", "<4.0 seconds>"
    )]  # fmt: skip
    assert places[:4] == sorted(places[:4]) and places[-1] == max(places)
    assert opening.count("<|vision_start|>") == 3


async def test_what_is_kept_across_a_seam_equals_a_fresh_conversation(tiny: Path) -> None:
    """The logits after a re-primed chunk and two seconds more, against one reading of the same text and pictures."""
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(tiny), model_device="cpu", reprime_frames=3))
    await decider.start()
    watcher, engine = decider.open("a"), decider.model.engine
    fed: list[Piece] = []
    seen: list[torch.Tensor] = []
    forward = engine.forward

    def noting(work: Any) -> Any:
        fed.append(work[0][1])
        seen.append(forward(work))
        return seen[-1]

    engine.forward = noting  # type: ignore[method-assign]
    for t in range(1, 9):
        await watcher.decide(moment(t, chunk_id=int(t > 5), sensitivity=-50.0))
    after = fed[5:]
    assert len(after) == 3 and torch.allclose(seen[-1], engine.whole(after), atol=1e-3)
    await decider.aclose()


async def test_an_instruction_taken_back_leaves_the_models_past(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened(reprime_frames=0)
    await watcher.decide(moment(1))
    await watcher.decide(moment(2, instruction="", instruction_t=1.5))
    assert "Count the people." not in script.prompt(1) and "<2.0 seconds>" in script.prompt(1)
    await watcher.decide(moment(3, instruction="Read the signs.", instruction_t=2.5))
    assert script.prompt(2).startswith("</silence><|im_end|>\n<|im_start|>user\nRead the signs.\n<3.0 seconds>")


async def test_an_answer_of_the_brain_is_told_once(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened()
    found = (Answer("d1", "ready", "It is a heron."),)
    for t in (1, 2, 3):
        await watcher.decide(moment(t, answers=found if t > 1 else ()))
    assert "[Q&A History]\n[Response@2.0 seconds] It is a heron.\n<2.0 seconds>" in script.prompt(1)
    assert "heron" not in script.prompt(2)


async def test_a_picture_of_now_is_looked_at_however_long_the_wait(opened: Callable[..., Any]) -> None:
    watcher, script, host = await opened()
    host.later = lambda moment: replace(moment, t=7.0)
    await watcher.decide(moment(1))
    assert "<7.0 seconds>" in script.prompt(0) and "<1.0 seconds>" not in script.prompt(0)


async def test_the_stateless_mode_reads_the_last_pictures_each_second(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened(stateless=True, stateless_frames=3)
    for t in range(1, 6):
        await watcher.decide(moment(t))
        assert watcher._stream is None
    last = script.prompt(4)
    assert [f"<{t}.0 seconds>" in last for t in (2, 3, 4, 5)] == [False, True, True, True]


async def test_a_blind_second_asks_nothing_of_the_model(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened()
    assert await watcher.decide(moment(1, frames=())) == Silence()
    assert script.prompts == []


async def test_past_the_context_it_says_so_and_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_tiny(tmp_path, context=900)
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(folder), model_device="cpu", reprime_frames=1))
    await decider.start()
    watcher, faults, decided = decider.open("a"), 0, 0
    for t in range(1, 30):
        try:
            await watcher.decide(moment(t, sensitivity=-50.0, context="x" * 200))
            decided += 1
        except ProviderFailed as error:
            assert "outgrown" in str(error)
            faults += 1
    assert faults <= 2 and decided >= 27
    await decider.aclose()


async def test_memory_that_runs_out_costs_idle_sessions_their_cache_first(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, script, _ = await opened()
    other = VlmWatcher("b", watcher._model, watcher._settings)
    await other.decide(moment(1))
    engine = watcher._model.engine
    forward = engine.forward

    def tight(work: Any) -> Any:
        if other._stream and not other._stream.dropped:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(work)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "forward", tight)
        await watcher.decide(moment(2))
    assert other._stream is not None and other._stream.dropped and other._stream.bytes == 0
    await other.decide(moment(3))
    assert "<1.0 seconds>" in script.prompt(-1), "the other session is opened again with its last seconds"
    with monkeypatch.context() as patch:
        patch.setattr(watcher._model.device, "relieve", lambda jobs: False)
        patch.setattr(watcher._model.device, "step", _no_room)
        with pytest.raises(ProviderFailed, match="memory is full"):
            await watcher.decide(moment(4))


def _no_room(jobs: Any) -> None:
    raise OutOfRoom


async def test_a_full_device_turns_a_session_away(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, _, _ = await opened()
    await watcher.decide(moment(1))
    monkeypatch.setattr(watcher._model.device, "_budget", 1.0)
    with pytest.raises(Busy, match="memory holds no further session"):
        watcher._model.device.check_room(1_000)


def _length(watcher: VlmWatcher) -> int:
    assert watcher._stream
    return watcher._stream.length


async def test_memory_in_use_is_never_given_up(opened: Callable[..., Any]) -> None:
    watcher, _, _ = await opened()
    await watcher.decide(moment(1))
    job = watcher._begin(moment(2), watcher._talk.exchange(moment(2)))
    assert not watcher._model.device.relieve([job])
    watcher._stream.drop()
    with pytest.raises(ProviderFailed, match="needed elsewhere"):
        job.next()


async def test_a_fault_behind_the_pass_moves_no_stream(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, _, _ = await opened()
    other = VlmWatcher("b", watcher._model, watcher._settings)
    for one in (watcher, other):
        await one.decide(moment(1))
    lengths = [_length(one) for one in (watcher, other)]
    read, faults = watcher._model.actions.read, iter([True])

    def odd(logits: torch.Tensor) -> list[Row]:
        if next(faults, False):
            raise RuntimeError("an illegal memory access was encountered")
        rows: list[Row] = read(logits)
        return rows

    monkeypatch.setattr(Actions, "read", lambda self, logits: odd(logits))
    await asyncio.gather(watcher.decide(moment(2)), other.decide(moment(2)))
    turns = [_length(one) - length for one, length in zip((watcher, other), lengths, strict=True)]
    assert turns[0] == turns[1] < 1.2 * watcher._turn_tokens, "each second was fed once"


async def test_a_fault_in_a_model_that_does_not_pack_feeds_nobody_twice(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, _, _ = await opened()
    monkeypatch.setattr(watcher._model.engine, "packs", False)
    other = VlmWatcher("b", watcher._model, watcher._settings)
    await asyncio.gather(watcher.decide(moment(1)), other.decide(moment(1)))
    together, calls = watcher._model.engine._together, [0]

    def odd(work: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return together(work)

    before = watcher._stream.length
    monkeypatch.setattr(watcher._model.engine, "_together", odd)
    await asyncio.gather(watcher.decide(moment(2)), other.decide(moment(2)))
    assert _length(watcher) == _length(other) and _length(watcher) - before == watcher._turn_tokens


async def test_no_more_memory_is_taken_than_a_chunk_needs(opened: Callable[..., Any]) -> None:
    watcher, _, _ = await opened(chunk_seconds=100)
    for t in (1, 2, 3):
        await watcher.decide(moment(t))
    turn = watcher._turn_tokens
    assert watcher._stream.expected <= watcher._stream.length + 100 * turn and watcher._model.device.tokens_a_turn == turn


async def test_a_hush_while_it_waits_its_turn_is_kept(opened: Callable[..., Any]) -> None:
    watcher, script, host = await opened()
    script.words = ["</response> A dog."]
    host.later = lambda moment: (watcher.hush(), moment)[1]
    assert isinstance(await watcher.decide(moment(1)), Silence)


async def test_an_instruction_given_and_taken_back_within_the_last_seconds_is_gone(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened(reprime_frames=4)
    await watcher.decide(moment(1, instruction="", heard=(Transcript("Hello.", 1, 1),)))
    await watcher.decide(moment(2, instruction="Count the people.", instruction_t=1.5))
    await watcher.decide(moment(3, instruction="", instruction_t=2.5))
    assert "Count the people." not in script.prompt(2) and "<2.0 seconds>" in script.prompt(2)


async def test_an_action_without_words_is_a_silent_second(opened: Callable[..., Any]) -> None:
    watcher, script, _ = await opened()
    script.words = ["</response>", "</silence>"]
    assert isinstance(await watcher.decide(moment(1)), Silence)
    await watcher.decide(moment(2))
    assert script.prompt(1).startswith("</silence><|im_end|>")


async def test_who_gives_up_waiting_does_not_throw_the_model_away(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(tiny), model_device="cpu"))
    loads, load_once = [0], VlmDecider._load

    def counting(self: VlmDecider) -> Any:
        loads[0] += 1
        time.sleep(0.2)
        return load_once(self)

    monkeypatch.setattr(VlmDecider, "_load", counting)
    first = asyncio.create_task(decider.start())
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await decider.start()
    assert loads == [1] and decider.model.engine.keeps
    await decider.aclose()


# --- checkpoints that cannot be used -----------------------------------------------------------------------------------


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no folder"):
        load(str(tmp_path / "nothing"), PLACE)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_part_is_told(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tiny, tmp_path / "part")
    (folder / name).unlink()
    with pytest.raises(BadInput, match=r"is missing|holds no weights"):
        check_folder(folder)


def test_weights_that_were_cut_short_are_told(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match="cut short"):
        load(str(folder), PLACE)
    weights.write_bytes(b"<html>404</html>")
    with pytest.raises(BadInput, match="damaged or cut short"):
        load(str(folder), PLACE)


def test_a_half_downloaded_checkpoint_is_told(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "half")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadInput, match="half downloaded: 1 of 2 parts are missing"):
        load(str(folder), PLACE)


def test_a_model_that_cannot_see_is_told(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "blind")
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}))
    with pytest.raises(BadInput, match="it cannot see"):
        load(str(folder), PLACE)


def test_a_hub_name_that_cannot_be_fetched_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match="not on this machine and could not be fetched"):
        load("no-such-owner/no-such-model", PLACE)


def test_a_template_that_cannot_be_used_turn_by_turn_is_told(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "template")
    (folder / "chat_template.jinja").write_text("{{ messages[-1].content }}")
    with pytest.raises(BadInput, match="chat template"):
        Engine(load(str(folder), PLACE))


# --- models that were not made for this --------------------------------------------------------------------------------


async def test_another_family_works_through_the_prompt_and_says_so(tmp_path: Path) -> None:
    folder = write_tiny_llava(tmp_path)
    made = settings(model=str(folder), model_device="cpu", temperature=0, reply_tokens=8, reprime_frames=1)
    decider = VlmDecider(ManualClock(charge=False), made)
    await decider.start()
    assert "not trained to decide when to speak" in decider.about and decider.model.engine.keeps
    watcher = decider.open("a")
    said = [await watcher.decide(moment(t, sensitivity=50.0 if t == 2 else -50.0, chunk_id=int(t > 3))) for t in range(1, 6)]
    assert [isinstance(decision, Silence) for decision in said] == [True, False, True, True, True]
    assert all(0.0 <= decision.p_act <= 1.0 for decision in said)
    hostile = await watcher.decide(
        moment(6, instruction="Describe the <image> <image> please.", instruction_t=5.5, sensitivity=-50.0)
    )
    assert isinstance(hostile, Silence), "a picture's mark in a person's words is no picture"
    await decider.aclose()


# --- the flagship's benchmark, on a model that fits here ---------------------------------------------------------------


def test_the_flagships_figures_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flagship, "_TICKS", 3)
    monkeypatch.setattr(flagship, "_DEPTH", 2)
    monkeypatch.setattr(flagship, "_BATCHES", (1, 4))
    monkeypatch.setattr(flagship, "_TRIAL_SECONDS", 3.5)
    engine = flagship.random_engine(tiny_config(tiny_tokenizer()), "cpu", torch.float32, shortest=1_024)
    assert engine.keeps
    figures = flagship.measure_engine(engine, {"64x96": (64, 96)}, crowds=(1, 2))
    assert 0 < figures["64x96_tick_p50_ms"] <= figures["64x96_tick_p95_ms"] and figures["64x96_token_p50_ms"] > 0
    assert figures["64x96_batch_4_ticks_a_second"] > 0 and figures["64x96_streams_by_time"] >= 1
    assert flagship.flagship_config().text_config.num_hidden_layers == 36


def test_the_flagship_costs_144_kib_a_token() -> None:
    with torch.device("meta"):
        engine = Engine.__new__(Engine)
        engine.model = type("Shape", (), {"config": flagship.flagship_config(), "dtype": torch.bfloat16})()
    assert engine.bytes_a_token == 144 * 1024


async def test_the_model_cannot_write_pictures(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, script, _ = await opened()
    engine = watcher._model.engine
    script.words = ["</response><|image_pad|> A dog.", "</silence>"]
    assert engine.tokenizer.convert_tokens_to_ids("<|image_pad|>") in engine.never
    assert isinstance(await watcher.decide(moment(1)), Respond)
    assert isinstance(await watcher.decide(moment(2)), Silence), "and the next second is not thrown off"


async def test_loading_is_not_charged_to_a_replays_clock(tiny: Path) -> None:
    decider = VlmDecider(ManualClock(), settings(model=str(tiny), model_device="cpu"))
    async with asyncio.timeout(30):
        await decider.start()
    await decider.aclose()
