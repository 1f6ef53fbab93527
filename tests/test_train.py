"""The recipe on a micro model: weights and loss by hand, rows as the decider feeds them, packs, resuming, seeing, SFT, RL."""

from __future__ import annotations

import json
import math
import random
import resource
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from joyvl_app.__main__ import main
from joyvl_app.bench.tiny import write_tiny
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.vlm.checkpoint import Placement, load
from joyvl_app.deciders.vlm.decider import VlmDecider
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.deciders.vlm.inputs import Patches
from joyvl_app.dialect.tokens import RESPONSE, SILENCE
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.evals.render.film import looks
from joyvl_app.train.cells import IGNORED, cell_loss
from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.episodes import episode
from joyvl_app.train.families import SEE, TIMERS
from joyvl_app.train.feeding import Rendered, Spec
from joyvl_app.train.loading import add_actions, load_encoder, load_model
from joyvl_app.train.loop import Run, Schedule
from joyvl_app.train.loss import Weights, weighted_loss
from joyvl_app.train.nano import SYSTEM, write_nano
from joyvl_app.train.packing import Pack, features, logits_of, packed, packs, prepare
from joyvl_app.train.rl import Policy, PolicyRun, advantages, reinforce
from joyvl_app.train.rollouts import Rollout, roll_out
from joyvl_app.train.see import see
from joyvl_app.train.sft import Plan, items_of, open_run, train
from joyvl_app.train.shards import Clip, jpeg, write_shard
from joyvl_app.train.states import alone_in, states_in
from joyvl_app.train.talks import Line, Talk, moments_of
from joyvl_app.train.windows import Window, reward_of, window_of
from tests.servers import free_port
from tests.support import ROOT, settings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def micro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nano(tmp_path_factory.mktemp("micro") / "m", hidden=96, layers=2, vision=32, depth=2)


@pytest.fixture(scope="module")
def encoder(micro: Path) -> Encoder:
    return load_encoder(micro, 262_144)


def images_of(talk: Talk) -> list[Any]:
    return [np.full((96, 128, 3), 8 * n, np.uint8) for n in range(talk.seconds)]


def rows_of(encoder: Encoder, count: int, weights: Weights | None = None) -> list[Row]:
    made = [episode("train", seed) for seed in range(count)]
    return [row for e in made for row in encoder.rows(e.talk, list(looks(e.play, range(e.talk.seconds))), weights or Weights())]


def plan(micro: Path, out: Path, steps: int = 4, **changes: Any) -> Plan:
    schedule = Schedule(steps=steps, tokens=600, warmup=2, save_every=2, workers=0)
    return Plan(str(micro), out, schedule=schedule, device="cpu", **changes)


def quietly(line: dict[str, Any]) -> None:
    return None


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = load_model(str(folder)).model.state_dict()
    return weights


# --- the loss ----------------------------------------------------------------------------------------------------------------


def test_the_loss_equals_an_example_worked_by_hand() -> None:
    """Three tokens foreseen with 1/2, 1/4 and 3/4, weighing 0.5, 2 and 1: (0.5 ln 2 + 2 ln 4 + ln 4/3) / 3.5."""
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [math.log(3), 0.0]])
    targets, weights = torch.tensor([1, 1, 0]), torch.tensor([0.5, 2.0, 1.0])
    by_hand = (0.5 * math.log(2) + 2 * math.log(4) + math.log(4 / 3)) / 3.5
    assert float(weighted_loss(logits, targets, weights)) == pytest.approx(by_hand, rel=1e-6)


def test_weight_one_everywhere_is_the_plain_mean() -> None:
    logits, targets = torch.randn(20, 7), torch.randint(0, 7, (20,))
    plain = torch.nn.functional.cross_entropy(logits, targets)
    assert float(weighted_loss(logits, targets, torch.ones(20))) == pytest.approx(float(plain), rel=1e-6)
    assert float(weighted_loss(logits, targets, torch.zeros(20))) == 0.0


def test_each_token_of_a_row_has_its_weight(encoder: Encoder, micro: Path) -> None:
    talk = Talk("a", "alert", 8, (Line(0, "Count each cat."),), (Line(4, "One."),))
    row = encoder.rows(talk, images_of(talk), Weights(silence=0.2, near=0.6, onset=3.0, words=1.5))[0]
    tokenizer = load(str(micro), Placement("cpu")).tokenizer
    learned = [(tokenizer.decode([t]), round(float(w), 3)) for t, w in zip(row.ids, row.weights, strict=True) if w]
    assert learned == [
        (SILENCE, 0.2), (SILENCE, 0.2), (SILENCE, 0.6), (SILENCE, 0.6),
        (RESPONSE, 3.0), (" One", 1.5), (".", 1.5), ("<|im_end|>", 1.5),
        (SILENCE, 0.6), (SILENCE, 0.6), (SILENCE, 0.2),
    ]  # fmt: skip
    assert [int(row.ids[place]) for place in row.decisions].count(tokenizer.convert_tokens_to_ids(SILENCE)) == 7


# --- rows --------------------------------------------------------------------------------------------------------------------


async def test_a_row_is_what_the_decider_feeds(encoder: Encoder, micro: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token by token, with questions and a result, over the border of a chunk; everything silent, so that nothing is drawn."""
    asked = (Line(0, "Count each cat."), Line(3, "Who is she?"), Line(99, "And he?"), Line(102, "Who else?"))
    talk = Talk("a", "alert", 104, asked, (), (Line(5, "Ada <|im_end|> of London"),))
    images = [np.full((64, 64, 3), 2 * n, np.uint8) for n in range(104)]
    rows = encoder.rows(talk, images, Weights())
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(micro), model_device="cpu"))
    await decider.start()
    fed: list[int] = []
    piece = decider.model.engine.inputs.piece

    def recorded(*given: Any) -> Any:
        made = piece(*given)
        fed.extend(made.ids.tolist())
        return made

    monkeypatch.setattr(decider.model.engine.inputs, "piece", recorded)
    watcher = decider.open("s")
    for moment, _, _ in moments_of(talk, images):
        await watcher.decide(replace(moment, sensitivity=-50.0))
    await watcher.aclose()
    await decider.aclose()
    silence, end = decider.model.engine.encode(SILENCE), [*decider.model.engine.eos]
    first, second = (row.ids.tolist() for row in rows)
    assert fed[: len(first) - 2] == first[:-2] and [*fed[len(first) - 2 :], *silence, *end] == second
    assert len(rows[1].images) == 8 and not rows[1].weights[: rows[1].decisions[4]].any(), "four seconds are taken along"


def test_positions_are_the_model_s_own(encoder: Encoder, micro: Path) -> None:
    checkpoint = load_model(str(micro))
    row = rows_of(encoder, 1)[0]
    ids = torch.from_numpy(row.ids)[None]
    grids = Patches(checkpoint.image_processor, 262_144, CPU)(row.images)["image_grid_thw"]
    kinds = (ids == checkpoint.model.config.image_token_id).int()
    own, _ = checkpoint.model.model.get_rope_index(ids, image_grid_thw=grids, mm_token_type_ids=kinds)
    assert (own[:, 0].numpy() == row.positions).all()


def test_a_packed_row_is_read_as_if_it_were_alone(encoder: Encoder, micro: Path) -> None:
    first, *others = rows_of(encoder, 3)
    rows = [first, *others, replace(first, weights=first.weights.copy())]  # as of a group: the same pictures once more
    plain, packing = load_model(str(micro)), load_model(str(micro))
    prepare(packing.model)
    patches = Patches(plain.image_processor, 262_144, CPU)
    together = packed(rows, patches, CPU)
    assert len(together.pictures["image_grid_thw"]) == len(together.shown) - len(first.images)
    with torch.no_grad():
        logits = logits_of(packing.model, together, together.learned)
        alone = []
        for row in rows:
            ids, places = torch.from_numpy(row.ids)[None], torch.from_numpy(np.nonzero(row.weights)[0] - 1)
            given = {"position_ids": torch.from_numpy(row.positions)[:, None], "logits_to_keep": places, **patches(row.images)}
            alone.append(plain.model(input_ids=ids, **given).logits[0])
    assert torch.allclose(logits, torch.cat(alone), atol=1e-5)
    assert not torch.allclose(logits[:5], logits[5:10], atol=1e-3)


def test_a_past_in_common_is_read_once_and_seen_by_all(encoder: Encoder, micro: Path) -> None:
    first, other = rows_of(encoder, 2)
    past = first.decisions[5] + 1
    weights = np.where(np.arange(first.tokens) > past, first.weights, 0).astype(np.float32)
    trunk = replace(first, weights=weights, past=past)
    words = first.ids.copy()
    words[list(first.decisions[8:])] = encoder.turns(episode("train", 0).talk, list(first.images))[0].answer[0] + 1
    row = replace(trunk, ids=words)
    model, pictures = load_model(str(micro)), Patches(load(str(micro), Placement("cpu", "float32")).image_processor, 262_144, CPU)
    prepare(model.model)
    rows = [trunk, row, other]
    with torch.no_grad():
        together = packed(rows, pictures, CPU)
        apart = [packed([replace(part, past=0)], pictures, CPU) for part in rows]
        logits = logits_of(model.model, together, together.learned)
        alone = torch.cat([logits_of(model.model, part, part.learned) for part in apart])
    assert together.tokens == sum(part.tokens for part in apart) - past
    assert torch.allclose(logits, alone, atol=1e-5)
    assert [len(pack) for pack in packs(rows, 2 * first.tokens - past)] == [2, 1]


def test_packs_hold_rows_in_order_up_to_a_size(encoder: Encoder) -> None:
    rows = rows_of(encoder, 6)
    most = 2 * max(row.tokens for row in rows)
    made = list(packs(rows, most))
    assert [row for pack in made for row in pack] == rows and 1 < len(made) < 6
    assert [len(pack) for pack in packs(rows, 1)] == [1] * 6


def test_a_model_without_action_tokens_gets_them(tmp_path: Path) -> None:
    checkpoint = load_model(str(write_tiny(tmp_path / "t", actions=False)))
    pieces = checkpoint.tokenizer.encode(SILENCE, add_special_tokens=False)
    before = checkpoint.model.get_input_embeddings().weight[pieces].mean(0).detach().clone()
    add_actions(checkpoint)
    assert [len(checkpoint.tokenizer.encode(name, add_special_tokens=False)) for name in (SILENCE, RESPONSE)] == [1, 1]
    new = checkpoint.tokenizer.convert_tokens_to_ids(SILENCE)
    assert torch.allclose(checkpoint.model.get_input_embeddings().weight[new], before)


# --- the loop ----------------------------------------------------------------------------------------------------------------


def test_a_resumed_run_equals_an_uninterrupted_one(micro: Path, tmp_path: Path) -> None:
    whole = train(plan(micro, tmp_path / "whole"), quietly)

    class Killed(Exception):
        pass

    def killed_in_step_three(line: dict[str, Any]) -> None:
        if line["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        train(plan(micro, tmp_path / "torn"), killed_in_step_three)
    part = tmp_path / "torn" / "state-0000003.part"
    part.mkdir()
    (part / "progress.json").write_text("{}")
    lines: list[dict[str, Any]] = []
    again = train(plan(micro, tmp_path / "torn"), lines.append)
    assert [line["step"] for line in lines] == [3, 4], "from the last whole state on"
    one, other = (weights_of(path) for path in (whole, again))
    assert all(torch.equal(one[name], other[name]) for name in one)
    curves = [[json.loads(line)["loss"] for line in (tmp_path / name / "curve.jsonl").read_text().splitlines()]
              for name in ("whole", "torn")]  # fmt: skip
    assert curves[0] == curves[1] and len(curves[0]) == 4
    assert (whole / "system_prompt.txt").read_text().strip() == SYSTEM


@pytest.fixture(scope="module")
def taught(micro: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A micro model after thirty steps, and its curve."""
    lines: list[dict[str, Any]] = []
    schedule = Schedule(30, 1_500, warmup=5, workers=0)
    return train(replace(plan(micro, tmp_path_factory.mktemp("taught"), 30), schedule=schedule), lines.append), lines


def test_what_is_learned_is_less_surprising(taught: tuple[Path, list[dict[str, Any]]]) -> None:
    lines = taught[1]
    assert lines[-1]["loss"] < 0.75 * lines[0]["loss"]
    assert {"tokens_s", "video_s", "busy", "memory_mb", "left_s"} <= set(lines[0])


def test_seeing_learns_cells_first_and_then_words(micro: Path, tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    made = see(plan(micro, tmp_path / "a", 4), lines.append)
    assert lines[3]["loss"] > lines[2]["loss"] + 1, "the words' loss comes on top"
    before, after = (weights_of(path) for path in (micro, made))
    name = "model.visual.blocks.0.attn.qkv.weight"
    assert not torch.equal(before[name], after[name])


def test_lora_trains_adapters_and_exports_whole_weights(micro: Path, tmp_path: Path) -> None:
    made = train(plan(micro, tmp_path / "a", 2, lora=4), quietly)
    before, after = (weights_of(path) for path in (micro, made))
    assert set(before) == set(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "model.language_model.layers.0.self_attn.q_proj.weight" in changed
    assert not any(".visual." in name for name in changed)


def test_resumed_adapters_equal_uninterrupted_ones(micro: Path, tmp_path: Path) -> None:
    def told(line: dict[str, Any]) -> None:
        if line["step"] == 3:
            raise KeyboardInterrupt

    whole = train(plan(micro, tmp_path / "a", 4, lora=4), quietly)
    with pytest.raises(KeyboardInterrupt):
        train(plan(micro, tmp_path / "b", 4, lora=4), told)
    resumed = train(plan(micro, tmp_path / "b", 4, lora=4), quietly)
    once, again = weights_of(whole), weights_of(resumed)
    assert all(torch.equal(once[name], again[name]) for name in once)


class Poisoned(Run):
    """A run whose loss is no number from its third step on."""

    def loss(self, pack: Pack) -> torch.Tensor:
        return super().loss(pack) * (float("nan") if self.progress.step >= 2 else 1.0)


def test_a_loss_that_is_no_number_stops_the_run_and_spoils_nothing(micro: Path, tmp_path: Path) -> None:
    with pytest.raises(ProviderFailed, match="not been a number for 5 steps, up to step 6"):
        run, _ = open_run(plan(micro, tmp_path / "a", 20), _accelerator(), Poisoned)
        run.learn(items_of(plan(micro, tmp_path / "a", 20)), quietly)
    run, _ = open_run(plan(micro, tmp_path / "a", 20), _accelerator())
    assert run.progress.step <= 6 and all(bool(torch.isfinite(p).all()) for p in run.model.parameters())


def _accelerator() -> Any:
    from accelerate import Accelerator

    return Accelerator(cpu=True)


def test_a_full_disk_keeps_the_state_before(micro: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = open_run(plan(micro, tmp_path / "a"), _accelerator())
    run.progress.step = 2
    run.save()

    def full(folder: str, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.accelerator, "save_state", full)
    run.progress.step = 4
    with pytest.raises(BadInput, match="No space left"):
        run.save()
    again, _ = open_run(plan(micro, tmp_path / "a"), _accelerator())
    assert again.progress.step == 2


def test_a_damaged_state_gives_way_to_the_one_before(micro: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = open_run(plan(micro, tmp_path / "a"), _accelerator())
    for step in (1, 2, 3):
        run.progress.step = step
        run.save()
    states = states_in(tmp_path / "a")
    assert [state.name for state in states] == ["state-0000002", "state-0000003"]
    (states[-1] / "optimizer.bin").write_bytes(b"torn")
    again, _ = open_run(plan(micro, tmp_path / "a"), _accelerator())
    assert again.progress.step == 2 and "state-0000003 cannot be read" in capsys.readouterr().err


def test_without_a_state_that_can_be_read_nothing_begins_anew(micro: Path, tmp_path: Path) -> None:
    train(plan(micro, tmp_path / "a", 2), quietly)
    curve = (tmp_path / "a" / "curve.jsonl").read_text()
    for state in states_in(tmp_path / "a"):
        (state / "optimizer.bin").write_bytes(b"torn")
    with pytest.raises(BadInput, match="No state"):
        train(plan(micro, tmp_path / "a", 4), quietly)
    assert (tmp_path / "a" / "curve.jsonl").read_text() == curve


def test_a_resumed_run_has_its_own_rate_and_length(micro: Path, tmp_path: Path) -> None:
    rates: list[float] = []
    train(plan(micro, tmp_path / "a", 4), quietly)
    longer = plan(micro, tmp_path / "a", 20)
    longer = replace(longer, schedule=replace(longer.schedule, rate=2e-5))

    def told(line: dict[str, Any]) -> None:
        rates.append(line["rate"])
        if line["step"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(longer, told)
    assert rates == [pytest.approx(2e-5), pytest.approx(2e-5)], "neither 0, where the first run ended, nor its 1e-3"


def test_a_full_disk_at_the_export_is_told(micro: Path, tmp_path: Path) -> None:
    """Really full: no file may grow beyond 100 kB."""
    run, system = open_run(plan(micro, tmp_path / "a"), _accelerator())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(BadInput, match="Cannot write"):
            run.export(tmp_path / "a" / "model", system)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "a" / "model").exists()
    assert (run.export(tmp_path / "a" / "model", system) / "model.safetensors").is_file()


def test_two_runs_do_not_share_a_folder(micro: Path, tmp_path: Path) -> None:
    with alone_in(tmp_path / "a"), pytest.raises(BadInput, match="Another process"):
        train(plan(micro, tmp_path / "a", 2), quietly)


def test_clips_of_no_use_are_named_and_passed_over(encoder: Encoder, micro: Path, tmp_path: Path) -> None:
    """By real workers, whose errors come back from another process."""
    frame, bare = jpeg(np.zeros((96, 128, 3), np.uint8)), Talk("x", "alert", 6, (Line(0, "Count each cat."),), (Line(2, "One."),))
    whole = [Clip(replace(bare, id=f"clip-{n}"), (frame,) * 6) for n in range(3)]
    broken = [Clip(replace(bare, id="short"), (frame,) * 5), Clip(replace(bare, id="long"), (frame,) * 7)]
    write_shard(tmp_path / "shard-00000.parquet", [*whole, *broken, Clip(replace(bare, id="junk"), (frame,) * 5 + (b"junk",))])
    schedule = Schedule(4, 600, workers=1)
    lines: list[dict[str, Any]] = []
    train(replace(plan(micro, tmp_path / "a"), data=tmp_path, schedule=schedule), lines.append)
    told = " ".join(why for line in lines for _, why in line.get("unusable", ()))
    assert "clip short: frame 5 of 6 is missing" in told and "clip long: it has 7 frames" in told and "frame 5 is damaged" in told
    assert lines[-1]["faults"] >= 3
    (tmp_path / "b").mkdir()
    write_shard(tmp_path / "b" / "shard-00000.parquet", broken)
    with pytest.raises(BadInput, match="200 clips in a row are of no use"):
        train(replace(plan(micro, tmp_path / "c"), data=tmp_path / "b"), quietly)


def test_two_processes_learn_what_one_learns(micro: Path, tmp_path: Path) -> None:
    """Eight clips of one length: a step of four is a step of two by two. Stopped after two steps and resumed."""
    frames = [jpeg(np.full((96, 128, 3), 30 * n, np.uint8)) for n in range(6)]
    said = [(Line(n % 5, "One."),) for n in range(8)]
    talks = [Talk(f"clip-{n}", "alert", 6, (Line(0, "Count each cat."),), line) for n, line in enumerate(said)]
    write_shard(tmp_path / "shard-00000.parquet", [Clip(talk, tuple(frames)) for talk in talks])
    four = 4 * load_encoder(micro, 262_144).rows(talks[0], [np.zeros((96, 128, 3), np.uint8)] * 6, Weights())[0].tokens
    given = ["train", "sft", "--model", str(micro), "--data", str(tmp_path), "--tokens", str(four - 3), "--workers", "0",
             "--warmup", "1", "--device", "cpu", "--save-every", "2", "--decay", "0"]  # fmt: skip
    assert main([*given, "--out", str(tmp_path / "one"), "--steps", "4"]) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(free_port()),
              "-m", "joyvl_app"]  # fmt: skip
    for steps in ("2", "4"):
        command = [*launch, *given, "--out", str(tmp_path / "two"), "--steps", steps]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stderr[-2000:]
    curves = [[json.loads(line)["loss"] for line in (tmp_path / name / "curve.jsonl").read_text().splitlines()]
              for name in ("one", "two")]  # fmt: skip
    assert curves[0] == pytest.approx(curves[1], rel=1e-4) and len(curves[0]) == 4
    one, two = (weights_of(tmp_path / name / "model") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)
    noted = json.loads((states_in(tmp_path / "two")[-1] / "progress.json").read_text())
    assert noted["items"] == [16, 17], "each process goes on behind its own clips"


def test_a_folder_belongs_to_one_plan(micro: Path, tmp_path: Path) -> None:
    open_run(plan(micro, tmp_path / "a"), _accelerator())
    with pytest.raises(BadInput, match="another weights"):
        open_run(plan(micro, tmp_path / "a", weights=Weights(silence=0.1)), _accelerator())


def test_items_are_the_same_whoever_fetches_them(micro: Path) -> None:
    items = Rendered(Spec(str(micro), Weights()))
    one, other = items.fetch(7)[0], Rendered(Spec(str(micro), Weights())).fetch(7)[0]
    assert one.id == other.id and (one.ids == other.ids).all()
    assert all((a == b).all() for a, b in zip(one.images, other.images, strict=True))


def test_what_shows_nothing_is_seen_once_and_teaches_no_seeing(micro: Path) -> None:
    items = [Rendered(Spec(str(micro), Weights()), family=family, cells=True) for family in (TIMERS, SEE)]
    rows = [row for source in items for row in source.fetch(3)]
    model = load_model(str(micro))
    prepare(model.model)
    pack = packed(rows, Patches(model.image_processor, 262_144, CPU), CPU)
    assert len(pack.pictures["image_grid_thw"]) == 1 + len(rows[1].images), "the empty picture is there once"
    with torch.no_grad():
        seen = torch.cat(features(model.model, pack).pooler_output)
    assert pack.cells is not None and len(seen) == len(pack.cells)
    blank = 4 * len(rows[0].images)
    assert torch.equal(seen[:4], seen[blank - 4 : blank]) and not torch.equal(seen[:4], seen[blank : blank + 4])
    assert (pack.cells[:blank] == IGNORED).all() and (pack.cells[blank:] != IGNORED).any()
    head = model.model.get_output_embeddings().weight
    assert cell_loss(seen[:blank], head, pack.cells[:blank]) == 0 < cell_loss(seen, head, pack.cells)


# --- RL ----------------------------------------------------------------------------------------------------------------------


def alert_window() -> Window:
    made = next(e for seed in range(50) if (e := episode("train", seed, "alert")).talk.responses and e.talk.responses[0].t > 8)
    rng = np.random.default_rng(1)
    while not (window := window_of(made, rng)).first <= made.talk.responses[0].t <= window.last - 2:
        pass
    return window


def test_the_reward_is_the_evaluation_s() -> None:
    window = alert_window()
    event = window.episode.talk.responses[0]
    right, t = f"{RESPONSE} {event.text}", float(math.ceil(event.t))
    good = reward_of(window, [(t, right)])
    assert 0.8 < good <= 1.0
    assert reward_of(window, []) == 0.0
    assert reward_of(window, [(t, f"{RESPONSE} Bananas.")]) < 0
    assert reward_of(window, [(t, right), (t + 1, right)]) < good
    assert reward_of(window, [(t + 1, right)]) < good, "late"
    assert reward_of(window, [(t, f"{RESPONSE} One moment. </delegation> What is it?")]) < 0
    everything = [(float(n), right) for n in range(window.first, window.last)]
    assert reward_of(window, everything) < good, "speaking every second does not pay"


def test_the_right_turns_are_worth_most() -> None:
    """Over all families: leaving a right turn out, moving it, repeating it or adding one never pays."""
    judged = 0
    for seed in range(80):
        made = episode("train", seed)
        window = window_of(made, np.random.default_rng(seed))
        right = [
            (float(math.ceil(line.t)), text if "</delegation>" in (text := line.text) else f"{RESPONSE} {text}")
            for line in made.talk.responses if window.first <= math.ceil(line.t) < window.last
        ]  # fmt: skip
        best = reward_of(window, right)
        assert best >= 0.9 * len(right), made.talk.id
        for place, (t, text) in enumerate(right):
            others = right[:place] + right[place + 1 :]
            assert reward_of(window, others) < best, f"{made.talk.id}: saying less pays"
            later = reward_of(window, sorted([*others, (t + 1, text)]))
            assert later < best or "delegate" in made.talk.id, f"{made.talk.id}: saying it later pays"
            sooner = reward_of(window, sorted([*others, (t - 1, text)]))
            assert sooner < best or any(b - a <= 2 for (a, _), (b, _) in pairwise(right)), f"{made.talk.id}: guessing pays"
            assert reward_of(window, sorted([*right, (t + 1, text)])) < best, f"{made.talk.id}: saying it twice pays"
            judged += 1
        assert reward_of(window, [*right, (window.last - 1.0, f"{RESPONSE} Bananas.")]) < best
    assert judged > 40


def test_advantages_stand_against_the_group(encoder: Encoder) -> None:
    row = rows_of(encoder, 1)[0]
    group = [Rollout(row, (), worth) for worth in (1.0, 0.0, 0.0, 0.0)]
    values = [float(made.weights.sum() / row.weights.sum()) for made in advantages(group)]
    assert values[0] == pytest.approx(3**0.5, rel=1e-3) and values[1:] == pytest.approx([-(3**-0.5)] * 3, rel=1e-3)
    assert advantages([Rollout(row, (), 0.5)] * 4) == []


def test_a_rollout_is_what_was_drawn_behind_the_same_past(encoder: Encoder, taught: tuple[Path, list[dict[str, Any]]]) -> None:
    engine = Engine(load(str(taught[0]), Placement("cpu", "float32")))
    window = alert_window()
    group = roll_out(engine, encoder, [window], 3, random.Random(4))[0]
    images = list(looks(window.episode.play, range(window.episode.talk.seconds)))
    gold = encoder.rows(window.episode.talk, images, Weights())[0]
    start = gold.decisions[window.first]
    for rollout in group:
        assert (rollout.row.ids[:start] == gold.ids[:start]).all() and not rollout.row.weights[:start].any()
        assert len(rollout.row.decisions) == window.last
        spoken = [engine.tokenizer.decode([rollout.row.ids[place]]) != SILENCE for place in rollout.row.decisions[window.first :]]
        assert sum(spoken) == len(rollout.said) and rollout.reward == reward_of(window, rollout.said)
    assert len({rollout.said for rollout in group}) > 1


def test_what_was_worth_more_becomes_likelier(encoder: Encoder, micro: Path, tmp_path: Path) -> None:
    talk = Talk("a", "alert", 6, (Line(0, "Count each cat."),))
    loud = replace(talk, responses=tuple(Line(t, "There is a dog.") for t in range(6)))
    rows = [encoder.rows(part, images_of(part), Weights())[0] for part in (talk, loud)]
    schedule = Schedule(9, rate=1e-3, warmup=1, save_every=25)
    policy = Policy(Plan(str(micro), tmp_path / "a", schedule=schedule, device="cpu"), kl=0.1)
    run, _ = open_run(policy.whole_plan(), _accelerator(), PolicyRun)
    assert isinstance(run, PolicyRun)
    run.begin(policy)

    def quiet() -> float:
        pack = packed(rows[:1], run.patches, CPU)
        with torch.no_grad():
            chances = torch.log_softmax(logits_of(run.model, pack, pack.learned), -1)
        return float(chances.gather(1, pack.targets[:, None]).mean())

    before = quiet()
    for _ in range(6):
        run.step(advantages([Rollout(rows[0], (), 0.0), Rollout(rows[1], (), -3.0)]))
    assert quiet() > before + 0.5


def test_reinforcement_draws_judges_learns_and_exports(taught: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    schedule = Schedule(2, rate=5e-5, warmup=1, save_every=25)
    policy = Policy(Plan(str(taught[0]), tmp_path / "a", schedule=schedule, device="cpu"), windows=2, group=3)
    made = reinforce(policy, lines.append)
    assert [line["step"] for line in lines] == [1, 2] and all(0 <= line["said_s"] <= 1 for line in lines)
    assert lines[0]["left_s"] >= lines[1]["left_s"] == 0
    assert lines[0]["informative"] > 0 and (made / "model.safetensors").is_file()
    once, before = weights_of(made), weights_of(taught[0])
    assert not torch.equal(once[name := "model.language_model.layers.0.mlp.up_proj.weight"], before[name])

    def stopped(line: dict[str, Any]) -> None:
        if line["step"] == 2:
            raise KeyboardInterrupt

    policy = replace(policy, plan=replace(policy.plan, out=tmp_path / "b", schedule=replace(schedule, save_every=1)))
    with pytest.raises(KeyboardInterrupt):
        reinforce(policy, stopped)
    again = weights_of(reinforce(policy, quietly))
    assert all(torch.equal(once[name], again[name]) for name in once), "resumed as if uninterrupted"


# --- the command -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, said",
    [
        (["nano", "{there}"], "exists already"),
        (["nano", "{new}", "--hidden", "100"], "multiple of 96"),
        (["sft", "--model", "{there}", "--out", "{new}", "--steps", "0"], "--steps must be at least 1"),
        (
            ["sft", "--model", "{there}", "--out", "{new}", "--steps", "1", "--silence", "-1"],
            "must be a number, not below 0",
        ),
        (["sft", "--model", "{absent}", "--out", "{new}", "--steps", "1"], "There is no folder"),
        (["sft", "--model", "{there}", "--out", "{new}", "--steps", "1", "--data", "{empty}"], "There are no shards"),
        (["sft", "--model", "{there}", "--out", "{new}", "--steps", "1", "--family", "clocks"], "There is no family 'clocks'"),
        (["sft", "--model", "{there}", "--out", "{new}", "--steps", "1", "--family", "see", "--data", "{empty}"], "leave it or"),
    ],
)
def test_the_command_tells_what_to_mend(
    given: list[str], said: str, micro: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"there": micro, "new": tmp_path / "new", "absent": tmp_path / "absent", "empty": tmp_path}
    assert main(["train", *(part.format(**names) for part in given)]) == 2
    assert said in capsys.readouterr().err
