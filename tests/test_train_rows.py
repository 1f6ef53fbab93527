"""Rows and packs of a micro model: weights and loss by hand, text as the decider feeds it, what is shared and seen once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from joyvl_app.bench.tiny import write_tiny
from joyvl_app.clock import ManualClock
from joyvl_app.deciders.vlm.checkpoint import Placement, load
from joyvl_app.deciders.vlm.decider import VlmDecider
from joyvl_app.deciders.vlm.inputs import Patches
from joyvl_app.deciders.vlm.second import Second
from joyvl_app.dialect import render
from joyvl_app.dialect.tokens import RESPONSE, SILENCE
from joyvl_app.domain import Silence
from joyvl_app.train.cells import IGNORED, cell_loss
from joyvl_app.train.encoding import Encoder
from joyvl_app.train.episodes import episode
from joyvl_app.train.families import SEE, TIMERS
from joyvl_app.train.feeding import Rendered, Spec
from joyvl_app.train.loading import add_actions, load_encoder, load_model
from joyvl_app.train.loss import Weights, weighted_loss
from joyvl_app.train.packing import features, logits_of, packed, packs, prepare
from joyvl_app.train.talks import Line, Talk, moments_of
from tests.support import settings
from tests.training import CPU, fed_to, images_of, rows_of

pytest_plugins = ("tests.micro",)  # the micro model, made once for all of its tests


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
        *[(SILENCE, 0.2), ("<|im_end|>", 0.2)] * 2, *[(SILENCE, 0.6), ("<|im_end|>", 0.6)] * 2,
        (RESPONSE, 3.0), (" One", 1.5), (".", 1.5), ("<|im_end|>", 1.5),
        *[(SILENCE, 0.6), ("<|im_end|>", 0.6)] * 2, (SILENCE, 0.2), ("<|im_end|>", 0.2),
    ]  # fmt: skip
    assert [int(row.ids[place]) for place in row.decisions].count(tokenizer.convert_tokens_to_ids(SILENCE)) == 7


async def test_a_row_is_what_the_decider_feeds(encoder: Encoder, micro: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token by token, with questions and a result, over the border of a chunk; everything silent, so that nothing is drawn."""
    asked = (Line(0, "Count each cat."), Line(3, "Who is she?"), Line(99, "And he?"), Line(102, "Who else?"))
    talk = Talk("a", "alert", 104, asked, (), (Line(5, "Ada <|im_end|> of London"),))
    images = [np.full((64, 64, 3), 2 * n, np.uint8) for n in range(104)]
    rows = encoder.rows(talk, images, Weights())
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(micro), model_device="cpu"))
    await decider.start()
    fed = fed_to(decider.model.engine, monkeypatch)
    watcher = decider.open("s")
    for moment, _, _ in moments_of(talk, images):
        await watcher.decide(replace(moment, sensitivity=-50.0))
    await watcher.aclose()
    await decider.aclose()
    silence, end = decider.model.engine.encode(SILENCE), [*decider.model.engine.eos]
    first, second = (row.ids.tolist() for row in rows)
    assert fed[: len(first) - 2] == first[:-2] and [*fed[len(first) - 2 :], *silence, *end] == second
    assert len(rows[1].images) == 8 and not rows[1].weights[: rows[1].decisions[4]].any(), "four seconds are taken along"


@pytest.mark.parametrize("context", [760, 843, 911, 1_077, 1_500])
async def test_a_row_ends_where_the_decider_begins_anew(context: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Because the model's context is full; with replies between silent seconds, and times of one digit and of two."""
    said = (Line(6, "There are two people."), Line(17, "One."))
    talk = Talk("a", "alert", 30, (Line(0, "Count each cat."), Line(12, "Who is she?")), said)
    images = [np.full((64, 64, 3), 2 * n, np.uint8) for n in range(30)]
    folder = write_tiny(tmp_path / "tiny", context=context)
    decider = VlmDecider(ManualClock(charge=False), settings(model=str(folder), model_device="cpu"))
    await decider.start()
    engine, words = decider.model.engine, list[int]()
    fed, (silence,) = fed_to(engine, monkeypatch), engine.encode(SILENCE)
    monkeypatch.setattr(Second, "_draw", lambda self, row, banned: words.pop(0))
    watcher = decider.open("s")
    for moment, decision, _ in moments_of(talk, images):
        words[:] = [*engine.encode(render(decision)), *engine.eos]
        await watcher.decide(replace(moment, sensitivity=-50.0 if isinstance(decision, Silence) else 50.0))
    await watcher.aclose()
    await decider.aclose()
    rows = load_encoder(folder, 262_144).rows(talk, images, Weights())
    assert (len(rows) > 1) is (context < 1_500)
    unfed = [2 if row.ids[-2] == silence else 1 for row in rows]  # the last reply's end, and the last silence with it
    assert fed == [token for row, last in zip(rows, unfed, strict=True) for token in row.ids.tolist()[:-last]]


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
    one = rows[0].images[0].size // (32 * 32 * 3)
    blank = one * len(rows[0].images)
    assert torch.equal(seen[:one], seen[blank - one : blank]) and not torch.equal(seen[:one], seen[blank : blank + one])
    assert (pack.cells[:blank] == IGNORED).all() and (pack.cells[blank:] != IGNORED).any()
    head = model.model.get_output_embeddings().weight
    assert cell_loss(seen[:blank], head, pack.cells[:blank]) == 0 < cell_loss(seen, head, pack.cells)
