"""The event log's lines: typed, one JSON object each. Pages, replay, metrics, memory and rating read nothing else.

Every event carries `t`, session seconds. Line 1 of a log is a Header.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from joyvl_app.domain import Decision, Delegate, Evidence, Respond, Role

SCHEMA = 1

Action = Literal["silence", "respond", "delegate"]
StateName = Literal[
    "warming_up", "watching", "thinking", "speaking", "listening", "paused", "blind", "stopped", "error", "notice"
]
PermissionState = Literal["asked", "granted", "refused", "expired"]
DelegationState = Literal["submitted", "running", "ready", "spoken", "failed", "timed_out", "cancelled"]


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    t: float = Field(ge=0)


class BoxLine(BaseModel):
    """A region in the log; corners are fractions of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    score: float
    xyxy: tuple[float, float, float, float]
    track: int = 0


class EvidenceLine(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    boxes: tuple[BoxLine, ...] = ()
    texts: tuple[str, ...] = ()
    tags: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceLine:
        boxes = tuple(
            BoxLine(
                label=box.label,
                score=round(box.score, 2),
                xyxy=(round(box.x0, 3), round(box.y0, 3), round(box.x1, 3), round(box.y1, 3)),
                track=box.track,
            )
            for box in evidence.boxes
        )
        return cls(boxes=boxes, texts=evidence.texts, tags={name: round(p, 3) for name, p in evidence.tags})


class Header(_Event):
    type: Literal["header"] = "header"
    t: float = 0.0
    schema_version: int = SCHEMA
    source: str
    decider: str
    scenario: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Instruction(_Event):
    type: Literal["instruction"] = "instruction"
    text: str


class Heard(_Event):
    """`intent` tells what the sentence was taken for (intent.py)."""

    type: Literal["heard"] = "heard"
    text: str
    t_start: float
    t_end: float
    role: Role = "user"
    intent: str = ""


class Decided(_Event):
    """One second's decision; `skipped` counts the seconds before it that got none; `age_ms` is capture to decision."""

    type: Literal["decision"] = "decision"
    action: Action
    text: str | None = None
    question: str | None = None
    p_act: float
    evidence: EvidenceLine = EvidenceLine()
    decision_ms: float
    age_ms: float = 0.0
    skipped: int = 0
    urgent: bool = False


class Spoken(_Event):
    """`t_start` is the audible (without voice: shown) start; `cut` tells that it was interrupted, `unsaid` what was left."""

    type: Literal["spoken"] = "spoken"
    t_start: float
    t_end: float
    text: str
    decision_t: float
    cut: bool = False
    unsaid: str = ""


class DelegationChanged(_Event):
    type: Literal["delegation"] = "delegation"
    id: str
    state: DelegationState
    question: str
    detail: str = ""


class Answered(_Event):
    type: Literal["answer"] = "answer"
    id: str
    state: DelegationState
    digest: str
    card: str = ""
    frames: tuple[float, ...] = ()
    offered: bool = False  # it waits until the user wants to hear it


class Permission(_Event):
    """The brain wants to act for delegation `id`: the user has so many `seconds` to allow it."""

    type: Literal["permission"] = "permission"
    id: str
    request: int
    action: str
    details: str
    seconds: float
    state: PermissionState


class Chunk(_Event):
    """A chunk of working memory has ended; or, with `summary`, what was written about a stretch, which need not be a chunk."""

    type: Literal["chunk"] = "chunk"
    id: int
    t_start: float
    t_end: float
    summary: str | None = None


class TickLate(_Event):
    type: Literal["tick_late"] = "tick_late"
    skipped: int
    reason: str = "the decision took longer than a second"


class State(_Event):
    type: Literal["state"] = "state"
    name: StateName
    detail: str = ""


class Unparsed(_Event):
    """Model output without any action token: logged, never spoken."""

    type: Literal["unparsed"] = "unparsed"
    raw: str


class Draft(_Event):
    """A sentence as far as it is written: for pages that are watching now; it is not kept in the log."""

    type: Literal["draft"] = "draft"
    text: str


class Saying(_Event):
    """A sentence begins to sound, in the voice named `voice`: for pages that are watching now; `spoken` follows at its end."""

    type: Literal["saying"] = "saying"
    text: str
    decision_t: float
    voice: str
    number: int
    urgent: bool = False


class Hearing(_Event):
    """What the user is saying, as far as it is understood: for pages that are watching now."""

    type: Literal["hearing"] = "hearing"
    text: str


class Adjusted(_Event):
    """The user said how to speak: the controls are now these."""

    type: Literal["adjusted"] = "adjusted"
    sensitivity: float
    volume: float
    speed: float


class DeciderChanged(_Event):
    """From here on another decider decides."""

    type: Literal["decider"] = "decider"
    name: str
    detail: str = ""


class Footer(_Event):
    type: Literal["footer"] = "footer"
    counts: dict[str, int]


Event = Annotated[
    Header
    | Instruction
    | Heard
    | Decided
    | Spoken
    | DelegationChanged
    | Answered
    | Permission
    | Chunk
    | TickLate
    | State
    | Unparsed
    | Draft
    | Saying
    | Hearing
    | Adjusted
    | DeciderChanged
    | Footer,
    Field(discriminator="type"),
]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def parse_event(line: str | bytes) -> Event:
    """Read one log line. Raises pydantic.ValidationError on anything that is not an event."""
    return _ADAPTER.validate_json(line)


def decided(t: float, decision: Decision, took_ms: float, age_ms: float, skipped: int) -> Decided:
    """The log line of one decision."""
    text, question, action, urgent = None, None, "silence", False
    if isinstance(decision, Respond):
        action, text, urgent = "respond", decision.text, decision.urgent
    elif isinstance(decision, Delegate):
        action, text, question, urgent = "delegate", decision.note, decision.question, decision.urgent
    return Decided(
        t=t,
        action=action,  # type: ignore[arg-type]
        text=text,
        question=question,
        p_act=round(decision.p_act, 4),
        evidence=EvidenceLine.of(decision.evidence),
        decision_ms=round(took_ms, 1),
        age_ms=round(age_ms, 1),
        skipped=skipped,
        urgent=urgent,
    )
