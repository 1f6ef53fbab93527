"""Instructions in English and Chinese → specifications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyvl_app.deciders.embedded.durations import find_duration
from joyvl_app.deciders.embedded.grammar import MAX_CLAUSES, parse_instruction
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
from joyvl_app.deciders.embedded.words import Target, find_target, named

PERSON, FLAME, DOG, CAR = (Target((name,), name) for name in ("person", "flame", "dog", "car"))


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("Tell me when someone comes in. Count the visitors.", [Appear(PERSON), Count(PERSON)]),
        ("Alert me when a person appears and warn me if there is a fire", [Appear(PERSON), Appear(FLAME, urgent=True)]),
        ("Tell me whenever the number of people changes", [Count(PERSON, initial=False)]),
        ("Read aloud any text that appears", [Read()]),
        ("Tell me when the word SALE appears on screen", [Spot("SALE")]),
        ('Let me know when "Gift box" is shown on screen', [Spot("Gift box")]),
        ("tell me when a price appears", [Spot()]),
        ("Comment on each new slide", [Slides()]),
        ("Greet people when they come", [Greet()]),
        ("Tell me when someone smiles", [Express("happy")]),
        ("Tell me if anyone looks surprised", [Express("surprise")]),
        ("tell me when the dog leaves the room", [Leave(DOG)]),
        ('when you see a dog say "hello puppy"', [Appear(DOG, "hello puppy")]),
        ("Every 10 minutes remind me to stretch", [Timer(600, True, "stretch")]),
        ("In 30 seconds tell me to take out the pizza", [Timer(30, False, "take out the pizza")]),
        ("tell me what you see every minute", [Timer(60, True, report="scene")]),
        ("every 30 seconds tell me how many cars you see", [Timer(30, True, report="count", target=CAR)]),
        ("Count the people. stop", []),
        ("如果有人进来请提醒我", [Appear(PERSON, zh=True)]),
        ("看到火就告诉我\uff0c统计人数", [Appear(FLAME, urgent=True, zh=True), Count(PERSON, zh=True)]),
        ("每隔5分钟提醒我喝水\u300230秒后告诉我关火", [Timer(300, True, "喝水", zh=True), Timer(30, False, "关火", zh=True)]),
        ("朗读屏幕上出现的文字", [Read(zh=True)]),
        ("每换一页幻灯片点评一下", [Slides(zh=True)]),
        ("有人微笑时告诉我", [Express("happy", zh=True)]),
        ("有人来就打招呼", [Greet(zh=True)]),
        ("当狗离开时告诉我", [Leave(DOG, zh=True)]),
        ("出现价格时告诉我", [Spot(zh=True)]),
        ("Tell me when the room is empty", [Leave(PERSON, empty=True)]),
        ("没有人的时候告诉我", [Leave(PERSON, empty=True, zh=True)]),
        ('If a customer comes in, say "welcome to the shop"', [Appear(PERSON, "welcome to the shop")]),
        ("in one hour, tell me to stop working", [Timer(3_600, False, "stop working")]),
        ("Tell me when there are more than 3 people", [Appear(PERSON, least=4)]),
        ("Tell me when a dog or a cat appears", [Appear(Target(("dog", "cat"), "dog or cat"))]),
        ("Don't say anything unless someone comes in", [Appear(PERSON)]),
        ("Please watch the door and tell me when somebody enters", [Appear(PERSON)]),
        ("If you see a dog, tell me", [Appear(DOG)]),
        ("Tell me when no cars are there", [Leave(CAR, empty=True)]),
        ("Count people and cars", [Count(PERSON), Count(CAR)]),
        ("Tell me when someone comes in or leaves", [Appear(PERSON), Leave(PERSON)]),
        ('Say "welcome" when someone enters', [Appear(PERSON, "welcome")]),
        ("Monitor the number of visitors", [Count(PERSON)]),
        ("屏幕上出现SALE时告诉我", [Spot("SALE", zh=True)]),
        ("床上有人时告诉我", [Appear(PERSON, zh=True)]),
        ("马上提醒我有人来", [Appear(PERSON, zh=True)]),
        ("TELL ME WHEN A B\u0130CYCLE APPEARS", [Appear(Target(("bicycle",), "bicycle"))]),
        ("What is the capital of France?", [Ask("What is the capital of France?")]),
        ("😀😀😀", []),
        ("", []),
    ],
)
def test_instructions(text: str, specs: list[Spec]) -> None:
    assert list(parse_instruction(text)) == specs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Let me know if anyone looks sad", "expression"),
        ("Tell me when someone falls down", "action"),
        ("tell me when somebody is wearing a hat", "action"),
        ("有人跌倒时告诉我", "action"),
        ("Alert me when a unicorn appears", "thing"),
        ("Make me a sandwich", "unknown"),
        ("Don't greet anyone", "negative"),
        ("Alert me when nobody is smiling", "action"),
        ("Tell me when the price drops below $10", "action"),
        ("Tell me when there are exactly two people", "action"),
        ("看到火锅告诉我", "thing"),
    ],
)
def test_what_it_cannot_do_is_known(text: str, reason: str) -> None:
    (spec,) = parse_instruction(text)
    assert isinstance(spec, Unknown) and spec.reason == reason


@given(st.text(max_size=300))
def test_any_text_is_read_without_fault_and_bounded(text: str) -> None:
    specs = parse_instruction(text)
    assert len(specs) <= MAX_CLAUSES
    assert isinstance(understood(specs, False), str)


def test_a_long_instruction_is_read_quickly() -> None:
    import time

    began = time.perf_counter()
    parse_instruction("tell me when " * 800)
    parse_instruction("有" * 2_000)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "seconds", "repeat"),
    [
        ("every 10 minutes", 600, True),
        ("every second", 1, True),
        ("every half an hour", 1_800, True),
        ("in five minutes", 300, False),
        ("in a minute", 60, False),
        ("90 seconds from now", 90, False),
        ("每两分钟", 120, True),
        ("半小时后", 1_800, False),
        ("一个半小时后", 5_400, False),
        ("二十五分钟后", 1_500, False),
        ("过五分钟", 300, False),
        ("in 1 minute and 30 seconds", 90, False),
        ("in an hour and a half", 5_400, False),
        ("every half hour", 1_800, True),
        ("in f\u0131ve minutes".replace("\u0131", "i"), 300, False),
        ("every 0 seconds", 1, True),
        ("in 9999999 hours", 86_400, False),
    ],
)
def test_durations(text: str, seconds: float, repeat: bool) -> None:
    found = find_duration(text)
    assert found is not None and (found.seconds, found.repeat) == (seconds, repeat)


def test_no_duration_where_there_is_none() -> None:
    assert find_duration("every person in the room") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("two customers", "person"),
        ("knives", "knife"),
        ("a mobile", "cell phone"),
        ("any vehicle", "vehicle"),
        ("一只小狗", "dog"),
    ],
)
def test_synonyms(text: str, name: str) -> None:
    found = find_target(text)
    assert found is not None and found[0].name == name


def test_things_have_names_in_both_languages() -> None:
    assert [named(PERSON, n, False) for n in (0, 1, 3)] == ["no people", "a person", "3 people"]
    assert named(Target(("apple",), "apple"), 1, False) == "an apple"
    assert [named(DOG, n, True) for n in (1, 2)] == ["狗", "2个狗"]


def test_what_was_understood_is_told() -> None:
    specs = parse_instruction("Tell me when someone comes in. Every 10 minutes remind me to stretch.")
    assert understood(specs, False) == "Watching for: a person appears · every 10 minutes"
    assert understood((), False) == ""
