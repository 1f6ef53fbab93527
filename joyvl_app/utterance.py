"""A sentence to say, and how much of it has sounded."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyvl_app.tts.pieces import pieces, rest_of

_HARDLY = 0.4  # of an urgent sentence unsaid: too little of it was heard


@dataclass(frozen=True)
class Utterance:
    """A sentence to say. `reply`: the user has just spoken and waits for it. `again`: it was cut before."""

    text: str
    decision_t: float
    urgent: bool = False
    reply: bool = False
    again: bool = False


@dataclass
class Part:
    """A piece that sounds from `begin` to `end`."""

    text: str
    begin: float
    end: float


@dataclass
class Sounding:
    """What of an utterance was sent to the loudspeaker."""

    utterance: Utterance
    number: int
    by_browser: bool = False
    parts: list[Part] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)  # pieces that no voice could say
    finished: bool = False

    @property
    def start(self) -> float | None:
        return self.parts[0].begin if self.parts else None

    @property
    def end(self) -> float:
        return self.parts[-1].end if self.parts else 0.0

    def hardly_heard(self, now: float) -> bool:
        """An urgent sentence of which too little was heard."""
        return self.utterance.urgent and not self.utterance.again and len(self.unsaid(now)) > _HARDLY * len(self.utterance.text)

    def unsaid(self, now: float) -> str:
        """What nobody has heard by `now`."""
        rest = [rest_of(part.text, max(0.0, now - part.begin) / max(part.end - part.begin, 1e-3))
                for part in self.parts if part.end > now]  # fmt: skip
        later = pieces(self.utterance.text)[len(self.parts) :]
        return " ".join(part for part in [*rest, *later] if part)
