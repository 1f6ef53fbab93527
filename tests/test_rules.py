"""Evidence is debounced: one look is no event, a real one is announced within two seconds, a repeat only after it was gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from joyvl_app.deciders.embedded.board import Reading, TextBoard
from joyvl_app.deciders.embedded.questions import answer
from joyvl_app.deciders.embedded.rules import AppearRule, CountRule, ExpressRule, GreetRule, LeaveRule, Rule
from joyvl_app.deciders.embedded.scene import Scene
from joyvl_app.deciders.embedded.screen_rules import ReadRule, SlideRule, SpotRule, TimerRule
from joyvl_app.deciders.embedded.specs import Appear, Count, Express, Greet, Leave, Read, Slides, Spot, Timer
from joyvl_app.deciders.embedded.words import Target
from joyvl_app.domain import Box, acts
from joyvl_app.perception.eyes import Look
from joyvl_app.perception.motion import Change, Motion
from joyvl_app.perception.reader import Line, same_text

PERSON = Target(("person",), "person")
BLANK = np.zeros((120, 160), np.float32)


def look(t: float, count: int, score: float = 0.8, smile: float = 0.0) -> Look:
    boxes = tuple(Box("person", score, n / 10, 0.1, n / 10 + 0.1, 0.9, n + 1) for n in range(count))
    return Look(t, boxes, (), (), {"happy": smile} if smile else {}, None, Change(0.0, 0.0), BLANK)


def spoken(
    rule: Rule, counts: Sequence[int], score: float = 0.8, sensitivity: float = 0.0, smiles: float = 0.0
) -> list[tuple[float, str]]:
    """Run two looks a second through a rule as the watcher does; what it said, and when."""
    scene, said = Scene(), []
    scene.motion = Motion()
    for number, count in enumerate(counts):
        scene.observe(look(number / 2, count, score, smiles if count else 0.0))
        if number % 2 == 1 and (urge := rule.urge(scene, number / 2)) and urge.ripe and acts(urge.p, sensitivity):
            urge.commit()
            said.append((number / 2, urge.text))
    return said


def test_a_flicker_of_one_look_is_no_event() -> None:
    assert spoken(AppearRule(Appear(PERSON)), [0, 0, 0, 1, 0, 0, 0, 0]) == []


def test_an_arrival_is_announced_within_two_seconds_once() -> None:
    assert spoken(AppearRule(Appear(PERSON)), [0, 0, 0, *[1] * 40]) == [(2.5, "Someone came in.")]


def test_weak_evidence_takes_longer_and_sensitivity_shortens_it() -> None:
    weak = [0, 0, *[1] * 12]
    assert [t for t, _ in spoken(AppearRule(Appear(PERSON)), weak, score=0.45)] == [2.5]
    assert [t for t, _ in spoken(AppearRule(Appear(PERSON)), weak, score=0.45, sensitivity=0.7)] == [1.5]
    assert [t for t, _ in spoken(AppearRule(Appear(PERSON)), weak, score=0.45, sensitivity=-3.0)] == [6.5]


def test_a_return_is_an_event_only_after_a_real_absence() -> None:
    short, long = [1] * 10 + [0] * 3 + [1] * 10, [1] * 10 + [0] * 12 + [1] * 10
    assert len(spoken(AppearRule(Appear(PERSON)), short)) == 1
    assert len(spoken(AppearRule(Appear(PERSON)), long)) == 2


def test_a_second_arrival_is_announced_with_the_number() -> None:
    assert [text for _, text in spoken(AppearRule(Appear(PERSON)), [0, 0, *[1] * 8, *[2] * 8])] == [
        "Someone came in.",
        "Someone else came in; that makes 2.",
    ]


def test_leaving_is_announced_once_and_needs_somebody_who_was_there() -> None:
    assert [text for _, text in spoken(LeaveRule(Leave(PERSON)), [2] * 8 + [1] * 6 + [0] * 8)] == [
        "One person left; 1 still there.",
        "Nobody is there any more.",
    ]
    assert spoken(LeaveRule(Leave(PERSON)), [0, 1, 0, 0, 1, 0, 0, 0]) == []


def test_empty_and_at_least() -> None:
    assert [text for _, text in spoken(LeaveRule(Leave(PERSON, empty=True)), [2] * 8 + [1] * 6 + [0] * 8)] == [
        "Nobody is there any more."
    ]
    assert spoken(AppearRule(Appear(PERSON, least=3)), [2] * 10 + [3] * 10) == [(5.5, "I see 3 people.")]


def test_counts_are_announced_when_they_settle_and_never_twice_alike() -> None:
    said = spoken(CountRule(Count(PERSON)), [0] * 4 + [1, 2, 1, 2] + [3] * 8 + [2, 3, 2, 3] * 4 + [1] * 8)
    texts = [text for _, text in said]
    assert texts[0] == "I count 3 people now." and texts[-1] == "I count 1 person now."
    assert all(a != b for a, b in pairwise(texts))


def test_whenever_it_changes_does_not_announce_the_start() -> None:
    assert spoken(CountRule(Count(PERSON, initial=False)), [3] * 12) == []
    assert len(spoken(CountRule(Count(PERSON, initial=True)), [3] * 12)) == 1


def test_greetings_and_smiles() -> None:
    visit = [0, 0, *[1] * 10, *[0] * 14, *[1] * 6]
    assert [text for _, text in spoken(GreetRule(Greet()), visit)] == ["Hello! Nice to see you.", "Welcome back!"]
    assert [text for _, text in spoken(ExpressRule(Express("happy")), visit, smiles=0.9)] == ["I see a smile."] * 2
    assert spoken(ExpressRule(Express("happy")), visit, smiles=0.5) == []


def test_a_timer_repeats_and_a_reminder_comes_once() -> None:
    quiet = [0] * 61
    assert [t for t, _ in spoken(TimerRule(Timer(10, True, "drink"), 0.0), quiet)] == [9.5, 19.5, 29.5]
    assert spoken(TimerRule(Timer(10, False, "drink"), 0.0), quiet) == [(9.5, "Reminder: drink.")]


def test_a_timer_that_fell_behind_catches_up_without_a_burst() -> None:
    rule, scene = TimerRule(Timer(10, True, "drink"), 0.0), Scene()
    for t in (35.0, 36.0, 40.0):
        if urge := rule.urge(scene, t):
            urge.commit()
            assert t in (35.0, 40.0)


# --- text on screen ---------------------------------------------------------------------------------------------------


def line(text: str, y: float = 0.5, score: float = 0.95) -> Line:
    return Line(text, score, Box("text", score, 0.2, y, 0.8, y + 0.1))


def shade(strength: float) -> np.ndarray:
    picture = BLANK.copy()
    picture[60:72, 32:128:2] = 200 * strength
    return picture


def test_a_half_faded_reading_is_not_believed() -> None:
    board = TextBoard()
    board.observe(Reading(2.0, (line("R WAICHING"),), shade(0.5)), shade(1.0))
    assert board.visible == []
    board.observe(Reading(3.0, (line("THANKS FOR WATCHING"),), shade(1.0)), shade(1.0))
    assert [entry.text for entry in board.visible] == ["THANKS FOR WATCHING"]
    assert board.title() == "THANKS FOR WATCHING"


def test_two_agreeing_readings_are_believed_even_over_a_moving_picture() -> None:
    board = TextBoard()
    for t, strength in ((1.0, 0.2), (2.0, 0.9)):
        board.observe(Reading(t, (line("SALE -20%"),), shade(strength)), shade(1 - strength))
    assert [entry.text for entry in board.visible] == ["SALE -20%"]


def test_a_text_outside_the_region_that_was_read_again_stays() -> None:
    board = TextBoard()
    board.observe(Reading(1.0, (line("TITLE", 0.1), line("old price", 0.7)), BLANK), BLANK)
    below = Box("region", 1.0, 0.0, 0.5, 1.0, 1.0)
    for t in (2.0, 3.0):
        board.observe(Reading(t, (line("new price", 0.7),), BLANK, below), BLANK)
    assert [entry.text for entry in board.visible] == ["TITLE", "new price"]


def read_through(rule: Rule, pages: Sequence[Sequence[str]]) -> list[str]:
    scene, said = Scene(), []
    for second, texts in enumerate(pages):
        scene.observe(look(float(second), 0))
        lines = tuple(line(text, 0.2 + 0.1 * n) for n, text in enumerate(texts))
        scene.board.observe(Reading(float(second), lines, BLANK), BLANK)
        if urge := rule.urge(scene, float(second)):
            urge.commit()
            said.append(urge.text)
    return said


def test_text_is_read_once_until_it_has_been_gone() -> None:
    pages = [["OPEN"]] * 5 + [["OPEN", "SALE"]] * 3 + [[]] * 10 + [["OPEN"]] * 3
    assert read_through(ReadRule(Read()), pages) == ["It says: OPEN", "It says: SALE", "It says: OPEN"]


def test_prices_are_named_and_a_new_price_is_news() -> None:
    pages = [["Gift box", "$12.50"]] * 4 + [["Gift box", "$9.90"]] * 4
    assert read_through(SpotRule(Spot()), pages) == ["Gift box: $12.50.", "Gift box: $9.90."]
    assert read_through(SpotRule(Spot("gift BOX")), pages) == ["“gift BOX” is on screen now."]


def test_misread_letters_are_the_same_text_but_numbers_are_not() -> None:
    assert same_text("THANKS FOR WATCHING", "THANK5 F0R WATCHING") is False  # digits appeared
    assert same_text("Thanks for watching!", "THANKSFORWATCHlNG")
    assert not same_text("Price 12.50", "Price 12.60")


# --- questions ------------------------------------------------------------------------------------------------------


def seen(*looks: Look) -> Scene:
    scene = Scene()
    for one in looks:
        scene.observe(one)
    return scene


def test_questions_are_answered_from_the_evidence() -> None:
    scene = seen(*(look(t / 2, 2) for t in range(8)))
    assert answer("What do you see?", scene, 4.0) == "I see 2 people."
    assert answer("How many people are there?", scene, 4.0) == "I see 2 people."
    assert answer("Is there a dog?", scene, 4.0) == "No, I see no dogs."
    assert answer("Is there a fire?", scene, 4.0) == "No, I see no flame."
    assert answer("How many cars?", scene, 4.0) == "I see no cars."
    assert answer("What does it cost?", scene, 4.0) == "I can read no price at the moment."
    assert answer("Is he smiling?", scene, 4.0) == "I see no face at the moment."
    assert answer("Thank you!", scene, 4.0) == "You are welcome."
    assert answer("Where is the person?", scene, 4.0) == "A person is on the left."
    assert answer("有几个人\uff1f", scene, 4.0) == "我看到2个人。"
    assert answer("What does it say?", scene, 4.0) == "I can read no text at the moment."


def test_the_past_is_remembered_with_its_time() -> None:
    scene = seen(*(look(t / 2, 1) for t in range(8)), *(look(t / 2, 0) for t in range(8, 100)))
    assert answer("How long ago did you see someone?", scene, 49.5) == "I last saw a person 46 seconds ago."
    assert answer("Did someone come in?", scene, 49.5) == "I last saw a person 46 seconds ago."
    assert answer("When did you last see a dog?", scene, 49.5) == "I have not seen a dog since I began watching."
    assert answer("How long have you been watching?", scene, 120.0) == "I have been watching for 2 minutes."


def test_questions_that_need_a_mind_are_left_to_one() -> None:
    scene = seen(look(0.0, 1))
    for question in (
        "Why is he here?",
        "What breed is the dog?",
        "Who painted this?",
        "What is that person doing?",
        "这是谁画的\uff1f",
    ):
        assert answer(question, scene, 1.0) is None


# --- what a review found --------------------------------------------------------------------------------------------------


def test_one_look_is_never_said_however_low_the_threshold() -> None:
    for sensitivity in (0.3, 3.0):
        assert spoken(AppearRule(Appear(PERSON)), [0, 0, 0, 1, 0, 0], score=0.95, sensitivity=sensitivity) == []


def test_words_are_whole_words() -> None:
    assert read_through(SpotRule(Spot("SALE")), [["WHOLESALE"]] * 3) == []
    assert read_through(SpotRule(Spot("AI")), [["ROOMS AVAILABLE"]] * 3) == []
    assert read_through(SpotRule(Spot("50%")), [["$1500"]] * 3) == []
    assert read_through(SpotRule(Spot("Game Over")), [["GAMEOVER"]] * 3) == ["“Game Over” is on screen now."]
    assert read_through(SpotRule(Spot("?!")), [["anything"]] * 3) == []


def test_prices_of_many_countries() -> None:
    for text, price in (("1.299,00 €", "1.299,00 €"), ("$1 299.00", "$1 299.00"), ("12.50 USD", "12.50 USD"), ("¥99", "¥99")):
        assert read_through(SpotRule(Spot()), [[text]] * 3) == [f"The price is {price}."]


def test_a_clock_on_screen_is_not_read_every_second() -> None:
    pages = [[f"CAM 1 12:00:{second:02}"] for second in range(40)]
    assert len(read_through(ReadRule(Read()), pages)) <= 2


def test_what_gives_way_within_seconds_ticks_and_what_stands_is_read() -> None:
    counter = [[f"Visitors {240 + second // 3}"] for second in range(30)]
    assert read_through(ReadRule(Read()), counter) == ["It says: Visitors 240"]
    gates = [["Gate 12"]] * 12 + [["Gate 14"]] * 5
    assert read_through(ReadRule(Read()), gates) == ["It says: Gate 12", "It says: Gate 14"]
    both = [["Chapter 1", "Chapter 2"]] * 4
    assert read_through(ReadRule(Read()), both) == ["It says: Chapter 1 Chapter 2"]


def slides(pages: Sequence[Sequence[str]]) -> list[str]:
    """Each page another picture, read in the same second."""
    rule, scene, said = SlideRule(Slides()), Scene(), []
    scene.motion = Motion()
    for second, texts in enumerate(pages):
        picture = np.full((120, 160), 40.0, np.float32)
        picture[10 * second : 10 * second + 10] += 90.0
        scene.observe(replace(look(float(second), 0), thumbnail=picture))
        lines = tuple(line(text, 0.1 + 0.2 * n) for n, text in enumerate(texts))
        for _ in range(2):
            scene.board.observe(Reading(float(second), lines, picture), picture)
        if urge := rule.urge(scene, float(second)):
            urge.commit()
            said.append(urge.text)
    return said


def test_a_slide_that_builds_up_is_one_slide() -> None:
    pages = [["ROAST"], ["ROAST", "light and sour"], ["ROAST", "light and sour", "dark"], ["SHOPS", "at the corner"]]
    assert slides(pages) == ["New slide: ROAST.", "New slide: SHOPS."]


def test_the_present_is_forgotten_when_there_is_no_picture() -> None:
    scene = seen(*(look(t / 2, 1) for t in range(8)))
    scene.forget_present(100.0)
    assert scene.evidence().boxes == ()
    assert answer("What do you see?", scene, 100.0) == "I have no picture at the moment."
    assert answer("Is anyone there?", scene, 100.0) == "I have no picture at the moment."
    assert answer("When did you last see someone?", scene, 60.0) == "I last saw a person 56 seconds ago."
    assert AppearRule(Appear(PERSON)).urge(scene, 100.0) is None
