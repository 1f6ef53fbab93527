"""RL on a micro model: rewards, advantages, rollouts, and what becomes likelier."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from joyvl_app.deciders.vlm.checkpoint import Placement, load
from joyvl_app.deciders.vlm.engine import Engine
from joyvl_app.dialect.tokens import RESPONSE, SILENCE
from joyvl_app.evals.render.film import looks
from joyvl_app.train.encoding import Encoder, Row
from joyvl_app.train.episodes import episode
from joyvl_app.train.loop import Schedule
from joyvl_app.train.loss import Weights
from joyvl_app.train.packing import logits_of, packed
from joyvl_app.train.rl import Policy, PolicyRun, advantages, reinforce
from joyvl_app.train.rollouts import Rollout, roll_out
from joyvl_app.train.sft import Plan, open_run
from joyvl_app.train.talks import Line, Talk
from joyvl_app.train.windows import Window, reward_of, window_of
from tests.training import CPU, accelerator, images_of, quietly, rows_of, weights_of

pytest_plugins = ("tests.micro",)  # the micro model, made once for all of its tests


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

    def values(rows: list[Row]) -> list[float]:
        return [float(made.weights.sum() / row.weights.sum()) for made in rows]

    same = [Rollout(row, (), 0.5)] * 4
    alone, nothing = advantages([group, same])
    assert values(alone) == pytest.approx([3**0.5, *[-(3**-0.5)] * 3], rel=1e-3) and nothing == []
    grave = [replace(rollout, reward=-3 * rollout.reward) for rollout in group]
    light, heavy = advantages([group, grave])
    assert values(heavy) == pytest.approx([-3 * value for value in values(light)], rel=1e-3), "what costs more weighs more"
    assert advantages([same]) == [[]]


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
    run, _ = open_run(policy.whole_plan(), accelerator(), PolicyRun)
    assert isinstance(run, PolicyRun)
    run.begin(policy)

    def quiet() -> float:
        pack = packed(rows[:1], run.reading.pictures, CPU)
        with torch.no_grad():
            chances = torch.log_softmax(logits_of(run.model, pack, pack.learned), -1)
        return float(chances.gather(1, pack.targets[:, None]).mean())

    before = quiet()
    for _ in range(6):
        run.step(advantages([[Rollout(rows[0], (), 0.0), Rollout(rows[1], (), -3.0)]])[0])
    assert quiet() > before + 0.5


def test_reinforcement_draws_judges_learns_and_exports(taught: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    schedule = Schedule(2, rate=5e-5, warmup=1, save_every=25)
    policy = Policy(Plan(str(taught[0]), tmp_path / "a", schedule=schedule, device="cpu"), windows=2, group=3)
    made = reinforce(policy, lines.append)
    assert [line["step"] for line in lines] == [1, 2] and all(0 <= line["said_s"] <= 1 for line in lines)
    assert lines[0]["left_s"] >= lines[1]["left_s"] == 0
    assert lines[0]["tokens_s"] > 0 and lines[0]["memory_mb"] > 100
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
