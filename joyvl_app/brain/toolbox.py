"""The brain's own tools: read-only, bounded, each one function from checked arguments to text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from joyvl_app.brain import sums
from joyvl_app.brain.looking import Part, SecondLook, zoomed
from joyvl_app.brain.times import span, stamp
from joyvl_app.brain.trust import Trust
from joyvl_app.memory.gallery import data_url
from joyvl_app.ports import SessionTools

_MOST = 20


class Search(BaseModel):
    """Words to look for, and between which seconds of the session (none: always)."""

    words: str = Field(max_length=300)
    since: float | None = None
    until: float | None = None


class Look(BaseModel):
    """The second of the session, and which part of the picture."""

    t: float = Field(ge=0, le=10_000_000)
    part: Part = "whole"


class Sum(BaseModel):
    expression: str = Field(max_length=200)


class Place(BaseModel):
    place: str = Field(default="", max_length=60, description="a city, country or zone; empty: here")


class Conversion(BaseModel):
    value: float
    unit: str = Field(max_length=40)
    into: str = Field(max_length=40)


@dataclass(frozen=True)
class Tool:
    """A tool as a model sees it. Its `typed` arguments are read as numbers, units or places, `moment` as a second."""

    name: str
    about: str
    schema: type[BaseModel]
    run: Callable[[Any], Awaitable[str]]
    source: str
    typed: tuple[str, ...] = ()
    moment: str = ""


class Toolbox:
    """One run's tools. Pictures that were looked at are kept in `pictures` (data URLs) for a model that can see."""

    def __init__(self, tools: SessionTools, trust: Trust, second_look: SecondLook) -> None:
        self._tools, self._trust, self._second_look = tools, trust, second_look
        self.pictures: list[str] = []
        self.moments: list[float] = []

    def all(self) -> list[Tool]:
        return [
            Tool("search_memory", "What was seen, read, heard and said, searched by words; each line has its time.", Search,
                 self._search, "memory", typed=("since", "until")),
            Tool("look_again", "The picture at a second of the session once more: its text and things, larger.", Look,
                 self._look, "picture", typed=("part",), moment="t"),
            Tool("calculate", "The value of an arithmetic expression.", Sum, self._sum, "calculator", typed=("expression",)),
            Tool("date_and_time", "Date and time now, in a city or time zone.", Place, self._clock, "clock", typed=("place",)),
            Tool("convert_units", "A quantity in another unit.", Conversion, self._convert, "units",
                 typed=("value", "unit", "into")),
        ]  # fmt: skip

    async def _search(self, search: Search) -> str:
        found = await self._tools.search(search.words, search.since, search.until, _MOST)
        self._trust.saw((passage.t_start + passage.t_end) / 2 for passage in found if passage.here)
        self.moments += [(passage.t_start + passage.t_end) / 2 for passage in found[:1] if passage.here]
        lines = [f"[{span(passage)}; {passage.t_start:.0f} s; {passage.kind}] {passage.text}" for passage in found]
        return "\n".join(lines) or "Nothing was found."

    async def _look(self, look: Look) -> str:
        frame = await self._tools.frame_near(look.t)
        if frame is None:
            return "There is no picture from that time any more."
        self.pictures.append(data_url(zoomed(frame.image, look.part)))
        self.moments.append(frame.t)
        return f"picture at {stamp(frame.t)} ({look.part})\n{await self._second_look.read(frame, look.part)}"

    async def _sum(self, given: Sum) -> str:
        return _said(lambda: sums.calculate(given.expression))

    async def _clock(self, given: Place) -> str:
        return _said(lambda: sums.clock_in(given.place))

    async def _convert(self, given: Conversion) -> str:
        return _said(lambda: sums.convert(given.value, given.unit, given.into))


def _said(work: Callable[[], str]) -> str:
    try:
        return work()
    except ValueError as error:
        return str(error)
