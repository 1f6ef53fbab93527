"""What is asked and how it is answered: the words of the rendered episodes."""

from __future__ import annotations

import numpy as np

ALERT = ("Tell me when you see a {x}.", "Warn me if a {x} appears.", "Let me know when a {x} comes.", "Say when there is a {x}.")
EITHER = ("Tell me when you see a {x} or a {y}.", "Warn me if a {x} or a {y} appears.")
SEEN = "There is a {x}."
GREET = ("Say hello when a person comes.", "Greet every person who comes.")
HELLO = "Hello!"
GONE = ("Tell me when the {x} is gone.", "Let me know when the {x} leaves.")
LEFT = "The {x} is gone."
COUNT = ("Count each {x}.", "Count how often a {x} appears.", "Count aloud when a {x} comes.")
READ = ("Read the numbers.", "Read each new number on the screen.", "Say every number that you see.")
FIND = ("Tell me when you see the number {x}.", "Say when the number {x} appears.")
FOUND = "There is the number {x}."
REMIND = ("Remind me in {n} seconds.", "Tell me when {n} seconds have passed.", "Set a timer for {n} seconds.")
OVER = "{n} seconds are over."
EVERY = ("Say go every {n} seconds.", "Every {n} seconds say go.")
GO = "Go."
COMMENT = ("Describe what happens.", "Tell me what comes.", "Say what appears.")
COMES = "A {x} appears."
DID = ("Did you see a {x}?", "Was there a {x}?")
YES, NO = "Yes, there was a {x}.", "No, there was no {x}."
LAST, WAS = ("What did you see last?", "What came last?"), "A {x}."
NOW = ("What do you see now?", "What is there now?", "What is on the screen?")
NOTHING = "Nothing."
IS_THERE = ("Is there a {x}?", "Do you see a {x}?")
THERE, NOT_THERE = "Yes, there is a {x}.", "No, there is no {x}."
HARD = (
    "Who invented the {x}?", "How much does a {x} cost?", "How old is the oldest {x}?", "What is the best {x} in the world?",
    "Where can I buy a {x}?", "What does science know of the {x}?",
)  # fmt: skip
HOLD = ("Let me find out.", "I am looking it up.")
RESULT = ("It costs {n} euros.", "It is {n} years old.", "There are {n} of them.", "The answer is {n}.")
NUMBERS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


def one_of(rng: np.random.Generator, wordings: tuple[str, ...], **names: object) -> str:
    return article(wordings[int(rng.integers(len(wordings)))].format(**names))


def article(text: str) -> str:
    """ "a umbrella" → "an umbrella"."""
    return text.replace(" a umbrella", " an umbrella").replace("A umbrella", "An umbrella")


def listed(things: list[str]) -> str:
    """What is there, from left to right: "A cat and the number 7."."""
    if not things:
        return NOTHING
    named = [f"the number {thing}" if thing.isdigit() else article(f" a {thing}").strip() for thing in things]
    told = " and ".join(named)
    return f"{told[0].upper()}{told[1:]}."
