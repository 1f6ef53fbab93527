"""One watched stream: every second a Moment goes to the decider, and its decision becomes speech or a delegation."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress

from joyvl_app.delegations import Delegations
from joyvl_app.domain import Decision, Delegate, Frame, Moment, Respond, Role, Silence, Transcript
from joyvl_app.errors import BadInput, Busy, JoyError
from joyvl_app.event_log import EventLog
from joyvl_app.events import Chunk, DelegationChanged, Event, Heard, Instruction, Spoken, State, StateName, TickLate, decided
from joyvl_app.intent import Intent, classify, without_also
from joyvl_app.mailbox import AudioQueue, Looks
from joyvl_app.parts import Controls, Parts
from joyvl_app.ports import Clock, Watcher
from joyvl_app.scenario import MAX_INSTRUCTION, check_instruction
from joyvl_app.settings import Settings
from joyvl_app.speech import Speech, Utterance
from joyvl_app.ticks import Grid, sleep_or_wake

_RECENT = 200  # events a brain may look back on
_AUDIO_OUT_SECONDS = 30.0


class Session:
    """Feed it with `see`, steer it with `instruct`, `hear`, `pause` …, and let `run` turn seconds into events."""

    def __init__(self, session_id: str, parts: Parts, controls: Controls, clock: Clock, log: EventLog, settings: Settings):
        self.id = session_id
        self.controls = controls
        self.clock = clock
        self.log = log
        self.ready = asyncio.Event()  # set once the decider is warm and the first second may begin
        self.audio_out = AudioQueue(_AUDIO_OUT_SECONDS)
        self._parts, self._settings = parts, settings
        self._looks = Looks(settings.looks_per_tick)
        self._heard: deque[Transcript] = deque(maxlen=settings.inbox_max)
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._state: tuple[StateName, str] = ("stopped", "")
        self._recent: deque[Event] = deque(maxlen=_RECENT)
        self._asked = bool(controls.instruction.strip())
        self._changed_instruction = True
        self._resumed_at = self._instructed_at = self._floor_free_at = 0.0
        self._told_write_error = False
        self._watcher: Watcher | None = None
        self._speech = Speech(clock, self._emit, parts.synthesizer, self.audio_out)
        self._delegations = Delegations(
            parts.brain, self, clock, self._emit, self._wake.set,
            at_most=settings.delegations_max, seconds=settings.delegation_seconds, card_chars=settings.answer_chars,
        )  # fmt: skip

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
        text = "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())
        check_instruction(text)
        if text != self.controls.instruction or again:
            self.controls.instruction = text
            self._instructed_at = self.clock.now()
            self._changed_instruction = True
            self._asked = self._asked or bool(text)
            self._emit(Instruction(t=self.clock.now(), text=text))

    def hear(self, text: str, t_start: float | None = None, t_end: float | None = None, role: Role = "user") -> Intent:
        """Take in one typed or spoken sentence; a command acts at once, everything else at a decision that starts now."""
        text = " ".join(text.split())
        if not text or len(text) > MAX_INSTRUCTION:
            raise BadInput(f"A sentence must have between 1 and {MAX_INSTRUCTION} characters.")
        if len(self._heard) == self._heard.maxlen:
            raise Busy("Too many sentences are waiting; let me catch up for a second.")
        now = self.clock.now()
        heard = Transcript(text, now if t_start is None else t_start, now if t_end is None else t_end, role)
        intent = classify(text) if role == "user" else Intent.ASK
        self._carry_out(intent, heard)
        self._wake.set()
        return intent

    def interrupt(self) -> None:
        """Stop speaking at once; the watch goes on."""
        self._speech.interrupt()

    def cancel_delegation(self, delegation_id: str) -> None:
        self._delegations.cancel(delegation_id)

    def pause(self) -> None:
        self.controls.paused = True
        self._speech.interrupt()
        self._enter("paused")

    def resume(self) -> None:
        self.controls.paused = False
        self._resumed_at = self.clock.now()
        self._enter("watching")
        self._wake.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def recent(self, seconds: float) -> list[str]:
        """What was said, asked and told in the last `seconds`, one event a line, oldest first."""
        since = self.clock.now() - seconds
        return [event.model_dump_json() for event in self._recent if event.t >= since]

    def latest_frame(self) -> Frame | None:
        return self._looks.newest

    @property
    def newest_frame_t(self) -> float:
        newest = self._looks.newest
        return newest.t if newest else 0.0

    # --- the loop ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch until `stop`. The only place where the session's tasks live and end."""
        try:
            await self._warm_up()
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(self._speech.run())
                await self._tick_until_stopped(group)
                self._delegations.close()
                speaking.cancel()
        except* JoyError as group_of_errors:
            self._enter("error", str(group_of_errors.exceptions[0]))
        finally:
            await self._leave()

    async def _warm_up(self) -> None:
        self._enter("warming_up", self._parts.decider.name)
        await self._parts.decider.start()
        self._watcher = self._parts.decider.open(self.id)
        if self.controls.instruction:
            self._emit(Instruction(t=self.clock.now(), text=self.controls.instruction))
        self._enter("paused" if self.controls.paused else "watching")
        self.ready.set()

    async def _leave(self) -> None:
        self._speech.interrupt()
        if self._watcher:
            with suppress(Exception):  # a plug-in that fails to close must not keep the log open
                await self._watcher.aclose()
        if self._state[0] != "error":
            self._enter("stopped")
        self.log.counts["pictures_not_looked_at"] = self._looks.dropped
        await asyncio.to_thread(self.log.close, self.clock.now())

    async def _tick_until_stopped(self, group: asyncio.TaskGroup) -> None:
        assert self._watcher is not None
        grid, skipped = Grid(await self._first_look(), self._settings.tick_seconds), 0
        while not self._stopping.is_set():
            if not self.controls.paused:
                await self._tick(group, skipped)
            now = self.clock.now()
            skipped = grid.advance(now)
            if skipped and not self.controls.paused:
                self._emit(TickLate(t=now, skipped=skipped))
            await sleep_or_wake(self.clock, grid.due, (self._wake, self._watcher.news))

    async def _first_look(self) -> float:
        """Wait for the first picture (or `blind_after` seconds without one)."""
        if self._looks.newest is None:
            await sleep_or_wake(self.clock, self.clock.now() + self._settings.blind_after, (self._wake,))
        return self.clock.now()

    async def _tick(self, group: asyncio.TaskGroup, skipped: int) -> None:
        moment = self._moment()
        self._note_sight(moment)
        began, wall = self.clock.now(), time.perf_counter()
        decision = await self._decide(moment)
        took = max(self.clock.now() - began, time.perf_counter() - wall)
        age = self.clock.now() - moment.frames[-1].t if moment.frames else 0.0
        self._emit(decided(moment.t, decision, took * 1000, age * 1000, skipped))
        self._tell_write_error()
        self._remember(moment, decision)
        self._act(decision, moment.t, group)

    def _moment(self) -> Moment:
        controls, now = self.controls, self.clock.now()
        fresh = tuple(look for look in self._looks.take() if now - look.t < self._settings.blind_after)
        heard = tuple(self._heard)
        self._heard.clear()
        return Moment(
            t=round(now, 3),
            frames=fresh,
            instruction=controls.instruction,
            instruction_t=self._instructed_at,
            heard=heard,
            answers=self._delegations.unsaid,
            context=self._parts.memory.context(),
            chunk_id=self._parts.memory.chunk_id,
            speaking=self._speech.speaking,
            sensitivity=controls.sensitivity,
            language=controls.language,
            persona=controls.persona,
        )

    async def _decide(self, moment: Moment) -> Decision:
        """The one funnel for a decider's faults: a failed second is a silent one, and the watch goes on."""
        assert self._watcher is not None
        try:
            self._explain_instruction(self._watcher)
            decision = await self._watcher.decide(moment)
        except JoyError as error:
            self._enter("error", str(error))
            return Silence()
        except Exception as error:  # a plug-in's fault must not end the watch
            self._enter("error", f"The decider failed on this second ({type(error).__name__}: {error}); it goes on.")
            return Silence()
        if self._state[0] == "error":
            self._enter("watching")
        if self._settings.require_instruction and not self._asked:
            return Silence(decision.p_act, decision.evidence)
        return decision

    def _explain_instruction(self, watcher: Watcher) -> None:
        if self._changed_instruction:
            self._changed_instruction = False
            if understood := watcher.understood(self.controls.instruction, self.controls.language):
                self._emit(State(t=self.clock.now(), name="notice", detail=understood))

    def _act(self, decision: Decision, t: float, group: asyncio.TaskGroup) -> None:
        if isinstance(decision, Respond):
            self._say(decision.text, t, decision.urgent)
        elif isinstance(decision, Delegate):
            if decision.note:
                self._say(decision.note, t, decision.urgent)
            self._delegations.submit(decision.question, group)
        elif not self._speech.speaking and (answer := self._delegations.overdue(self._settings.answer_wait, self._floor_free_at)):
            self._say(answer.digest, t)

    def _say(self, text: str, t: float, urgent: bool = False) -> None:
        text = text if len(text) <= self._settings.utterance_chars else text[: self._settings.utterance_chars - 1] + "…"
        self._speech.say(Utterance(text, t, urgent))

    def _remember(self, moment: Moment, decision: Decision) -> None:
        memory, before = self._parts.memory, self._parts.memory.chunk_id
        memory.observe(moment, decision)
        if memory.chunk_id != before:
            seconds = self._settings.chunk_seconds
            self._emit(Chunk(t=moment.t, id=before, t_start=max(0.0, moment.t + 1 - seconds), t_end=moment.t + 1))

    def _note_sight(self, moment: Moment) -> None:
        if not moment.frames and self._state[0] not in ("blind", "error"):
            if self.clock.now() - max(self.newest_frame_t, self._resumed_at) >= self._settings.blind_after:
                since = f"since {self.newest_frame_t:.0f} s" if self._looks.newest else "yet"
                self._enter("blind", f"no picture {since}")
        elif moment.frames and self._state[0] == "blind":
            self._enter("watching")

    def _carry_out(self, intent: Intent, heard: Transcript) -> None:
        self._emit(Heard(t=self.clock.now(), text=heard.text, t_start=heard.t_start, t_end=heard.t_end, role=heard.role))
        if intent in (Intent.STOP, Intent.QUIET):
            self._speech.interrupt()
        if intent is Intent.STOP:
            self.instruct("")
        elif intent is Intent.REPLACE:
            self.instruct(heard.text, again=True)
        elif intent is Intent.APPEND:
            known, more = self.controls.instruction, without_also(heard.text)
            self.instruct(known if more in known.splitlines() else f"{known}\n{more}", again=True)
        elif intent is Intent.ASK:
            self._asked = True
            self._heard.append(heard)

    def _tell_write_error(self) -> None:
        """Once, when the log on disk falls behind what was decided."""
        if self.log.write_error and not self._told_write_error:
            self._told_write_error = True
            self._emit(State(t=self.clock.now(), name="notice", detail=f"From here on, {self.log.write_error}."))

    def _enter(self, name: StateName, detail: str = "") -> None:
        if (name, detail) != self._state:
            self._state = (name, detail)
            self._emit(State(t=self.clock.now(), name=name, detail=detail))

    def _emit(self, event: Event) -> None:
        self.log.append(event)
        if isinstance(event, Spoken):
            self._floor_free_at = event.t_end
            if not event.cut:
                self._delegations.was_said(event.text)
        if isinstance(event, Spoken | Heard | Instruction | DelegationChanged):
            self._recent.append(event)
