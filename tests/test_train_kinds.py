"""Other kinds of models than the flagship's: a LLaVA made on the spot, its template, its attention; and Qwen3-VL with experts."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
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
from joyvl_app.train.augment import filmed
from joyvl_app.train.encoding import Row
from joyvl_app.train.episodes import episode
from joyvl_app.train.loading import add_actions, load_encoder, load_model
from joyvl_app.train.loss import Weights
from joyvl_app.train.packing import logits_of, packed, packs
from joyvl_app.train.reading import reading_of
from joyvl_app.train.rl import Policy, reinforce
from joyvl_app.train.sft import open_run, train
from joyvl_app.train.talks import Line, Talk, moments_of
from tests.kinds import (
    WRITERS,
    made_loud,
    write_batched,
    write_grids,
    write_llava_with_window,
    write_llava_without_ends,
    write_recurrent,
)
from tests.support import settings
from tests.training import CPU, accelerator, fed_to, plan, quietly

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
    """After training: the same tokens, and at every second the P(silence) that the decider finds, packed with another row or not.
    Rows that are another's in one thing only are told from it.
    """
    made = train(plan(made_loud(WRITERS[how](tmp_path / "model")), tmp_path / "run", 2), quietly)
    rows = load_encoder(made, 262_144).rows(_TALK, _images(6), Weights())
    fed, found, silence = await _decided(made, monkeypatch)
    assert fed == [token for row in rows for token in row.ids.tolist()[:-2]], "but the last silence and its end"
    assert (len(rows) > 1) is (how == "little room")
    checkpoint = load_model(str(made), any_kind=True)
    reading = reading_of(checkpoint, 262_144, CPU)
    assert reading.together is (how not in ("window", "recurrent"))

    def told(*rows: Row) -> list[float]:
        """What the model makes of the last one, of all its seconds that are not told anew."""
        return _log_silence(checkpoint.model.eval(), rows, reading.pictures, silence[0])

    row, before = rows[0], replace(rows[0], images=rows[0].images[::-1])
    assert [value for row in rows for value in told(row)] == pytest.approx(found, abs=2e-3)
    if reading.together:
        assert told(before, row) == pytest.approx(told(row), abs=2e-3)
    other_places = replace(row, positions=2 * row.positions)
    assert min(np.abs(np.subtract(told(other), told(row))).max() for other in (before, other_places)) > 0.01


async def _decided(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[float], list[int]]:
    """What the decider feeds, everything silent; log P(silence) of every second; and how silence is spelt."""
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(folder), model_device="cpu"))
    await decider.start()
    engine = decider.model.engine
    fed = fed_to(engine, monkeypatch)
    watcher = decider.open("s")
    p_act = [(await watcher.decide(replace(m, sensitivity=-50.0))).p_act for m, _, _ in moments_of(_TALK, _images(6))]
    await watcher.aclose()
    await decider.aclose()
    return fed, [math.log1p(-p) for p in p_act], engine.encode(SILENCE)


def _log_silence(model: Any, rows: Sequence[Row], pictures: Any, silence: int) -> list[float]:
    before, last = sum(row.tokens for row in rows[:-1]), rows[-1]
    places = [before + place - 1 for place in last.decisions if last.weights[place]]
    with torch.no_grad():
        logits = logits_of(model, packed(rows, pictures, CPU, once=False), torch.tensor(places))
    quiet: list[float] = torch.log_softmax(logits.double(), -1)[:, silence].tolist()
    return quiet


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_state_that_runs_from_row_to_row_is_found(dtype: str, llava: Path, tmp_path: Path) -> None:
    """Though so small a model's rows differ by less than a number format may."""
    recurrent, plain = (load_model(str(folder), dtype, any_kind=True) for folder in (write_recurrent(tmp_path / "model"), llava))
    assert not reading_of(recurrent, 262_144, CPU).together and reading_of(plain, 262_144, CPU).together


def test_positions_that_do_not_go_on_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import PaddleOCRVLModel

    def absolute(self: Any, ids: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        return torch.zeros(3, *ids.shape, dtype=torch.long), None

    monkeypatch.setattr(PaddleOCRVLModel, "get_rope_index", absolute)
    row = load_encoder(write_grids(tmp_path / "model"), 262_144).rows(_TALK, _images(6), Weights())[0]
    assert row.positions.tolist() == [[*range(row.tokens)]]


def test_a_model_without_room_for_action_tokens_is_told(llava: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = load_model(str(llava), any_kind=True)
    monkeypatch.setattr(checkpoint.model, "resize_token_embeddings", lambda *_, **__: None)
    with pytest.raises(BadInput, match="no room for the action tokens"):
        add_actions(checkpoint)


def test_rl_passes_over_episodes_that_the_context_does_not_hold(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    made = train(plan(write_tiny_llava(tmp_path / "model", context=1_500), tmp_path / "sft", 1), quietly)
    encoder, held = load_encoder(made, 262_144), 0
    for episodes in (episode("train", n) for n in range(6)):
        with suppress(BadInput):
            held += bool(encoder.turns(episodes.talk, filmed(episodes)))
    assert 0 < held < 6
    reinforce(Policy(plan(made, tmp_path / "rl", 1), windows=6, group=2), lines.append)
    assert lines[0]["item"] == 6
    config = json.loads((made / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 600
    (made / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="context of 600 tokens holds none of 2 episodes"):
        reinforce(Policy(plan(made, tmp_path / "small", 1), windows=2, group=2), quietly)


def test_pictures_of_another_size_begin_a_pack(tmp_path: Path) -> None:
    """Whose tensors some processors make as large as the pictures are, so that they are no batch."""
    folder = write_batched(tmp_path / "model")
    encoder, wide = load_encoder(folder, 262_144), [np.full((32, 128, 3), 20 * n, np.uint8) for n in range(6)]
    rows = [encoder.rows(_TALK, images, Weights())[0] for images in (_images(6), wide, _images(6), _images(6))]
    assert [len(pack) for pack in packs(rows, 100_000, one_size=True)] == [1, 1, 2]
    assert [len(pack) for pack in packs(rows, 100_000)] == [4]
    run, _ = open_run(plan(folder, tmp_path / "run"), accelerator())
    assert run.step(rows) > 0


def test_seconds_that_no_context_holds_are_told(tmp_path: Path) -> None:
    encoder = load_encoder(write_tiny_llava(tmp_path / "model", context=300), 262_144)
    with pytest.raises(BadInput, match=r"a: 1 seconds have \d+ tokens, and the model's context holds 300"):
        encoder.rows(_TALK, _images(6), Weights())


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
    before, after = _weights(llava), _weights(train(plan(llava, tmp_path / "a", 2, lora=4), quietly))
    assert set(before) == set(after)
    old = {name: after[name][: len(before[name])] for name in before}  # without the new action tokens
    changed = {name for name in before if not torch.equal(before[name], old[name])}
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
