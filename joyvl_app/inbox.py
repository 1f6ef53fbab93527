"""What the user says to a session: the standing instruction, and sentences that wait for the next decision."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from joyvl_app.domain import Transcript
from joyvl_app.errors import BadInput, Busy
from joyvl_app.events import Event, Heard, Instruction
from joyvl_app.intent import Intent, classify, is_yes, without_also
from joyvl_app.parts import Controls
from joyvl_app.ports import Clock
from joyvl_app.scenario import MAX_INSTRUCTION, check_instruction


class Inbox:
    """Bounded; `asked` tells whether anything was ever asked, `changed` whether the instruction is new since `explained`."""

    def __init__(self, controls: Controls, clock: Clock, emit: Callable[[Event], None], most: int) -> None:
        self._controls, self._clock, self._emit = controls, clock, emit
        self._waiting: deque[Transcript] = deque(maxlen=most)
        self.asked = bool(controls.instruction.strip())
        self.changed = True
        self.instructed_at = 0.0

    def instruct(self, text: str, again: bool = False) -> None:
        """Replace the standing instruction; with `again` the same words count as given anew. Raises BadInput if too long."""
        text = "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())
        check_instruction(text)
        if text != self._controls.instruction or again:
            self._controls.instruction = text
            self.instructed_at = self._clock.now()
            self.changed = True
            self.asked = self.asked or bool(text)
            self._emit(Instruction(t=self._clock.now(), text=text))

    def hear(self, heard: Transcript, offered: bool = False) -> Intent:
        """Take in one sentence: a question waits for the next decision, an instruction is in force at once. `offered`: a "yes"
        takes up an offer.

        Raises BadInput for an empty or overlong one, Busy when too many wait.
        """
        text = " ".join(heard.text.split())
        if not text or len(text) > MAX_INSTRUCTION:
            raise BadInput(f"A sentence must have between 1 and {MAX_INSTRUCTION} characters.")
        if len(self._waiting) == self._waiting.maxlen:
            raise Busy("Too many sentences are waiting; let me catch up for a second.")
        heard = replace(heard, text=text)
        intent = Intent.ASK if heard.role != "user" else Intent.TELL if offered and is_yes(text) else classify(text)
        taken_for = intent.value if heard.role == "user" else ""
        now, since, until = self._clock.now(), heard.t_start, heard.t_end
        self._emit(Heard(t=now, text=text, t_start=since, t_end=until, role=heard.role, intent=taken_for))
        self._follow(intent, heard)
        return intent

    def take(self) -> tuple[Transcript, ...]:
        """All that waits; the inbox is empty then."""
        heard = tuple(self._waiting)
        self._waiting.clear()
        return heard

    def _follow(self, intent: Intent, heard: Transcript) -> None:
        if intent is Intent.STOP:
            self.instruct("")
        elif intent is Intent.REPLACE:
            self.instruct(heard.text, again=True)
        elif intent is Intent.APPEND:
            known, more = self._controls.instruction, without_also(heard.text)
            self.instruct(known if more in known.splitlines() else f"{known}\n{more}", again=True)
        elif intent is Intent.ASK:
            self.asked = True
            self._waiting.append(heard)
