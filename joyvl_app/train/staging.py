"""Puts things on a stage: who stands where, from when to when, and when the camera has fully seen it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from joyvl_app.evals.render.material import drawn_thing
from joyvl_app.evals.render.screenplay import AnyAct, Backdrop, Light, PictureAct, Screenplay, WordsAct
from joyvl_app.train.worlds import World

SIZE = (128, 96)  # pixels: 4 x 3 vision tokens of a model with patches of 16 and a merge of 2
_SLOTS = (0.2, 0.5, 0.8)  # where on the stage, as fractions of its width
_CROWDED = 0.52  # the tallest that something may be beside others
_PLATE, _PLATE_ASPECT = 1.45, 0.88  # of a number's card: its height in font sizes, its shape
_APART = 1.0  # seconds between two in the same place
_VARIED = 0.6  # share of a varied world's things
_FPS = 2  # of a clip; training looks once a second
_FILM_SIZE, _MOST_NOISE = (256, 192), 20.0


@dataclass(frozen=True)
class Presence:
    """Something that comes at `came` and is fully there from `since` to `to`, in slot `slot` (0 is the leftmost)."""

    thing: str
    came: float
    since: float
    to: float
    slot: int
    box: tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the picture


@dataclass
class Stage:
    """Acts are drawn from `rng` alone, so an episode's seed says everything about it."""

    rng: np.random.Generator
    world: World
    seconds: int
    crowd: bool = True  # others may stand beside it
    acts: list[AnyAct] = field(default_factory=list)
    there: list[Presence] = field(default_factory=list)

    def enter(self, thing: str, since: float, to: float, at_once: bool = False) -> Presence | None:
        """A thing comes at `since` and is gone at `to`; None when the stage is full. `at_once`: without an entrance."""
        slot = self._slot(since, to, 0.0 if at_once else _APART)
        if slot is None:
            return None
        rng, world = self.rng, self.world
        coming = 0.0 if at_once else float(rng.choice((0.0, 0.0, 0.4, 0.8)))
        lowest, highest = world.sizes[0], min(world.sizes[1], _CROWDED) if self.crowd else world.sizes[1]
        height = float(rng.uniform(lowest, max(lowest + 0.02, highest)))
        way = str(rng.choice(("left", "right", "fade", "rise"))) if coming else "cut"
        picture, place = str(rng.choice(world.drawings(thing))), self._place(slot, height)
        hand = _another_hand(rng) if world.varied and rng.random() < _VARIED else {}
        self.acts.append(
            PictureAct.model_validate({
                "from": since, "to": to, "enter": way, "enter_s": coming, "at": place, "picture": picture, "height": height,
                "hue": int(rng.integers(-world.hue, world.hue + 1)), "turn": float(rng.uniform(-12, 12)),
                "mirror": bool(rng.integers(2)), "sway": float(rng.choice((0.0, 0.02))), **hand,
            })
        )  # fmt: skip
        drawn = drawn_thing(picture)
        presence = Presence(
            thing,
            since,
            since + coming,
            to,
            slot,
            _box(place, height, hand.get("stretch", 1.0) * drawn.shape[1] / drawn.shape[0]),
        )
        self.there.append(presence)
        return presence

    def number(self, digits: str, since: float, to: float, at_once: bool = False) -> Presence | None:
        """A card with a number."""
        slot = self._slot(since, to, 0.0 if at_once else _APART)
        if slot is None:
            return None
        rng = self.rng
        light, dark = int(rng.integers(190, 256)), int(rng.integers(0, 70))
        ink, plate = (_grey(rng, dark), _grey(rng, light)) if rng.integers(2) else (_grey(rng, light), _grey(rng, dark))
        font = self.world.fonts[int(rng.integers(len(self.world.fonts)))]
        place, size = self._place(slot, 0.5), float(rng.uniform(0.3, 0.5))
        self.acts.append(
            WordsAct.model_validate({
                "from": since, "to": to, "at": place, "text": digits, "size": size,
                "bold": bool(rng.integers(2)), "font": font, "ink": ink, "plate": plate,
            })
        )  # fmt: skip
        presence = Presence(digits, since, since, to, slot, _box(place, _PLATE * size, _PLATE_ASPECT))
        self.there.append(presence)
        return presence

    def play(self, seed: int) -> Screenplay:
        rng, world = self.rng, self.world
        kind = str(
            rng.choice(("plain", "clutter", "room", "photo", "photo") if world.varied else ("plain", "plain", "room", "photo"))
        )
        tones = (_grey(rng, int(rng.integers(30, 240)), 40), _grey(rng, int(rng.integers(30, 240)), 40))
        photo = str(rng.choice(world.backdrops)) if kind == "photo" else None
        lights = [
            Light(at=float(rng.uniform(1, self.seconds)), gain=float(rng.uniform(0.7, 1.3))) for _ in range(rng.integers(3))
        ]
        behind: dict[str, Any] = {
            "kind": kind, "colours": tones, "photo": photo, "blur": int(rng.integers(1, 4)) if photo else 0,
        }  # fmt: skip
        if photo and world.varied:
            behind |= {"zoom": float(rng.uniform(1, 3)), "at": tuple(rng.random(2).tolist()), "mirror": bool(rng.integers(2))}
        return Screenplay(
            seconds=float(self.seconds), seed=seed, split=world.split, fps=_FPS, size=SIZE,
            noise=float(rng.uniform(*world.noise)),
            lights=tuple(sorted(lights, key=lambda light: light.at)), acts=tuple(self.acts),
            backdrop=Backdrop.model_validate(behind),
        )  # fmt: skip

    def at(self, t: float) -> list[str]:
        """What can be seen at second `t`, from left to right."""
        return [p.thing for p in sorted(self.there, key=lambda p: p.slot) if p.since <= t < p.to]

    def _slot(self, since: float, to: float, apart: float) -> int | None:
        busy = {p.slot for p in self.there if p.since - apart < to and since < p.to + apart / 5}
        if busy and not self.crowd:
            return None
        free = [slot for slot in range(len(_SLOTS)) if slot not in busy]
        return int(self.rng.choice(free)) if free else None

    def _place(self, slot: int, height: float) -> tuple[float, float]:
        x = _SLOTS[slot] + float(self.rng.uniform(-0.05, 0.05))
        low, high = min(height / 2, 0.5), max(1 - height / 2, 0.5)
        return (x if self.crowd else float(self.rng.uniform(0.25, 0.75))), float(self.rng.uniform(low, high))


def _another_hand(rng: np.random.Generator) -> dict[str, float]:
    """How else a thing may be drawn: wider or narrower, paler, darker, with the light from a side."""
    return {
        "stretch": float(np.exp(rng.uniform(-0.3, 0.3))), "vivid": float(rng.uniform(0.3, 1.4)),
        "bright": float(rng.uniform(0.7, 1.25)), "shade": float(rng.uniform(0, 0.5)), "lit": float(rng.uniform(0, 360)),
    }  # fmt: skip


def enlarged(play: Screenplay) -> Screenplay:
    """The same play as a camera of usual size would show it: what a clip on disk is made of."""
    grown = _FILM_SIZE[1] / play.size[1]
    backdrop = play.backdrop.model_copy(update={"blur": min(40, round(play.backdrop.blur * grown))})
    noise = min(_MOST_NOISE, play.noise * grown)  # it averages out where the picture is made small again
    return play.model_copy(update={"size": _FILM_SIZE, "backdrop": backdrop, "noise": noise})


def _box(place: tuple[float, float], height: float, aspect: float) -> tuple[float, float, float, float]:
    """What a thing of this height (a fraction of the picture's) and aspect covers."""
    wide, high = height * aspect * SIZE[1] / SIZE[0] / 2, height / 2
    return place[0] - wide, place[1] - high, place[0] + wide, place[1] + high


def _grey(rng: np.random.Generator, tone: int, colour: int = 25) -> str:
    """A colour near a grey tone."""
    return "#" + "".join(f"{int(np.clip(tone + rng.integers(-colour, colour + 1), 0, 255)):02x}" for _ in range(3))
