"""Who lives and who is a picture; what a second view is asked about; texts whose strokes change."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from joyvl_app.domain import Box, Frame, Image
from joyvl_app.evals.render.film import pictures
from joyvl_app.evals.render.screenplay import Screenplay
from joyvl_app.perception.doubts import Doubts
from joyvl_app.perception.eyes import PICTURE, Eyes, Nets
from joyvl_app.perception.flames import FlameWatch
from joyvl_app.perception.life import LifeWatch
from joyvl_app.perception.motion import fine, rewritten
from tests.support import sign

ROOM = {"kind": "room", "colours": ["#cfc6b4", "#a79d88"]}
POSTER = {"show": "photo", "photo": "astronaut", "framed": True, "height": 0.6, "at": [0.6, 0.4]}


def looks(*acts: dict[str, object], seconds: float = 8, **more: object) -> list[Image]:
    play = Screenplay.model_validate({"seconds": seconds, "fps": 2, "noise": 3, "backdrop": ROOM, "acts": acts, **more})
    return list(pictures(play))


def box_of(x: float, y: float, height: float) -> Box:
    """Around a portrait that stands there."""
    return Box("person", 0.8, x - height * 0.37, y - height / 2, x + height * 0.37, y + height / 2, track=1)


HUNG = box_of(0.6, 0.4, 0.6)


def lives(images: Iterable[Image], *boxes: Box) -> list[bool]:
    watch = LifeWatch()
    for number, image in enumerate(images):
        watch.observe(number / 2, image, list(boxes))
    return [watch.living(box) for box in boxes]


def test_a_poster_does_not_live_whatever_the_light_does() -> None:
    lamps = [{"at": 2, "gain": 1.3, "over": 0.3}, {"at": 5, "gain": 0.7, "over": 1.5}]
    assert lives(looks(POSTER), HUNG) == [False]
    assert lives(looks(POSTER, lights=lamps), HUNG) == [False]


def test_somebody_who_sways_lives() -> None:
    person = POSTER | {"sway": 0.02, "framed": False}
    assert lives(looks(person), HUNG) == [True]


def test_a_passer_by_brings_no_poster_to_life() -> None:
    passer = {"show": "photo", "photo": "astronaut", "height": 0.9, "at": [0.3, 0.6], "sway": 0.05}
    person = Box("person", 0.8, 0.0, 0.1, 0.68, 1.0, track=2)
    assert lives(looks(POSTER, passer), HUNG, person) == [False, True]


def test_after_a_cut_everybody_counts_at_once() -> None:
    street = [np.random.default_rng(n).integers(0, 255, (480, 640, 3)).astype(np.uint8) for n in (1, 1, 1)]
    watch = LifeWatch()
    for number, image in enumerate([*street, *looks(POSTER)[:2]]):
        watch.observe(number / 2, image, [HUNG] if number >= 3 else [])
    assert watch.living(HUNG)


def test_in_a_still_picture_everybody_counts() -> None:
    image = looks(POSTER)[0]
    assert lives([image] * 6, HUNG) == [True]


def test_the_eyes_call_a_poster_a_picture() -> None:
    eyes = Eyes(Nets.load())
    seen = []
    for number, image in enumerate(looks(POSTER | {"height": 0.8, "at": [0.5, 0.5]})):
        seen.append(eyes.look(Frame(number / 2, image)))
        eyes.look_again()
    assert not any(box.label == "person" for look in seen for box in look.things)
    assert not any(look.faces for look in seen)
    assert any(box.label == PICTURE for box in seen[-1].things)


def test_a_wide_picture_keeps_its_proportions() -> None:
    act = {"show": "photo", "photo": "astronaut", "height": 0.95, "at": [0.5, 0.55]}
    image = looks(act, seconds=1, size=[640, 272])[0]
    best = max(box.score for box in Nets.load().detector(image) if box.label == "person")
    assert best > 0.7


# --- second views -------------------------------------------------------------------------------------------------

GREY: Image = np.zeros((4, 4, 3), np.uint8)
PAPER = Box("dog", 0.5, 0.1, 0.1, 0.4, 0.4)


def nobody(box: Box) -> bool:
    return False


@pytest.mark.parametrize(
    ("other", "believed"),
    [([], []), ([Box("dog", 0.6, 0.1, 0.1, 0.42, 0.4)], [0.6]), ([Box("cat", 0.9, 0.1, 0.1, 0.4, 0.4)], [])],
)
def test_a_doubtful_new_thing_must_be_seen_in_both_views(other: list[Box], believed: list[float]) -> None:
    doubts = Doubts()
    assert doubts.settle(0.0, GREY, [PAPER], nobody) == [] and doubts.open
    assert doubts.look_again(lambda image: other) is bool(believed)
    assert [box.score for box in doubts.settle(0.5, GREY, [PAPER], nobody)] == believed


def test_what_was_refused_is_not_asked_about_again_for_a_while() -> None:
    doubts = Doubts()
    doubts.settle(0.0, GREY, [PAPER], nobody)
    doubts.look_again(lambda image: [])
    assert doubts.settle(2.0, GREY, [PAPER], nobody) == [] and not doubts.open
    doubts.settle(9.0, GREY, [PAPER], nobody)
    assert doubts.open


def test_sure_small_and_likely_people_are_not_questioned() -> None:
    boxes = [Box("dog", 0.7, 0.1, 0.1, 0.4, 0.4), Box("dog", 0.5, 0.1, 0.1, 0.15, 0.2), Box("person", 0.57, 0.1, 0.1, 0.4, 0.9)]
    doubts = Doubts()
    assert doubts.settle(0.0, GREY, boxes, nobody) == boxes and not doubts.open


def test_a_known_thing_that_fades_is_held_by_the_other_view() -> None:
    fading, doubts = Box("person", 0.3, 0.1, 0.1, 0.4, 0.9), Doubts()
    assert doubts.settle(0.0, GREY, [fading], lambda box: True) == [fading] and doubts.open
    doubts.look_again(lambda image: [Box("person", 0.75, 0.1, 0.1, 0.4, 0.9), Box("person", 0.9, 0.2, 0.2, 0.22, 0.3)])
    assert [box.score for box in doubts.settle(0.5, GREY, [fading], lambda box: True)] == [0.75]
    assert [box.score for box in doubts.settle(5.0, GREY, [fading], lambda box: True)] == [0.3], "a verdict does not last"


# --- strokes and flames -------------------------------------------------------------------------------------------


def test_a_changed_digit_shows_and_noise_does_not() -> None:
    rng = np.random.default_rng(0)

    def seen(text: str) -> Image:
        image = sign(text).astype(np.int16) + rng.normal(0, 5, (270, 480, 1)).round().astype(np.int16)
        return np.clip(image, 0, 255).astype(np.uint8)

    box = Box("text", 0.9, 0.2, 0.44, 0.8, 0.57)
    before = fine(seen("Espresso $2.40"))
    assert not rewritten(fine(seen("Espresso $2.40")), before, box)
    assert rewritten(fine(seen("Espresso $2.90")), before, box)


def test_a_fire_below_a_sunset_is_seen_and_the_sunset_is_not() -> None:
    sunset = {"kind": "photo", "photo": "mountain", "blur": 6}
    fire = {"show": "flame", "style": "dev", "at": [0.5, 0.85], "height": 0.5, "grow": 4, "from": 4}
    watch = FlameWatch()
    scores = [box.score if (box := watch.observe(image)) else 0.0 for image in looks(fire, seconds=14, backdrop=sunset)]
    assert max(scores[:8]) == 0.0 and max(scores[8:20]) >= 0.6
