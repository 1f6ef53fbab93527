"""Families with dense labels: scenes that last a second or two, from which a fresh model learns to see and to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from joyvl_app.train import wording as w
from joyvl_app.train.script import Script, pick
from joyvl_app.train.staging import Presence, Stage
from joyvl_app.train.worlds import CLASSES

_MOST_COUNTED = len(w.NUMBERS) - 1
_LONGEST_BEAT = 10  # seconds
_STANDING = 0.4  # share of the glimpses with an instruction in place of a question


def glimpses(stage: Stage, script: Script) -> None:
    """Dense labels: another scene each second, and a question about it. What seeing is learned from."""
    rng = stage.rng
    for second in range(stage.seconds):
        t = float(second)
        for _ in range(int(rng.choice((0, 1, 2, 2, 3, 3)))):
            kind = rng.random()
            if kind < 0.25:
                _show(stage, str(rng.integers(10)), t, t + 1)
            else:
                _show(stage, str(rng.choice(stage.world.strangers)) if kind < 0.4 else pick(stage), t, t + 1)
        if rng.random() < _STANDING:
            _watch_now(stage, script, t)
        else:
            ask_now(stage, script, t, 0.5)


def _watch_now(stage: Stage, script: Script, t: float) -> None:
    """A standing instruction for this second alone: to be answered at once, or not at all."""
    rng = stage.rng
    seen = _named(stage, t)
    absent = _digit(stage, seen) if rng.random() < 0.2 else pick(stage, tuple(seen))
    thing = str(rng.choice(seen)) if seen and rng.random() < 0.5 else absent
    script.ask(t, w.one_of(rng, w.FIND if thing.isdigit() else w.ALERT, x=thing))
    if thing in seen:
        script.say(t, _sighted(thing), thing)


def _named(stage: Stage, t: float) -> list[str]:
    return [thing for thing in stage.at(t) if thing in CLASSES or thing.isdigit()]


def ask_now(stage: Stage, script: Script, t: float, listing: float) -> None:
    """A question about what can be seen at second `t`, and its answer: what there is (a share `listing`), or if a thing is."""
    rng = stage.rng
    seen = _named(stage, t)
    things = [thing for thing in seen if thing in CLASSES]
    if rng.random() < listing:
        script.ask(t, w.one_of(rng, w.NOW))
        script.say(t, w.listed(seen), *(seen or ["nothing"]))
    else:
        thing = str(rng.choice(things)) if things and rng.random() < 0.5 else pick(stage)
        script.ask(t, w.one_of(rng, w.IS_THERE, x=thing))
        script.say(t, (w.THERE if thing in seen else w.NOT_THERE).format(x=thing), "yes" if thing in seen else "no")


def flash(stage: Stage, script: Script) -> None:
    """Dense labels for a standing instruction: most seconds show another scene, and many of them what was asked for. Two or three
    appearances in half a minute do not teach a fresh model to compare what it sees with what it was told.
    """
    rng, last = stage.rng, list[str]()
    watch = _watchword(stage)
    script.ask(0.0, watch.asked)
    t, said, most = 1.0, 0, _MOST_COUNTED if watch.tells == "number" else stage.seconds
    while t < stage.seconds:
        many = int(rng.choice((0, 1, 1, 2)))
        wanted = rng.random() < 0.45 and not set(last) & set(watch.targets) and said < most
        scene = [_other(stage, watch.targets) for _ in range(many)] + ([str(rng.choice(watch.targets))] if wanted else [])
        stays = float(rng.choice((1.0, 1.0, 1.0, 2.0)))
        before = last
        last = [p.thing for thing in scene if (p := _show(stage, thing, t, min(t + stays, float(stage.seconds))))]
        for thing in watch.targets:
            if thing in (set(before) - set(last) if watch.tells == "leaving" else last):
                said += 1
                script.say(t, *_told(watch, thing, said))
        t += stays


def timers(stage: Stage, script: Script) -> None:
    """Dense labels for the time: one timer after the other, on pictures that show nothing and cost next to nothing. A reminder
    now and then, among much else to learn, does not teach a fresh model to add.
    """
    rng, t = stage.rng, int(stage.rng.integers(0, 4))
    while True:
        seconds = int(rng.integers(2, 11) if rng.random() < 0.4 else rng.integers(11, 21))  # long ones are harder
        fit = (stage.seconds - 2 - t) // seconds
        if fit < 1:
            return
        rings = 1
        if seconds <= _LONGEST_BEAT and rng.random() < 0.4:
            script.ask(float(t), w.one_of(rng, w.EVERY, n=seconds))
            rings = min(fit, int(rng.integers(1, 5)))
            for ring in range(1, rings + 1):
                script.say(float(t + ring * seconds), w.GO, "go")
        else:
            remind(stage, script, float(t), seconds)
        t += rings * seconds + int(rng.integers(1, min(4, seconds)))  # before a beat would ring again


def remind(stage: Stage, script: Script, t: float, seconds: int) -> None:
    """A timer that is set at `t`, and rings."""
    script.ask(t, w.one_of(stage.rng, w.REMIND, n=seconds))
    script.say(t + seconds, w.OVER.format(n=seconds), "over")


@dataclass(frozen=True)
class _Watch:
    """What is asked for, the one or two things that are meant, and what is to be told of them."""

    asked: str
    targets: tuple[str, ...]
    tells: Literal["sight", "number", "leaving", "hello"] = "sight"


def _watchword(stage: Stage) -> _Watch:
    rng = stage.rng
    one = pick(stage)
    kind = rng.random()
    if kind < 0.36:
        return _Watch(w.one_of(rng, w.ALERT, x=one), (one,))
    if kind < 0.46:
        other = pick(stage, (one,))
        return _Watch(w.one_of(rng, w.EITHER, x=one, y=other), (one, other))
    if kind < 0.56:
        return _Watch(w.one_of(rng, w.COUNT, x=one), (one,), "number")
    if kind < 0.74:
        return _Watch(w.one_of(rng, w.GONE, x=one), (one,), "leaving")
    if kind < 0.79:
        return _Watch(w.one_of(rng, w.GREET), ("person",), "hello")
    digit = str(rng.integers(10))
    return _Watch(w.one_of(rng, w.FIND, x=digit), (digit,))


def _told(watch: _Watch, thing: str, number: int) -> tuple[str, str]:
    """What is said of it, and what has to be in it."""
    if watch.tells == "hello":
        return w.HELLO, "hello"
    if watch.tells == "number":
        return f"{w.NUMBERS[number]}.", str(number)
    if watch.tells == "leaving":
        return w.LEFT.format(x=thing), "gone"
    return _sighted(thing), thing


def _sighted(thing: str) -> str:
    return (w.FOUND if thing.isdigit() else w.SEEN).format(x=thing)


def _other(stage: Stage, targets: tuple[str, ...]) -> str:
    kind = stage.rng.random()
    if kind < 0.2:
        return str(stage.rng.choice(stage.world.strangers))
    if kind < 0.35:
        return _digit(stage, targets)
    return pick(stage, targets)


def _digit(stage: Stage, but: Sequence[str]) -> str:
    return str(stage.rng.choice([digit for digit in "0123456789" if digit not in but]))


def _show(stage: Stage, thing: str, since: float, to: float) -> Presence | None:
    enter = stage.number if thing.isdigit() else stage.enter
    return enter(thing, since, to, at_once=True)
