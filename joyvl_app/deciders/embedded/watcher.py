"""The embedded watcher: looks → scene → rules → one decision a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from joyvl_app.deciders.base import PlainWatcher
from joyvl_app.deciders.embedded.board import Reading
from joyvl_app.deciders.embedded.grammar import parse_instruction
from joyvl_app.deciders.embedded.phrases import phrase, sentences, shortened
from joyvl_app.deciders.embedded.questions import answer
from joyvl_app.deciders.embedded.rules import (
    AppearRule,
    CountRule,
    ExpressRule,
    GreetRule,
    LeaveRule,
    Rule,
    Urge,
)
from joyvl_app.deciders.embedded.scene import Scene
from joyvl_app.deciders.embedded.screen_rules import ReadRule, SlideRule, SpotRule, TimerRule
from joyvl_app.deciders.embedded.specs import (
    Appear,
    Ask,
    Count,
    Express,
    Greet,
    Leave,
    Read,
    Slides,
    Spec,
    Spot,
    Timer,
    Unknown,
)
from joyvl_app.deciders.embedded.understood import understood
from joyvl_app.deciders.embedded.words import is_chinese
from joyvl_app.domain import Box, Decision, Delegate, Evidence, Frame, Moment, Respond, Silence, acts
from joyvl_app.perception.eyes import Eyes, Nets
from joyvl_app.perception.motion import Grey, fine, rewritten
from joyvl_app.perception.reader import Reader, read_region, region_to_read, same_text
from joyvl_app.ports import Clock
from joyvl_app.worker import Worker

T = TypeVar("T")
_READ_AGAIN = 0.9  # seconds between readings: one a second
_READ_ANYWAY = 5.0  # seconds between readings when no rule asks for text: questions about it must find something
_STILL_SECONDS = 0.5
_IN_DOUBT = 0.25  # the probability from which a silence may soon be over
_HURRY_EVERY = 0.7  # seconds between decisions ahead of their time
_UNREAD = 0.0015  # share of the picture that may differ before it is read again


class EmbeddedWatcher(PlainWatcher):
    """One session. Detection runs within the decision; text is read behind it and believed a second later."""

    def __init__(self, nets: Nets, reader: Reader, seeing: Worker, reading: Worker, clock: Clock) -> None:
        super().__init__()
        self._nets, self._reader, self._clock = nets, reader, clock
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seeing, self._reading = seeing, reading
        self.reset()

    def reset(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._eyes = Eyes(self._nets)
        self._scene = Scene()
        self._scene.motion = self._eyes.motion
        self._rules: dict[Spec, Rule] = {}
        self._given: tuple[str, float] | None = None
        self._told: set[str] = set()
        self._pending: list[Urge] = []
        self._asked: list[Ask] = []
        self._read_task: asyncio.Task[Reading] | None = None
        self._last_read: Reading | None = None
        self._again: asyncio.Task[None] | None = None
        self._hurried = -_HURRY_EVERY

    def understood(self, instruction: str, language: str) -> str:
        zh = is_chinese(instruction) or (language == "zh" and not instruction)
        return understood(parse_instruction(instruction), zh)

    async def decide(self, moment: Moment) -> Decision:
        self._follow(moment)
        for frame in moment.frames:
            self._scene.observe(await self._seeing.run(lambda frame=frame: self._eyes.look(frame)))  # type: ignore[misc]
        self._scene.forget_present(moment.t)
        self._take_in_reading()
        if self._again and self._again.done():
            again, self._again = self._again, None
            again.result()  # its fault is this second's
        if moment.frames:
            self._read_ahead(moment.frames[-1], moment.t)
        decision = self._choose(moment)
        if self._eyes.in_doubt and not self._again:
            self._again = self._behind(self._look_again())
        if isinstance(decision, Silence) and decision.p_act >= _IN_DOUBT:
            self._decide_soon(moment.t)
        return decision

    async def aclose(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _behind(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that goes on behind the decisions."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look_again(self) -> None:
        """Between two decisions: what a second view confirms deserves a decision at once."""
        if await self._seeing.run(self._eyes.look_again):
            self.news.set()

    def _decide_soon(self, t: float) -> None:
        """Something may have begun: the look that settles it need not wait for the next second."""
        if t - self._hurried >= _HURRY_EVERY:
            self._hurried = t
            self._behind(self._ask_at(self._clock.now() + _STILL_SECONDS))

    async def _ask_at(self, t: float) -> None:
        await self._clock.sleep_until(t)
        self.news.set()

    # --- instruction → rules ---------------------------------------------------------------------------------------

    def _follow(self, moment: Moment) -> None:
        """Rules for a changed instruction; a rule that stays keeps what it already announced."""
        given = (moment.instruction, moment.instruction_t)
        if given == self._given:
            return
        again = self._given is not None and given[0] == self._given[0]
        self._given = given
        if again:  # the same words once more: a reminder that has rung, a question that was answered
            self._told.clear()
            self._rules = {spec: rule for spec, rule in self._rules.items() if not isinstance(spec, Timer)}
        specs = parse_instruction(moment.instruction)
        self._rules = {spec: self._rules.get(spec) or _rule(spec, moment.t) for spec in specs if type(spec) in _RULES}
        self._asked += [spec for spec in specs if isinstance(spec, Ask) and self._tell_once(spec.question)]
        self._pending = [self._refusal(spec) for spec in specs if isinstance(spec, Unknown) and self._tell_once(spec.clause)]

    def _tell_once(self, clause: str) -> bool:
        new = clause not in self._told
        if len(self._told) < 500:
            self._told.add(clause)
        return new

    def _refusal(self, spec: Unknown) -> Urge:
        text = phrase(f"cannot_{spec.reason}", spec.zh, clause=shortened(spec.clause))
        return Urge(1.0, text, lambda: None)

    # --- text, behind the decision ---------------------------------------------------------------------------------

    def _take_in_reading(self) -> None:
        if self._read_task and self._read_task.done():
            task, self._read_task = self._read_task, None
            reading, now = task.result(), self._scene.now
            self._last_read = reading
            if now:
                self._scene.board.observe(reading, now.thumbnail)

    def _read_ahead(self, frame: Frame, t: float) -> None:
        """Start reading this second's picture, unless one is being read or nothing to read has changed."""
        look, last = self._scene.now, self._last_read
        if self._read_task or look is None:
            return
        if last and t - last.t < (_READ_AGAIN if self._wants_text() else _READ_ANYWAY):
            return
        unchanged = last and self._eyes.motion.differs(look.thumbnail, last.thumbnail) < _UNREAD
        if unchanged and self._settled() and not self._rewritten(frame):
            return
        region = None
        if last and not unchanged and (changed := self._eyes.motion.changed_region(look.thumbnail, last.thumbnail)):
            region = region_to_read(changed, (entry.line.box for entry in self._scene.board.entries))
        self._read_task = self._behind(self._read(frame, look.thumbnail, region))

    def _wants_text(self) -> bool:
        return any(isinstance(spec, Read | Spot | Slides | Timer) for spec in self._rules)

    def _rewritten(self, frame: Frame) -> bool:
        """Whether a known text has other strokes now: a single digit is too small for the thumbnail."""
        then, entries = self._last_read.fine if self._last_read else None, self._scene.board.entries
        if then is None or not entries:
            return False
        now = fine(frame.image)
        return now.shape == then.shape and any(rewritten(now, then, entry.line.box) for entry in entries)

    def _settled(self) -> bool:
        return all(entry.sure and not entry.missed for entry in self._scene.board.entries)

    async def _read(self, frame: Frame, thumbnail: Grey, region: Box | None) -> Reading:
        began = self._clock.now()
        lines = await self._reading.run(lambda: read_region(self._reader, frame.image, region))
        known = [entry.text for entry in self._scene.board.entries if entry.sure]
        if self._wants_text() and any(not any(same_text(line.text, text) for text in known) for line in lines):
            # Long enough for a fade to show that it is one: half-faded readings must not be believed.
            await self._clock.sleep_until(began + _STILL_SECONDS)
            self.news.set()
        return Reading(frame.t, lines, thumbnail, region, fine(frame.image) if self._wants_text() else None)

    # --- urges → decision ------------------------------------------------------------------------------------------

    def _choose(self, moment: Moment) -> Decision:
        evidence = self._scene.evidence()
        if (reply := self._reply(moment, evidence)) is not None:
            return reply
        urges = [*self._pending, *(urge for rule in self._rules.values() if (urge := rule.urge(self._scene, moment.t)))]
        urges += [Urge(0.9, found.digest, lambda: None) for found in moment.answers if not moment.speaking]
        p_act = max((urge.p for urge in urges), default=0.02)
        ripe = (urge for urge in urges if urge.ripe and acts(urge.p, moment.sensitivity))
        ready = sorted(ripe, key=lambda urge: (-urge.urgent, -urge.p))
        if not ready:
            return Silence(p_act, evidence)
        return self._speak(ready, p_act, evidence)

    def _speak(self, ready: list[Urge], p_act: float, evidence: Evidence) -> Respond:
        """Everything that is due, most urgent first, in one turn."""
        for urge in ready:
            urge.commit()
        self._pending = []
        texts = list(dict.fromkeys(urge.text for urge in ready))
        boxes = _merged(evidence.boxes, [box for urge in ready for box in urge.boxes])
        why = Evidence(boxes, evidence.texts, (*evidence.tags, ("certainty", p_act)))
        return Respond(sentences(texts), p_act, why, any(urge.urgent for urge in ready))

    def _reply(self, moment: Moment, evidence: Evidence) -> Decision | None:
        """The answer to what was just asked: from the evidence, or delegated when it needs a mind."""
        questions = [heard.text for heard in moment.heard if heard.role == "user"]
        questions += [spec.question for spec in self._asked]
        self._asked = []
        if not questions:
            return None
        answers = [answer(question, self._scene, moment.t) for question in questions]
        known = sentences(list(dict.fromkeys(text for text in answers if text)))
        open_questions = [question for question, text in zip(questions, answers, strict=True) if text is None]
        if open_questions:
            zh = is_chinese(open_questions[0])
            note = f"{known} {phrase('thinking', zh)}".strip()
            return Delegate(" ".join(open_questions), note, 0.95, evidence)
        return Respond(known, 0.97, evidence)


_RULES: dict[type[Any], Callable[[Any], Rule]] = {
    Appear: AppearRule,
    Leave: LeaveRule,
    Count: CountRule,
    Read: ReadRule,
    Spot: SpotRule,
    Slides: SlideRule,
    Greet: GreetRule,
    Express: ExpressRule,
    Timer: lambda spec: TimerRule(spec, 0.0),
}


def _rule(spec: Spec, t: float) -> Rule:
    return TimerRule(spec, t) if isinstance(spec, Timer) else _RULES[type(spec)](spec)


def _merged(shown: tuple[Box, ...], more: list[Box]) -> tuple[Box, ...]:
    return tuple(dict.fromkeys((*shown, *more)))[:40]
