"""Training a micro model: resuming, adapters, damage, full disks, several processes, the command."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from joyvl_app.__main__ import main
from joyvl_app.bench.tiny import write_tiny_llava
from joyvl_app.errors import BadInput, ProviderFailed
from joyvl_app.train.encoding import Encoder
from joyvl_app.train.feeding import Rendered, Spec
from joyvl_app.train.loading import load_encoder
from joyvl_app.train.loop import Run, Schedule
from joyvl_app.train.loss import Weights
from joyvl_app.train.nano import SYSTEM, write_nano
from joyvl_app.train.packing import Pack
from joyvl_app.train.see import see
from joyvl_app.train.sft import items_of, open_run, train
from joyvl_app.train.shards import Clip, jpeg, write_shard
from joyvl_app.train.states import alone_in, states_in
from joyvl_app.train.talks import Line, Talk
from tests.support import ROOT
from tests.training import accelerator, plan, quietly, two_processes, weights_of

pytest_plugins = ("tests.micro",)  # the micro model, made once for all of its tests


def test_a_run_that_was_killed_and_resumed_equals_an_uninterrupted_one(micro: Path, tmp_path: Path) -> None:
    """A real kill, with a worker that was ahead of its model; what is left of a state being written counts for nothing."""
    given = ["train", "sft", "--model", str(micro), "--tokens", "600", "--steps", "12", "--warmup", "2", "--device", "cpu",
             "--save-every", "3"]  # fmt: skip
    assert main([*given, "--out", str(tmp_path / "whole"), "--workers", "0"]) == 0
    curve = tmp_path / "torn" / "curve.jsonl"
    command = [sys.executable, "-m", "joyvl_app", *given, "--out", str(tmp_path / "torn")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        waits = time.monotonic() + 120
        while (len(curve.read_text().splitlines()) if curve.exists() else 0) < 4 and time.monotonic() < waits:
            time.sleep(0.01)
        process.kill()
    last = states_in(tmp_path / "torn")[-1]
    assert last.name < "state-0000012", "it was killed on its way"
    part = last.with_name("state-0000011.part")
    part.mkdir()
    (part / "progress.json").write_text("{}")
    assert main([*given, "--out", str(tmp_path / "torn"), "--workers", "0"]) == 0
    one, other = (weights_of(tmp_path / name / "model") for name in ("whole", "torn"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    curves = [[json.loads(line)["loss"] for line in (tmp_path / name / "curve.jsonl").read_text().splitlines()]
              for name in ("whole", "torn")]  # fmt: skip
    assert curves[0] == curves[1] and len(curves[0]) == 12
    assert (tmp_path / "whole" / "model" / "system_prompt.txt").read_text().strip() == SYSTEM


def test_checkpointing_changes_nothing_that_is_learned(micro: Path, tmp_path: Path) -> None:
    plain, checked = (
        weights_of(train(plan(micro, tmp_path / str(checkpointing), 2, checkpointing=checkpointing), quietly))
        for checkpointing in (False, True)
    )
    assert all(torch.allclose(plain[name], checked[name], atol=1e-6) for name in plain)


def test_what_is_learned_is_less_surprising(taught: tuple[Path, list[dict[str, Any]]]) -> None:
    lines = taught[1]
    assert lines[-1]["loss"] < 0.75 * lines[0]["loss"]
    assert {"tokens_s", "video_s", "busy", "took_s", "memory_mb", "left_s"} <= set(lines[0])


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
        run, _ = open_run(plan(micro, tmp_path / "a", 20), accelerator(), Poisoned)
        run.learn(items_of(plan(micro, tmp_path / "a", 20)), quietly)
    run, _ = open_run(plan(micro, tmp_path / "a", 20), accelerator())
    assert run.progress.step <= 6 and all(bool(torch.isfinite(p).all()) for p in run.model.parameters())


def test_a_full_disk_keeps_the_state_before(micro: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = open_run(plan(micro, tmp_path / "a"), accelerator())
    run.progress.step = 2
    run.save()

    def full(folder: str, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.accelerator, "save_state", full)
    run.progress.step = 4
    with pytest.raises(BadInput, match="No space left"):
        run.save()
    again, _ = open_run(plan(micro, tmp_path / "a"), accelerator())
    assert again.progress.step == 2


def test_a_damaged_state_gives_way_to_the_one_before(micro: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = open_run(plan(micro, tmp_path / "a"), accelerator())
    for step in (1, 2, 3):
        run.progress.step = step
        run.save()
    states = states_in(tmp_path / "a")
    assert [state.name for state in states] == ["state-0000002", "state-0000003"]
    (states[-1] / "optimizer.bin").write_bytes(b"torn")
    again, _ = open_run(plan(micro, tmp_path / "a"), accelerator())
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
    run, system = open_run(plan(micro, tmp_path / "a"), accelerator())
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
    """Eight clips of one length: a step of four is a step of two by two. Stopped after two steps and resumed. And two episodes
    whose seconds share a picture, which one process looks at once; and a model of another kind, whole and with all that saves
    memory.
    """
    frames = [jpeg(np.full((96, 128, 3), 30 * n, np.uint8)) for n in range(6)]
    said = [(Line(n % 5, "One."),) for n in range(8)]
    talks = [Talk(f"clip-{n}", "alert", 6, (Line(0, "Count each cat."),), line) for n, line in enumerate(said)]
    write_shard(tmp_path / "shard-00000.parquet", [Clip(talk, tuple(frames)) for talk in talks])
    four = 4 * load_encoder(micro, 262_144).rows(talks[0], [np.zeros((96, 128, 3), np.uint8)] * 6, Weights())[0].tokens
    given = ["train", "sft", "--model", str(micro), "--data", str(tmp_path), "--tokens", str(four - 3), "--workers", "0",
             "--warmup", "1", "--device", "cpu", "--save-every", "2", "--decay", "0"]  # fmt: skip
    assert main([*given, "--out", str(tmp_path / "one"), "--steps", "4"]) == 0
    rendered = ["train", "sft", "--model", str(micro), "--family", "timers", "--workers", "0", "--device", "cpu", "--steps", "1"]
    tokens = Rendered(Spec(str(micro), Weights()), family="timers").fetch(0)[0].tokens
    assert main([*rendered, "--tokens", str(tokens + 1), "--out", str(tmp_path / "three")]) == 0
    other = [*rendered, "--model", str(write_tiny_llava(tmp_path / "llava"))]  # has layers of vision that nothing is learned from
    tokens = Rendered(Spec(other[-1], Weights()), family="timers").fetch(0)[0].tokens
    assert main([*other, "--tokens", str(tokens + 1), "--out", str(tmp_path / "five")]) == 0
    two_processes(
        [*given, "--out", str(tmp_path / "two"), "--steps", "2"], [*given, "--out", str(tmp_path / "two"), "--steps", "4"],
        [*rendered, "--tokens", "2", "--out", str(tmp_path / "four")],
        [*other, "--tokens", "2", "--out", str(tmp_path / "six"), "--steps", "2"],
        [*other, "--tokens", "2", "--out", str(tmp_path / "seven"), "--lora", "4", "--precision", "bf16", "--checkpointing"],
    )  # fmt: skip
    curves = [[json.loads(line)["loss"] for line in (tmp_path / name / "curve.jsonl").read_text().splitlines()]
              for name in ("one", "two", "three", "four", "five", "six", "seven")]  # fmt: skip
    assert curves[0] == pytest.approx(curves[1], rel=1e-4) and len(curves[0]) == 4
    assert curves[2] == pytest.approx(curves[3], rel=1e-4) and len(curves[2]) == 1
    assert curves[4][0] == pytest.approx(curves[5][0], rel=1e-4) and len(curves[5]) == 2
    assert curves[4][0] == pytest.approx(curves[6][0], rel=1e-2)
    one, two = (weights_of(tmp_path / name / "model") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)
    noted = json.loads((states_in(tmp_path / "two")[-1] / "progress.json").read_text())
    assert noted["item"] == [16, 17], "each process goes on behind its own clips"


def test_a_folder_belongs_to_one_plan(micro: Path, tmp_path: Path) -> None:
    light = plan(micro, tmp_path / "a", weights=Weights(silence=0.1))
    open_run(light, accelerator())
    open_run(plan(micro, tmp_path / "a"), accelerator())[0].save()  # nothing had been learned from the other
    with pytest.raises(BadInput, match="another weights"):
        open_run(light, accelerator())
    other = write_nano(tmp_path / "m", hidden=96, layers=2, vision=32, depth=2)
    open_run(plan(other, tmp_path / "b"), accelerator())[0].save()
    shutil.rmtree(other)
    write_nano(other, hidden=96, layers=2, vision=32, depth=2, seed=2)
    with pytest.raises(BadInput, match="another model"):
        open_run(plan(other, tmp_path / "b"), accelerator())


def test_a_torn_shard_is_told_before_the_folder_is_taken(micro: Path, tmp_path: Path) -> None:
    (tmp_path / "shard-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="is torn"):
        train(replace(plan(micro, tmp_path / "a"), data=tmp_path), quietly)
    assert not (tmp_path / "a").exists()


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
        (["sft", "--model", "{there}", "--out", "{new}", "--steps", "1", "--seed", "5000000000"], "--seed must be below"),
        (["rl", "--model", "{there}", "--out", "{new}", "--steps", "1", "--group", "1"], "--group must be at least 2"),
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
