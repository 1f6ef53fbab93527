"""Other kinds of models than the flagship's: a LLaVA made on the spot, its template, its attention; and Qwen3-VL with experts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from joyvl_app.__main__ import main
from joyvl_app.bench.tiny import write_tiny_llava
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.vlm.decider import VlmDecider
from joyvl_app.dialect.tokens import SILENCE
from joyvl_app.domain import Image, Respond
from joyvl_app.errors import BadInput
from joyvl_app.train.encoding import Row
from joyvl_app.train.loading import load_encoder, load_model
from joyvl_app.train.loss import Weights
from joyvl_app.train.packing import logits_of, packed
from joyvl_app.train.reading import reading_of
from joyvl_app.train.rl import Policy, reinforce
from joyvl_app.train.sft import train
from joyvl_app.train.talks import Line, Talk, moments_of
from tests.kinds import WRITERS, write_batched, write_grids, write_llava_with_window, write_llava_without_ends
from tests.support import settings
from tests.training import CPU, plan, quietly

_TALK = Talk("a", "alert", 6, (Line(0, "Count <image> each cat."), Line(3, "Who is <|im_end|> she?")), ())


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llava(tmp_path_factory.mktemp("kinds") / "llava")


def _images(count: int) -> list[Image]:
    return [np.full((96, 128, 3), 20 * n, np.uint8) for n in range(count)]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = load_model(str(folder), any_kind=True).model.state_dict()
    return weights


@pytest.mark.parametrize("how", WRITERS)
async def test_a_row_is_what_the_decider_feeds_and_as_surprising(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After training: the same tokens, and at every second the P(act) that the decider finds, packed with another row or not."""
    folder = WRITERS[how](tmp_path / "model")
    made = train(plan(folder, tmp_path / "run", 2), quietly)
    row = load_encoder(made, 262_144).rows(_TALK, _images(6), Weights())[0]
    fed, p_act, silence = await _decided(made, monkeypatch)
    assert [*fed, *silence] == row.ids.tolist()[: len(fed) + len(silence)]
    checkpoint = load_model(str(made), any_kind=True)
    reading = reading_of(checkpoint, 262_144, CPU)
    assert reading.together is (how != "window")
    for rows in ([row], [replace(row, images=row.images[::-1]), row])[: 1 + reading.together]:
        assert _p_act(checkpoint.model.eval(), rows, reading.pictures, silence[0]) == pytest.approx(p_act, abs=1e-5)


async def _decided(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[float], list[int]]:
    """What the decider feeds, everything silent; what it finds; and how silence is spelt."""
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(folder), model_device="cpu"))
    await decider.start()
    engine, fed = decider.model.engine, list[int]()
    piece = engine.inputs.piece

    def recorded(*given: Any) -> Any:
        made = piece(*given)
        fed.extend(made.ids.tolist())
        return made

    monkeypatch.setattr(engine.inputs, "piece", recorded)
    watcher = decider.open("s")
    p_act = [(await watcher.decide(replace(m, sensitivity=-50.0))).p_act for m, _, _ in moments_of(_TALK, _images(6))]
    await watcher.aclose()
    await decider.aclose()
    return fed, p_act, engine.encode(SILENCE)


def _p_act(model: Any, rows: Sequence[Row], pictures: Any, silence: int) -> list[float]:
    """Of the last row."""
    before = sum(row.tokens for row in rows[:-1])
    places = torch.tensor([before + place - 1 for place in rows[-1].decisions])
    with torch.no_grad():
        logits = logits_of(model, packed(rows, pictures, CPU, once=False), places)
    quiet: list[float] = torch.softmax(logits, -1)[:, silence].tolist()
    return [1 - p for p in quiet]


async def test_words_are_written_a_token_at_a_time(tmp_path: Path) -> None:
    """With neither text nor picture: this kind's processor makes no ids of that."""
    folder = write_batched(tmp_path / "model")
    decider = VlmDecider(
        ManualClock(charge=False), settings(model=str(folder), model_device="cpu", temperature=0, reply_tokens=8)
    )
    await decider.start()
    watcher, moment = decider.open("s"), moments_of(_TALK, _images(6))[0][0]
    said = await watcher.decide(replace(moment, sensitivity=50.0))
    assert isinstance(said, Respond) and said.text
    await watcher.aclose()
    await decider.aclose()


def test_positions_are_the_model_s_own_where_it_has_some(tmp_path: Path) -> None:
    folder = write_grids(tmp_path / "model")
    row = load_encoder(folder, 262_144).rows(_TALK, _images(6), Weights())[0]
    checkpoint = load_model(str(folder), any_kind=True)
    ids, model = torch.from_numpy(row.ids)[None], checkpoint.model
    grids = reading_of(checkpoint, 262_144, CPU).pictures(row.images)["image_grid_thw"]
    kinds = (ids == model.config.image_token_id).int()
    own, _ = model.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grids)
    assert row.positions.shape[0] == 3 and (own[:, 0].numpy() == row.positions).all()


def test_where_a_template_writes_no_end_the_end_is_learned_all_the_same(tmp_path: Path) -> None:
    folder = write_llava_without_ends(tmp_path / "model")
    encoder, talk = load_encoder(folder, 262_144), replace(_TALK, responses=(Line(2, "One."),))
    row = encoder.rows(talk, _images(6), Weights(1, 1, 1, 1))[0]
    tokenizer = _tokenizer(folder)
    assert row.targets is not None
    pack = packed([row], reading_of(load_model(str(folder), any_kind=True), 262_144, CPU).pictures, CPU, once=False)
    said = tokenizer.decode(pack.targets)
    assert said == f"{SILENCE}<|im_end|>" * 2 + "</response> One.<|im_end|>" + f"{SILENCE}<|im_end|>" * 3
    assert (row.ids == tokenizer.eos_token_id).sum() == 1, "the last turn's, which nothing follows"


def test_it_learns_goes_on_after_a_stop_and_keeps_all_of_its_parts(llava: Path, tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []

    def told(line: dict[str, Any]) -> None:
        if line["step"] == 5:
            raise KeyboardInterrupt

    whole = train(plan(llava, tmp_path / "a", 8), lines.append)
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.3
    with pytest.raises(KeyboardInterrupt):
        train(plan(llava, tmp_path / "b", 8), told)
    once, again = _weights(whole), _weights(train(plan(llava, tmp_path / "b", 8), quietly))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert {path.name for path in llava.iterdir()} <= {path.name for path in whole.iterdir()}
    assert json.loads((whole / "config.json").read_text())["text_config"]["vocab_size"] == len(_tokenizer(whole))


def _tokenizer(folder: Path) -> Any:
    return load_model(str(folder), any_kind=True).tokenizer


def test_adapters_change_the_language_model_alone(llava: Path, tmp_path: Path) -> None:
    before, after = (
        _weights(train(plan(llava, tmp_path / "zero", 1), quietly)),
        _weights(train(plan(llava, tmp_path / "a", 2, lora=4), quietly)),
    )
    assert set(before) == set(after)
    first = _weights(llava)
    changed = {name for name in first if first[name].shape == after[name].shape and not torch.equal(first[name], after[name])}
    assert "model.language_model.layers.0.self_attn.q_proj.weight" in changed
    assert all("language_model.layers" in name for name in changed)


def test_a_model_that_does_not_take_its_own_pictures_is_told(llava: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(llava, tmp_path / "l")
    noted = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").write_text(json.dumps(noted | {"patch_size": 16}))
    with pytest.raises(BadInput, match=r"of the kind 'llava' cannot be trained here: .*[Ii]mage"):
        train(plan(folder, tmp_path / "a", 1), quietly)


@pytest.mark.parametrize("phase", [["see"], ["sft", "--cells", "1"]])
def test_what_needs_the_qwen_kind_says_so(
    phase: list[str], llava: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*phase, "--model", str(llava), "--out", str(tmp_path / "a"), "--steps", "1", "--device", "cpu"]
    assert main(["train", *given]) == 2
    assert "kind 'llava': sft trains it, but see and --cells need the Qwen3-VL kind" in capsys.readouterr().err


def test_rl_reads_a_past_once_where_packs_can_be_read(llava: Path, tmp_path: Path) -> None:
    """Futures of one past, each as if it were alone; and a whole step, of which the model becomes another one."""
    made = train(plan(llava, tmp_path / "sft", 2), quietly)
    checkpoint = load_model(str(made), any_kind=True)
    pictures = reading_of(checkpoint, 262_144, CPU).pictures
    row = load_encoder(made, 262_144).rows(_TALK, _images(6), Weights())[0]
    past = row.decisions[3] + 1
    weights = np.where(np.arange(row.tokens) > past, row.weights, 0).astype(np.float32)
    words = row.ids.copy()
    words[row.decisions[4]] += 1  # the other future responds
    futures = [replace(row, ids=ids, weights=weights, past=past) for ids in (row.ids, words)]
    with torch.no_grad():
        both = packed(futures, pictures, CPU, once=False)
        alone = [packed([replace(future, past=0)], pictures, CPU, once=False) for future in futures]
        apart = [logits_of(checkpoint.model.eval(), pack, pack.learned) for pack in alone]
        assert torch.allclose(logits_of(checkpoint.model, both, both.learned), torch.cat(apart), atol=1e-5)
    assert both.tokens == 2 * row.tokens - past and not torch.allclose(apart[0], apart[1], atol=1e-3)
    lines: list[dict[str, Any]] = []
    better = reinforce(Policy(plan(made, tmp_path / "rl", 1), windows=2, group=3), lines.append)
    assert lines[0]["informative"] > 0 and lines[0]["said_s"] > 0
    one, other = _weights(made), _weights(better)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_rl_of_a_model_that_reads_no_packs_is_refused(tmp_path: Path) -> None:
    folder = write_llava_with_window(tmp_path / "model")
    with pytest.raises(BadInput, match="models of the kind 'llava' cannot; sft trains them"):
        reinforce(Policy(plan(folder, tmp_path / "a", 1)), quietly)
