"""One watched stream: every second a Moment goes to the decider, and its decision becomes speech or a delegation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from joyvl_app.deciding import Deciding
from joyvl_app.delegations import Delegations, Limits
from joyvl_app.domain import Decision, Delegate, Delegation, Frame, Moment, Respond, Silence, Transcript
from joyvl_app.errors import JoyError
from joyvl_app.event_log import EventLog
from joyvl_app.events import (
    DeciderChanged,
    Draft,
    Event,
    Heard,
    Instruction,
    Spoken,
    TickLate,
    Unparsed,
    decided,
)
from joyvl_app.inbox import Inbox
from joyvl_app.intent import Intent
from joyvl_app.mailbox import Looks
from joyvl_app.parts import Controls, Parts
from joyvl_app.ports import Clock, Decider
from joyvl_app.settings import Settings
from joyvl_app.status import Status
from joyvl_app.ticks import Grid, sleep_or_wake
from joyvl_app.voice import Voice


class Session:
    """Feed it with `see` and `voice.listen`, steer it with `instruct`, `hear`, `pause` …; `run` turns seconds into events."""

    def __init__(self, session_id: str, parts: Parts, controls: Controls, clock: Clock, log: EventLog, settings: Settings):
        self.id = session_id
        self.controls = controls
        self.clock = clock
        self.log = log
        self.ready = asyncio.Event()  # set once the decider is warm and the first second may begin
        self._parts, self._settings = parts, settings
        self._looks = Looks(settings.looks_per_tick)
        self._inbox = Inbox(controls, clock, self._emit, settings.inbox_max)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._status = Status(clock, self._emit)
        self._resumed_at = self._floor_free_at = 0.0
        self._deciding = Deciding(session_id, parts.decider, self, parts.fallback)
        self._shown: Moment | None = None
        self._switching: asyncio.Task[None] | None = None
        self.voice = Voice(parts, controls, clock, settings, self._status, self._emit, self.log.show, self._hear)
        self.memory = parts.memory
        self.memory.tell, self.memory.emit = self.tell, self._emit
        log.follow(self.memory.take)
        self.delegations = Delegations(parts.brain, self.memory, clock, self._emit, self._wake.set, Limits.of(settings))

    # --- what comes in -------------------------------------------------------------------------------------------

    def see(self, frame: Frame) -> None:
        if self._looks.newest is None:
            self._wake.set()  # the first picture starts the first second
        if not self.controls.paused:
            self._looks.put(frame)

    def instruct(self, text: str, again: bool = False) -> None:
        """Replace the standing instruction; with `again` the same words count as given anew (a reminder that has rung).

        Raises BadInput when it is too long; the old one then stays.
        """
        self._inbox.instruct(text, again)
        self.delegations.topic_moved()

    def hear(self, text: str) -> Intent:
        """Take in one typed sentence; a command acts at once, everything else at a decision that starts now."""
        now = self.clock.now()
        return self._hear(Transcript(text, now, now))

    def _hear(self, heard: Transcript) -> Intent:
        intent = self._inbox.hear(heard, self.delegations.offering)
        if intent in (Intent.ASK, Intent.REPLACE, Intent.APPEND, Intent.STOP) and heard.role == "user":
            self.delegations.topic_moved()
        if intent in (Intent.STOP, Intent.QUIET):
            self.interrupt()
        elif intent is Intent.TELL:
            self.tell_answer()
        elif intent in (Intent.ASK, Intent.REPLACE, Intent.APPEND):
            self._wake.set()
        else:
            self.voice.obey(intent)
        return intent

    def interrupt(self) -> None:
        """Stop speaking at once, and writing what was to be spoken; the watch goes on."""
        self.voice.interrupt()
        self._deciding.hush()

    def switch(self, name: str, make: Callable[[], Decider]) -> None:
        """Let another decider decide as soon as it is ready; the present one goes on until then, and stays if it fails."""
        if self._switching:
            self._switching.cancel()
        self._switching = asyncio.create_task(self._switch(name, make))

    def tell_answer(self, delegation_id: str = "") -> None:
        """Say an answer that was only offered."""
        if answer := self.delegations.accepted(delegation_id):
            self.voice.say(answer.digest, self.clock.now(), reply=True)

    def pause(self) -> None:
        self.controls.paused = True
        self.interrupt()
        self.voice.forget()
        self._status.enter("paused")

    def resume(self) -> None:
        self.controls.paused = False
        self._resumed_at = self.clock.now()
        self._status.enter("watching")
        self._wake.set()

    def stop(self) -> None:
        self._deciding.hush()
        self._stopping.set()
        self._wake.set()

    @property
    def newest_frame_t(self) -> float:
        newest = self._looks.newest
        return newest.t if newest else 0.0

    # --- what a watcher may ask of its session ---------------------------------------------------------------------

    def renew(self, moment: Moment) -> Moment:
        """The moment as it is now, with what came in while the decision waited its turn."""
        later = self._moment()
        self._shown = replace(later, frames=later.frames or moment.frames, heard=(*moment.heard, *later.heard))
        return self._shown

    def draft(self, text: str) -> None:
        self.log.show(Draft(t=self.clock.now(), text=text))

    def tell(self, text: str) -> None:
        self._status.tell(text)

    def wrote(self, raw: str, parsed: bool) -> None:
        if not parsed:
            self._emit(Unparsed(t=self.clock.now(), raw=raw))

    # --- the loop ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch until `stop`. The only place where the session's tasks live and end."""
        try:
            await self._warm_up()
            async with asyncio.TaskGroup() as group:
                talking = group.create_task(self.voice.run())
                await self._tick_until_stopped(group)
                self.delegations.close()
                talking.cancel()
        except* JoyError as group_of_errors:
            self._status.enter("error", str(group_of_errors.exceptions[0]))
        finally:
            await self._leave()

    async def _warm_up(self) -> None:
        self._status.enter("warming_up", self._deciding.name)
        await self._deciding.get_ready(self.clock, self._stopping, lambda fault: self._status.enter("error", fault))
        if self._stopping.is_set():
            return
        self._tell_decider()
        if self.controls.instruction:
            self._emit(Instruction(t=self.clock.now(), text=self.controls.instruction))
        self._status.enter("paused" if self.controls.paused else "watching")
        self.ready.set()

    async def _leave(self) -> None:
        self.voice.interrupt()
        if self._switching:
            self._switching.cancel()
        await self._deciding.aclose()
        await self.memory.aclose()
        if self._status.name != "error":
            self._status.enter("stopped")
        self.log.counts["pictures_not_looked_at"] = self._looks.dropped
        self.log.end(self.clock.now())
        await asyncio.to_thread(self.log.flush)

    async def _tick_until_stopped(self, group: asyncio.TaskGroup) -> None:
        grid, skipped = Grid(await self._first_look(), self._settings.tick_seconds), 0
        while not self._stopping.is_set():
            if not self.controls.paused:
                await self._tick(group, skipped)
            now = self.clock.now()
            skipped = grid.advance(now)
            if skipped and not self.controls.paused:
                self._emit(TickLate(t=now, skipped=skipped))
            await sleep_or_wake(self.clock, grid.due, (self._wake, self._deciding.news))

    async def _first_look(self) -> float:
        if self._looks.newest is None:  # blind from the start
            await sleep_or_wake(self.clock, self.clock.now() + self._settings.blind_after, (self._wake,))
        return self.clock.now()

    async def _tick(self, group: asyncio.TaskGroup, skipped: int) -> None:
        moment = self._shown = self._moment()
        newest_t = self._looks.newest.t if self._looks.newest else None
        self._status.see(bool(moment.frames), newest_t, self._resumed_at, self._settings.blind_after)
        began, wall = self.clock.now(), time.perf_counter()
        decision = await self._decide(moment)
        moment = self._shown
        took = max(self.clock.now() - began, time.perf_counter() - wall)
        age = self.clock.now() - moment.frames[-1].t if moment.frames else 0.0
        self._emit(decided(moment.t, decision, took * 1000, age * 1000, skipped))
        if fault := self.log.take_error():
            self.tell(f"From here on, {fault}.")
        if fault := self.memory.take_fault():
            self.tell(fault)
        self.memory.observe(moment, decision)
        self._act(decision, moment, group)
        self.voice.decided(bool(moment.heard))

    def _moment(self) -> Moment:
        controls, now = self.controls, self.clock.now()
        fresh = tuple(look for look in self._looks.take() if now - look.t < self._settings.blind_after)
        return Moment(
            t=round(now, 3),
            frames=fresh,
            instruction=controls.instruction,
            instruction_t=self._inbox.instructed_at,
            heard=self._inbox.take(),
            answers=self.delegations.unsaid,
            context=self.memory.context(),
            chunk_id=self.memory.chunk_id,
            speaking=self.voice.speaking,
            sensitivity=controls.sensitivity,
            language=controls.language,
            persona=controls.persona,
            mute=self._settings.require_instruction and not self._inbox.asked,
        )

    async def _decide(self, moment: Moment) -> Decision:
        """The one funnel for a decider's faults: a failed second is a silent one, and the watch goes on."""
        try:
            self._explain_instruction()
            decision = await self._deciding.decide(moment)
        except JoyError as error:
            self._status.enter("error", str(error))
            return Silence()
        except Exception as error:  # a plug-in's fault must not end the watch
            self._status.enter("error", f"The decider failed on this second ({type(error).__name__}: {error}); it goes on.")
            return Silence()
        if self._status.name == "error":
            self._status.enter("watching")
        decided_on = self._shown or moment  # by then something may have been asked
        return Silence(decision.p_act, decision.evidence) if decided_on.mute else decision

    def _explain_instruction(self) -> None:
        if self._inbox.changed:
            self._inbox.changed = False
            if understood := self._deciding.understood(self.controls.instruction, self.controls.language):
                self.tell(understood)

    async def _switch(self, name: str, make: Callable[[], Decider]) -> None:
        if await self._deciding.switch(name, make):
            self._inbox.changed = True  # the new one says what it makes of it
        self._tell_decider()

    def _tell_decider(self) -> None:
        self.memory.summarize_with(self._deciding.summarizer)
        self._emit(DeciderChanged(t=self.clock.now(), name=self._deciding.name, detail=self._deciding.about))

    def _act(self, decision: Decision, moment: Moment, group: asyncio.TaskGroup) -> None:
        t, reply = moment.t, bool(moment.heard)
        if isinstance(decision, Respond):
            self.voice.say(decision.text, t, decision.urgent, reply)
        elif isinstance(decision, Delegate):
            if decision.note:
                self.voice.say(decision.note, t, decision.urgent, reply)
            asked = " ".join(heard.text for heard in moment.heard if heard.role == "user")
            task = Delegation("", decision.question, moment.t, asked, moment.instruction, moment.language)
            self.delegations.submit(task, group)
        elif self.voice.floor_free and (answer := self.delegations.overdue(self._settings.answer_wait, self._floor_free_at)):
            self.voice.say(answer.digest, t)

    def _emit(self, event: Event) -> None:
        self.log.append(event)
        if isinstance(event, Spoken | Heard):
            self._floor_free_at = event.t_end
        if isinstance(event, Spoken) and not event.cut:
            self.delegations.was_said(event.text)
