"""The renderer: seeded, exact, bounded; the loop; contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from joyvl_app.domain import Image
from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import Case, CaseSpec, Loop
from joyvl_app.evals.clips import Clip, Cut, clip_seconds, open_clip
from joyvl_app.evals.render.film import film, pictures
from joyvl_app.evals.render.screenplay import Screenplay
from joyvl_app.evals.sheet import draw_sheet
from joyvl_app.perception.reader import TextReader
from tests.support import sign, write_clip


def play(*acts: dict[str, object], **more: object) -> Screenplay:
    return Screenplay.model_validate({"seconds": 4, "size": [320, 240], "acts": acts, **more})


def differs(a: Image, b: Image) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def test_the_same_screenplay_gives_the_same_pictures_and_another_seed_others() -> None:
    acts: list[dict[str, object]] = [{"show": "leaves", "style": "dev", "many": 10}, {"show": "flame", "style": "dev"}]
    one, two, other = (list(pictures(play(*acts, seed=seed))) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[20], other[20])
    assert len(one) == 40 and one[0].shape == (240, 320, 3)


def test_an_act_is_fully_there_at_its_mark_and_gone_at_its_end() -> None:
    words = {"show": "words", "text": "EXIT", "from": 1, "to": 3, "enter": "left", "enter_s": 0.5, "leave_s": 0.5, "size": 0.3}
    shown = list(pictures(play(words, noise=0)))
    assert differs(shown[0], shown[9]) == 0 and differs(shown[0], shown[30]) == 0
    assert differs(shown[15], shown[20]) == 0, "fully there from 1.5 s on"
    assert 0 < differs(shown[0], shown[12]) and differs(shown[12], shown[15]) > 0


@pytest.mark.parametrize("split", ["dev", "test"])
def test_what_is_written_can_be_read(split: str) -> None:
    acts: list[dict[str, object]] = [
        {"show": "words", "text": "Platform 7", "size": 0.12, "at": [0.5, 0.25]},
        {"show": "words", "text": "今天下午三点开会", "size": 0.1, "at": [0.5, 0.55]},
        {"show": "card", "name": "Teapot", "price": "$19.50", "style": split, "at": [0.5, 0.85]},
    ]
    image = next(iter(pictures(play(*acts, split=split, size=(640, 480), backdrop={"colours": ["#203040", "#182838"]}))))
    text = " ".join(line.text for line in TextReader()(image))
    assert "Platform 7" in text and "今天下午三点开会" in text and "$19.50" in text


def test_a_film_is_rendered_once(tmp_path: Path) -> None:
    script = play({"show": "pointer"})
    first = film(script, tmp_path)
    stamp = first.stat().st_mtime_ns
    assert film(script, tmp_path) == first and first.stat().st_mtime_ns == stamp
    assert film(play({"show": "pointer"}, seed=9), tmp_path) != first
    assert clip_seconds(Clip(first, "rendered")) == pytest.approx(4.0, abs=0.1)
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"] * 2


def test_an_unknown_photograph_lists_the_others(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no photograph 'yeti' for the dev split.*astronaut"):
        film(play({"show": "photo", "photo": "yeti"}), tmp_path)
    with pytest.raises(ValidationError):
        play({"show": "photo", "photo": "../secret"})


async def test_a_loop_plays_to_and_fro_with_noise_and_light(tmp_path: Path) -> None:
    shades = [np.full((48, 64, 3), 60 + 40 * i, np.uint8) for i in range(4)]
    clip = Clip(write_clip(tmp_path / "c.mp4", shades, fps=2), "real")
    spec = CaseSpec(id="c", capability="monitoring", loop=Loop(seconds=70, noise=4, light=0.2, seed=3))
    frames = [frame async for frame in open_clip(clip, spec, 640).frames()]
    assert [round(float(frame.image.mean()) / 10) * 10 for frame in frames[:6]] == [60, 100, 140, 180, 140, 100]
    assert frames[1].t == 0.5 and len(frames) == 140
    assert not np.array_equal(frames[0].image, frames[6].image)
    assert frames[120].image.mean() < frames[6].image.mean(), "after a minute a lamp is off"
    again = [frame async for frame in open_clip(clip, spec, 640).frames()]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, again, strict=True))


def test_cuts_fill_their_seconds(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", [sign("", size=(64, 48))] * 40, fps=10)
    clip = Clip(path, "real", (Cut.model_validate({"from": 1, "to": 2, "seconds": 5}), Cut.model_validate({"from": 0, "to": 1})))
    assert clip_seconds(clip) == 6.0
    source = open_clip(clip, CaseSpec(id="c", capability="monitoring"), 640)
    assert source.seconds == pytest.approx(6.0, abs=0.2)


def test_a_contact_sheet_shows_every_event(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", [sign("x", size=(64, 48))] * 40, fps=10)
    spec = CaseSpec.model_validate({"id": "c", "capability": "reading", "events": [{"t": 2, "accept": ["x"]}]})
    draw_sheet(Case(spec, "c.yaml", "test", "c", "real", 4.0), Clip(path, "real"), tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1_000
