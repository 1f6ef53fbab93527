"""What happens in an episode, by kind: each family puts things on the stage and writes what is asked and what should be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from joyvl_app.dialect.tokens import DELEGATION
from joyvl_app.errors import BadInput
from joyvl_app.evals.cases import Capability
from joyvl_app.train import wording as w
from joyvl_app.train.dense import ask_now, flash, glimpses, remind, timers
from joyvl_app.train.script import Script, pick
from joyvl_app.train.staging import Presence, Stage
from joyvl_app.train.talks import Line
from joyvl_app.train.worlds import CLASSES

SEE = "see"  # the family that seeing is learned from
TIMERS = "timers"  # the one that telling the time is learned from


def _start(stage: Stage) -> float:
    """When the instruction is given: mostly at once."""
    return float(stage.rng.integers(2, 7)) if stage.rng.random() < 0.25 else 0.0


def _comings(stage: Stage, target: tuple[str, ...], since: float, share: float, but: tuple[str, ...] = ()) -> list[Presence]:
    """Things come and go from `since` to the end, a `share` of them targets, the rest others and strangers; the targets."""
    rng = stage.rng
    t, targets = since + float(rng.uniform(1.5, 5)), list[Presence]()
    while t < stage.seconds - 4:
        if rng.random() < share:
            presence = stage.enter(str(rng.choice(target)), round(t, 1), round(min(t + rng.uniform(2.5, 6), stage.seconds), 1))
            if presence:
                targets.append(presence)
                t = presence.to
        else:
            others = stage.world.strangers if rng.random() < 0.4 else tuple(set(CLASSES) - {*target, *but})
            other = str(rng.choice(sorted(others) or stage.world.strangers))
            stage.enter(other, round(t, 1), round(min(t + rng.uniform(2.5, 9), stage.seconds), 1))
        t += float(rng.uniform(0.7, 4))
    return targets


def _alert(stage: Stage, script: Script) -> None:
    thing, since = pick(stage), _start(stage)
    script.ask(since, w.one_of(stage.rng, w.ALERT, x=thing))
    for p in _comings(stage, (thing,), since, 0.4):
        script.say(p.since, w.SEEN.format(x=thing), thing)


def _either(stage: Stage, script: Script) -> None:
    one = pick(stage)
    other = pick(stage, (one,))
    script.ask(0.0, w.one_of(stage.rng, w.EITHER, x=one, y=other))
    for p in _comings(stage, (one, other), 0.0, 0.45):
        script.say(p.since, w.SEEN.format(x=p.thing), p.thing)


def _greet(stage: Stage, script: Script) -> None:
    script.ask(0.0, w.one_of(stage.rng, w.GREET))
    for p in _comings(stage, ("person",), 0.0, 0.45):
        script.say(p.since, w.HELLO, "hello")


def _gone(stage: Stage, script: Script) -> None:
    thing = pick(stage)
    script.ask(0.0, w.one_of(stage.rng, w.GONE, x=thing))
    for p in _comings(stage, (thing,), 0.0, 0.4):
        if p.to < stage.seconds - 1:
            script.say(p.to, w.LEFT.format(x=thing), "gone")


def _count(stage: Stage, script: Script) -> None:
    thing = pick(stage)
    script.ask(0.0, w.one_of(stage.rng, w.COUNT, x=thing))
    for number, p in enumerate(_comings(stage, (thing,), 0.0, 0.75)[:10], start=1):
        script.say(p.since, f"{w.NUMBERS[number]}.", str(number))


def _numbers(stage: Stage, wanted: str = "") -> list[Presence]:
    rng, t, shown = stage.rng, float(stage.rng.uniform(1.5, 4)), list[Presence]()
    while t < stage.seconds - 3:
        last = shown[-1].thing if shown else ""
        digit = wanted if wanted and wanted != last and rng.random() < 0.3 else str(rng.integers(10))
        if digit != last:
            presence = stage.number(digit, round(t, 1), round(min(t + rng.uniform(2.2, 5), stage.seconds), 1))
            if presence:
                shown.append(presence)
                t = presence.to
        if rng.random() < 0.3:
            stage.enter(pick(stage), round(t + 0.3, 1), round(min(t + rng.uniform(2, 6), stage.seconds), 1))
        t += float(rng.uniform(0.0, 2.5))
    return shown


def _read(stage: Stage, script: Script) -> None:
    script.ask(0.0, w.one_of(stage.rng, w.READ))
    for p in _numbers(stage):
        script.say(p.since, f"{p.thing}.", p.thing)


def _find(stage: Stage, script: Script) -> None:
    wanted = str(stage.rng.integers(10))
    script.ask(0.0, w.one_of(stage.rng, w.FIND, x=wanted))
    for p in _numbers(stage, wanted):
        if p.thing == wanted:
            script.say(p.since, w.FOUND.format(x=wanted), wanted)


def _remind(stage: Stage, script: Script) -> None:
    """Once or twice: the second only after the first has rung."""
    rng, t = stage.rng, float(stage.rng.integers(0, 4))
    _comings(stage, (pick(stage),), 0.0, 0.3)
    while True:
        often = stage.world.varied and rng.random() < 0.6  # more to learn from
        seconds = int(rng.integers(2, 10) if often else rng.integers(3, 21))
        if t + seconds > stage.seconds - 2:
            break
        remind(stage, script, t, seconds)
        t += seconds + int(rng.integers(1, 3) if often else rng.integers(2, 6))
    if not script.questions:
        remind(stage, script, 0.0, 5)


def _every(stage: Stage, script: Script) -> None:
    since, period = int(_start(stage)), int(stage.rng.integers(3, 11))
    _comings(stage, (pick(stage),), 0.0, 0.3)
    script.ask(float(since), w.one_of(stage.rng, w.EVERY, n=period))
    for t in range(since + period, stage.seconds - 1, period):
        script.say(float(t), w.GO, "go")


def _comment(stage: Stage, script: Script) -> None:
    script.ask(0.0, w.one_of(stage.rng, w.COMMENT))
    for p in _comings(stage, CLASSES, 0.0, 0.75):
        script.say(p.since, w.COMES.format(x=p.thing), p.thing)


def _moments(stage: Stage, least: float) -> list[float]:
    """A few whole seconds at which something may be asked, well apart."""
    rng, t, times = stage.rng, least, []
    while (t := t + int(rng.integers(4, 10))) < stage.seconds - 2:
        times.append(t)
    return times


def _memory(stage: Stage, script: Script) -> None:
    rng = stage.rng
    _comings(stage, tuple(rng.choice(CLASSES, 3, replace=False)), 0.0, 0.85)
    for t in _moments(stage, 5.0):
        seen = [p.thing for p in sorted(stage.there, key=lambda p: p.since) if p.since <= t and p.thing in CLASSES]
        if seen and rng.random() < 0.3:
            script.ask(t, w.one_of(rng, w.LAST))
            script.say(t, w.WAS.format(x=seen[-1]), seen[-1])
            continue
        thing = str(rng.choice(seen)) if seen and rng.random() < 0.5 else pick(stage)
        script.ask(t, w.one_of(rng, w.DID, x=thing))
        script.say(t, (w.YES if thing in seen else w.NO).format(x=thing), "yes" if thing in seen else "no")


def _now(stage: Stage, script: Script) -> None:
    _comings(stage, CLASSES, 0.0, 0.8)
    for t in _moments(stage, -2.0):
        ask_now(stage, script, t, 0.6)


def _delegate(stage: Stage, script: Script) -> None:
    """A hard question, a holding sentence, and the result passed on when it comes."""
    rng, t = stage.rng, float(stage.rng.integers(0, 5))
    _comings(stage, (pick(stage),), 0.0, 0.3)
    while t < stage.seconds - 12:
        question = w.one_of(rng, w.HARD, x=pick(stage))
        script.ask(t, question)
        script.say(t, f"{w.one_of(rng, w.HOLD)} {DELEGATION} {question}")
        back = t + int(rng.integers(3, 9))
        answer = w.one_of(rng, w.RESULT, n=int(rng.integers(2, 100)))
        script.results.append(Line(back, answer))
        script.say(back, answer, answer)
        t = back + int(rng.integers(4, 10))


def _quiet(stage: Stage, script: Script) -> None:
    """Nothing that is asked for ever comes: other things, strangers, changing light."""
    rng, thing = stage.rng, pick(stage)
    asked = (w.one_of(rng, w.ALERT, x=thing), w.one_of(rng, w.COUNT, x=thing), w.one_of(rng, w.GONE, x=thing))
    script.ask(0.0, asked[int(rng.integers(3))])
    if rng.random() < 0.8:
        _comings(stage, ("nobody",), 0.0, 0.0, (thing,))


@dataclass(frozen=True)
class Family:
    """`share` of the episodes of all worlds, `trained` of those that are trained on besides. Some have a length of their own
    (`seconds`, from the first to below the last), show nothing that matters (`empty`), or begin with the session (`timed`).
    """

    write: Callable[[Stage, Script], None]
    capability: Capability
    share: float
    trained: float = 0.0
    seconds: tuple[int, int] | None = None
    empty: bool = False
    timed: bool = False


FAMILIES: dict[str, Family] = {
    "alert": Family(_alert, "monitoring", 0.18),
    "either": Family(_either, "monitoring", 0.06, trained=0.08),
    "greet": Family(_greet, "greeting", 0.05),
    "gone": Family(_gone, "monitoring", 0.06, trained=0.1),
    "count": Family(_count, "counting", 0.12, trained=0.08),
    "read": Family(_read, "reading", 0.08),
    "find": Family(_find, "reading", 0.05, trained=0.1),
    "remind": Family(_remind, "time", 0.10, trained=0.05, timed=True),
    "every": Family(_every, "time", 0.06, timed=True),
    "comment": Family(_comment, "commentary", 0.07, trained=0.2),
    "memory": Family(_memory, "memory", 0.06, trained=0.08),
    "now": Family(_now, "memory", 0.03),
    "delegate": Family(_delegate, "delegation", 0.05),
    "quiet": Family(_quiet, "monitoring", 0.03, trained=0.15),
    "flash": Family(flash, "monitoring", 0.0, trained=1.0),
    TIMERS: Family(timers, "time", 0.0, trained=0.25, seconds=(30, 61), empty=True, timed=True),
    SEE: Family(glimpses, "memory", 0.0, trained=0.3, seconds=(12, 13), timed=True),
}


def check_family(name: str | None) -> None:
    """Raises BadInput, with the names that there are, when there is no such family; None is any."""
    if name and name not in FAMILIES:
        raise BadInput(f"There is no family '{name}'. Choose from: {', '.join(FAMILIES)}.")
