"""The default brain: sums, clocks and what it finds in memory; a rendered lecture asked about six minutes later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from joyvl_app.brain import sums
from joyvl_app.brain.computing import compute
from joyvl_app.brain.recall import MemoryBrain
from joyvl_app.brain.times import moment_asked, stretch_asked
from joyvl_app.clock import RealClock
from joyvl_app.domain import Box, Delegation, Evidence
from joyvl_app.evals.lectures import lectures, recall
from joyvl_app.events import Decided, EvidenceLine, Heard, Instruction, Spoken
from joyvl_app.memory.archive import Archive, Record
from joyvl_app.memory.session_memory import SessionMemory
from joyvl_app.memory.window import Window
from tests.minds import Line
from tests.support import settings


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 15% of 80?", "15% of 80 = 12"),
        ("how much is (3+4)*2^3", "(3+4)*2^3 = 56"),
        ("How many km are 5 miles?", "5 miles = 8.04672 km"),
        ("Convert 20 celsius to fahrenheit", "20 celsius = 68 fahrenheit"),
        ("how many inches are in a foot?", "1 foot = 12 inches"),
        ("What was on the slide?", None),
        ("What is 9**9**9**9?", None),
        ("What time was the door opened?", None),
        ("Is the meeting on 2026-03-01?", None),
        ("What time does the train leave?", None),
        ("What is the date on the invoice?", None),
        ("他几点离开的？", None),
        ("Read pages 3-5", None),
        ("Is there 24/7 support?", None),
        ("Whose phone number is 555-1234?", None),
        ("Which team won 3-2?", None),
        ("12/11/2023", None),
    ],
)
def test_sums_and_units(question: str, answer: str | None) -> None:
    assert compute(question, False) == answer


def test_clocks() -> None:
    assert "(JST)" in (compute("What time is it in Tokyo?", False) or "")
    assert "星期" in (compute("东京现在几点？", True) or "")
    with pytest.raises(ValueError, match="not known"):
        sums.clock_in("Atlantis")


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "3999999**3999999",
        "1,5 * 2",
        "().__class__",
        "import os",
        "x" * 500,
        "",
        "1/0",
        "'a'*9",
        "2**100000",
        "[1]*9**9",
    ],
)
def test_what_cannot_be_calculated_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"cannot|characters|zero|number|large|Commas"):
        sums.calculate(text)


@pytest.mark.parametrize(
    ("value", "source", "target"), [(5, "9**9**9", "m"), (1, "kg", "m"), (1, "", "m"), (1, "smoot " * 50, "m")]
)
def test_units_that_cannot_be_converted_are_said(value: float, source: str, target: str) -> None:
    with pytest.raises(ValueError, match=r"unknown|cannot"):
        sums.convert(value, source, target)


def test_times_that_a_question_names() -> None:
    assert moment_asked("What was there at 2:05?", 400) == 125
    assert moment_asked("what did you see 20 seconds ago", 400) == 380
    assert moment_asked("两分钟前呢？", 400) == 280 and moment_asked("半小时前呢？", 4000) == 2200
    assert moment_asked("half a minute ago", 400) == 370 and moment_asked("twenty seconds ago", 400) == 380
    assert moment_asked("The score was 21:15", 4000) is None and moment_asked("at 10:30 am", 4000) is None
    assert stretch_asked("what happened in the last five minutes?") == 300 and stretch_asked("最近10分钟发生了什么") == 600
    assert moment_asked("What is on the table?", 400) is None


class Seen:
    """A session of ten minutes in an archive: slides, a cup on a table, a dog, sentences."""

    def __init__(self, record: Record, memory: SessionMemory) -> None:
        self.memory, self._record, self._number = memory, record, 0

    def take(self, event: object) -> None:
        self._number += 1
        self._record.take(self._number, event)  # type: ignore[arg-type]

    def look(self, t: float, boxes: tuple[Box, ...] = (), texts: tuple[str, ...] = ()) -> None:
        line = EvidenceLine.of(Evidence(boxes, texts))
        self.take(Decided(t=t, action="silence", p_act=0.0, evidence=line, decision_ms=1.0))


@pytest.fixture
async def seen(tmp_path: Path) -> AsyncIterator[Seen]:
    archive = Archive(RealClock(), f"sqlite:///{tmp_path / 'joyvl.db'}", 100, 30)
    record = archive.begin("s", "ann", "lecture", "clip", "embedded", 1_900_000_000.0)
    seen = Seen(record, SessionMemory(RealClock(), Window(), None, record))
    table, cup = Box("dining table", 0.9, 0.1, 0.5, 0.9, 0.95), Box("cup", 0.9, 0.3, 0.5, 0.4, 0.7)
    slides = {0: ("Seas", "Baltic", "North"), 60: ("Lakes", "Geneva 580 km2", "Como 146 km2"), 120: ("Rivers", "Rhine")}
    seen.take(Instruction(t=0, text="Comment on each new slide."))
    for t in range(0, 300):
        texts = slides.get(t // 60 * 60, ())
        boxes = (table, cup) if 12 <= t <= 40 else ()
        seen.look(float(t), (*boxes, *((Box("dog", 0.9, 0, 0, 0.2, 0.2),) if 200 <= t < 230 else ())), texts)
    seen.take(Heard(t=90, text="remember that the key is under the mat", t_start=88, t_end=90))
    seen.take(Spoken(t=61, t_start=61, t_end=62, text="New slide: Lakes.", decision_t=61))
    seen.take(Heard(t=400, text="Where is the zebra?", t_start=399, t_end=400))
    yield seen
    await archive.aclose()


async def ask(seen: Seen, question: str) -> tuple[str, str]:
    answer = await MemoryBrain(RealClock()).solve(Delegation("d", question, 500.0, question), seen.memory, Line())
    return answer.status, answer.digest


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What did the slide about lakes say?", "Geneva 580 km2 and Como 146 km2, on “Lakes”, from 1:00 to 1:59."),
        ("How large is Como?", "Como 146 km2, on “Lakes”"),
        ("When was the slide about rivers shown?", "“Rivers” was on screen from 2:00 to 2:59."),
        ("How long was the slide about rivers on screen?", "Rivers: for 59 seconds, from 2:00 to 2:59."),
        ("What was the slide after the one about lakes?", "“Rivers”: Rhine, from 2:00 to 2:59."),
        ("Which slide came before lakes?", "“Seas”: Baltic; North, from 0:00 to 0:59."),
        ("What was the first slide?", "“Seas”: Baltic; North"),
        ("How many slides were there?", "I saw 3 different screens of text."),
        ("When was the cup there?", "I saw a cup on the table from 0:12 to 0:40."),
        ("When did the dog leave?", "I last saw a dog at 3:49; not since then."),
        ("Is the dog still there?", "I last saw a dog at 3:49; not since then."),
        ("How many dogs did you see?", "At most 1 dog at once, from 3:20 to 3:49."),
        ("How often did a dog come?", "1 time: from 3:20 to 3:49."),
        ("What was on the second slide?", "“Lakes”: Geneva 580 km2; Como 146 km2"),
        ("What was the last slide?", "“Rivers”: Rhine"),
        ("List all slides", "In order: “Seas”, “Lakes” and “Rivers”."),
        ("What came after lakes?", "“Rivers”: Rhine, from 2:00 to 2:59."),
        ("第二页讲了什么？", "“Lakes”"),
        ("What did the professor say about the key?", "I heard “remember that the key is under the mat”"),
        ("What happened in the last five minutes?", "In the last 5 minutes: "),
        ("5公里是多少英里？", "5 公里 = 3.10686 英里"),
        ("How long was the dog there?", "A dog: for 29 seconds, from 3:20 to 3:49."),
        ("Where did I say the key is?", "You said “remember that the key is under the mat” from 1:28 to 1:30."),
        ("What did you say about lakes?", "I said “New slide: Lakes.” from 1:01 to 1:02."),
        ("What was there at 0:20?", "At 0:20: "),
        ("What happened?", "In the last 8 minutes: “Seas”"),
    ],
)
async def test_it_answers_from_what_was_seen_and_heard(seen: Seen, question: str, told: str) -> None:
    status, digest = await ask(seen, question)
    assert status == "ready" and told in digest


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France?",
        "Where is the zebra?",
        "Why is the sky blue?",
        "Write a poem.",
        "",
        "???",
        "How many dogs were under the bridge?",
        "Who stole the cup?",
        "Why did the dog bark?",
        "Is the cup in Paris?",
        "What's my name?",
        "What was the phone number?",
    ],
)
async def test_what_it_does_not_know_it_says_and_how_to_connect_a_model(seen: Seen, question: str) -> None:
    answer = await MemoryBrain(RealClock()).solve(Delegation("d", question, 500.0, question), seen.memory, Line())
    assert answer.status == "failed" and "none is connected" in answer.digest and "JOYVL_BRAIN_MODEL" in answer.card


async def test_in_chinese_it_answers_in_chinese(seen: Seen) -> None:
    dog = (await ask(seen, "什么时候看到狗？"))[1]
    assert dog == "我在 3:20 到 3:49 看到狗。"
    assert "没有接上" in (await ask(seen, "法国的首都是哪里？"))[1]


async def test_another_owner_and_another_session_do_not_cross_over(seen: Seen) -> None:
    archive = seen._record.archive
    other = archive.begin("s", "bob", "lecture", "clip", "embedded", 1_900_000_000.0)
    memory = SessionMemory(RealClock(), Window(), None, other)
    answer = await MemoryBrain(RealClock()).solve(Delegation("d", "How large is Como?", 500.0), memory, Line())
    assert answer.status == "failed"
    again = archive.begin("s", "ann", "lecture", "clip", "embedded", 1_900_100_000.0)  # ann's next session
    memory = SessionMemory(RealClock(), Window(), None, again)
    answer = await MemoryBrain(RealClock()).solve(Delegation("d", "How large is Como?", 5.0), memory, Line())
    assert answer.status == "ready" and "Como 146 km2" in answer.digest and "2030-" in answer.digest  # with its date


async def test_a_lecture_is_remembered_six_minutes_later(tmp_path: Path) -> None:
    """Rendered, watched by the embedded decider, asked about by typing; `bench recall` asks all 53 questions."""
    lecture = lectures("held", 7, 3)[0]
    told = await recall(lecture, settings(decider="embedded", brain="memory", looks_per_tick=1, tick_seconds=2), tmp_path)
    assert len(told) >= 3 and all(one.right and one.spoken for one in told), told
