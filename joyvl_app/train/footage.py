"""Seeded footage for the head: the dev split's photographs, words and prices come and go before other things; with cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from joyvl_app.evals.cases import Capability, CaseSpec
from joyvl_app.evals.render.screenplay import Screenplay

_SECONDS = 40
_THINGS = {"astronaut": "person", "chelsea": "cat", "coffee": "cup"}
_WORDS = ("OPEN", "STATION", "WELCOME", "LIBRARY", "KITCHEN", "CAUTION", "EXIT 4", "PLATFORM", "SILENCE PLEASE", "HOTEL")
_ACCEPT = {"person": ["person", "people", "someone", "woman", "man"], "cat": ["cat"], "cup": ["cup"]}


@dataclass
class _Reel:
    rng: np.random.Generator
    acts: list[dict[str, Any]] = field(default_factory=list)

    def photo(self, name: str, since: float, to: float, framed: bool = False) -> tuple[float, float]:
        """When it is fully there, and gone."""
        rng = self.rng
        coming = 0.0 if framed else float(rng.choice((0.0, 0.6, 1.0)))
        side = "left" if rng.integers(2) else "right"
        height = 0.34 if framed else float(rng.uniform(0.45, 0.9))
        self.acts.append({
            "show": "photo", "photo": name, "from": since, "to": to, "height": height, "framed": framed,
            "enter": side if coming else "cut", "enter_s": coming, "leave_s": coming, "mirror": bool(rng.integers(2)),
            "sway": 0.0 if framed else 0.018, "at": (float(rng.uniform(0.25, 0.75)), 0.3 if framed else 1 - height / 2),
        })  # fmt: skip
        return since + coming, to

    def words(self, text: str, since: float, to: float) -> float:
        place = (float(self.rng.uniform(0.3, 0.7)), float(self.rng.uniform(0.15, 0.85)))
        size = float(self.rng.uniform(0.06, 0.12))
        self.acts.append({"show": "words", "text": text, "from": since, "to": to, "at": place, "size": size, "plate": "#202830"})
        return since

    def clutter(self) -> None:
        """Things that nobody asked for: coloured things in motion, leaves, a pointer, a poster of a person."""
        rng = self.rng
        for _ in range(int(rng.integers(0, 4))):
            ink = "#" + "".join(f"{int(c):02x}" for c in rng.integers(20, 250, 3))
            since = float(rng.uniform(0, _SECONDS - 8))
            self.acts.append({
                "show": "patch", "ink": ink, "from": since, "to": since + float(rng.uniform(4, 20)),
                "round": bool(rng.integers(2)),
                "swing": float(rng.uniform(0, 0.4)), "period": float(rng.uniform(3, 9)),
                "size": (float(rng.uniform(0.05, 0.25)), float(rng.uniform(0.05, 0.3))),
                "at": (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.1, 0.9))),
            })  # fmt: skip
        if rng.random() < 0.2:
            self.acts.append({"show": "leaves", "style": "dev", "many": 40})
        if rng.random() < 0.25:
            self.photo("astronaut", 0.0, float(_SECONDS), framed=True)


def footage(seed: int) -> tuple[Screenplay, CaseSpec]:
    """A clip of 40 seconds and its case; the same seed gives the same."""
    rng = np.random.default_rng((77, seed))
    reel = _Reel(rng)
    names = list(_KINDS)
    name = names[seed % len(names)]
    capability, instruction, events = _KINDS[name](reel)
    reel.clutter()
    tones = tuple("#" + f"{int(c):02x}" * 3 for c in rng.integers(70, 230, 2))
    kind = str(rng.choice(("plain", "room")))
    lights = [
        {"at": float(t), "gain": float(rng.uniform(0.75, 1.25)), "over": 0.4} for t in sorted(rng.uniform(2, 38, rng.integers(3)))
    ]
    play = Screenplay.model_validate({
        "seconds": _SECONDS, "seed": seed, "fps": 4, "noise": float(rng.uniform(0, 5)), "lights": lights, "acts": reel.acts,
        "backdrop": {"kind": kind, "colours": tones},
    })  # fmt: skip
    case = {"id": f"footage-{seed:04d}-{name}", "capability": capability, "instruction": instruction, "events": events}
    return play, CaseSpec.model_validate(case)


_Case = tuple[Capability, str, list[dict[str, Any]]]


def _stays(reel: _Reel) -> list[tuple[float, float]]:
    """From when to when something is there, some seconds apart."""
    rng, t, stays = reel.rng, float(reel.rng.uniform(3, 8)), list[tuple[float, float]]()
    while t < _SECONDS - 7:
        stays.append((round(t, 1), round(t + float(rng.uniform(4, 9)), 1)))
        t = stays[-1][1] + float(rng.uniform(5, 9))
    return stays


def _appear(reel: _Reel) -> _Case:
    photo = str(reel.rng.choice(list(_THINGS)))
    thing = _THINGS[photo]
    events = [{"t": reel.photo(photo, *stay)[0], "accept": _ACCEPT[thing]} for stay in _stays(reel)]
    return "monitoring", f"Tell me when you see a {thing}.", events


def _absent(reel: _Reel) -> _Case:
    """Other things come than the one that is asked for."""
    for stay in _stays(reel):
        reel.photo(str(reel.rng.choice(("chelsea", "coffee"))), *stay)
    asked = ("Alert me when someone comes in.", "Warn me if there is a fire.", "Tell me when you see a dog.", "Count the people.")
    return "monitoring", asked[int(reel.rng.integers(len(asked)))], []


def _leave(reel: _Reel) -> _Case:
    left = [reel.photo("astronaut", *stay)[1] for stay in _stays(reel)]
    accept = ["left", "leaves", "gone", "nobody", "no one"]
    return "monitoring", "Tell me when the person leaves.", [{"t": t, "accept": accept} for t in left if t < _SECONDS - 3]


def _count(reel: _Reel) -> _Case:
    events: list[dict[str, Any]] = []
    for stay in _stays(reel):
        came, went = reel.photo("astronaut", *stay)
        events += [{"t": came, "accept": ["1 person"]}, {"t": went, "accept": ["no people", "nobody", "0 people"]}]
    return "counting", "Count the people.", [event for event in events if event["t"] < _SECONDS - 3]


def _greet(reel: _Reel) -> _Case:
    events = [{"t": reel.photo("astronaut", *stay)[0], "accept": ["hello", "hi", "welcome"]} for stay in _stays(reel)[:1]]
    return "greeting", "Greet people when they come.", events


def _read(reel: _Reel) -> _Case:
    words = reel.rng.permutation(_WORDS)
    events = [{"t": reel.words(str(word), *stay), "accept": [str(word)]} for word, stay in zip(words, _stays(reel), strict=False)]
    return "reading", "Read the text on the screen aloud.", events


def _price(reel: _Reel) -> _Case:
    events = []
    for stay in _stays(reel):
        price = f"{int(reel.rng.integers(2, 90))}.{int(reel.rng.integers(10, 99))}"
        events.append({"t": reel.words(f"${price}", *stay), "accept": [price]})
    reel.words(str(reel.rng.choice(_WORDS)), 1.0, 12.0)
    return "reading", "Tell me when a price appears.", events


_KINDS: dict[str, Callable[[_Reel], _Case]] = {
    "appear": _appear, "absent": _absent, "leave": _leave, "count": _count, "greet": _greet, "read": _read, "price": _price,
}  # fmt: skip
