"""Questions that are sums, units or clocks, and nothing else: "pages 3-5" is no sum, "when does the train leave" no clock."""

from __future__ import annotations

import re

from joyvl_app.brain import sums

_TIME_NOW = re.compile(
    r"(?:please )?(?:tell me |do you know )?"
    r"(?:what(?:'s| is) (?:the )?(?:current |local )?(?:time|date|day)(?: is it)?"
    r"|what (?:time|date|day)(?: of the week)? is (?:it|today))"
    r"(?: (?:in|at) (?P<place>[A-Za-z][A-Za-z ./_-]{1,40}?))?(?: now| right now| today)*"
    r"|(?P<ort>[\u4e00-\u9fff]{2,6}?)??(?:现在|今天|今日)*(?:是)?(?:几点(?:了|钟)?|几号|几月几号|星期几|周几|礼拜几)了?",
    re.I,
)
_UNITS = re.compile(
    r"(-?\d+(?:\.\d+)?)\s*([a-zA-Z°]+(?: [a-z]+)??)\s+(?:in|to|into|as)\s+([a-zA-Z°]+)\b"
    r"|how many ([a-zA-Z°]+) (?:are|is|in|make)(?: there)?(?: in)? (?:(-?\d+(?:\.\d+)?)|an?|one) ?([a-zA-Z°]+)",
    re.I,
)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s*(?:of)\s*(\d+(?:[.,]\d+)*)", re.I)
_SUM = re.compile(r"(?:[-(]*\d[\d.,]*%?\)*\s*(?:\*\*|[-+*/×÷^]|//)\s*)+[-(]*\d[\d.,]*%?\)*")
_ABOUT_A_SUM = re.compile(
    r"what(?:'s| is)|how much is|calculate|compute|work out|please|equals?|is|the result of|多少|等于|计算|是|一下|[=?？\s]", re.I
)
_NO_SUM = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}|\d{3}-\d{3,4}|\d{1,2}:\d{2}")  # a date, a telephone number, a time
_UNITS_ZH = re.compile(r"(-?\d+(?:\.\d+)?)\s*([\u4e00-\u9fff]{1,3}?)(?:是|等于|合|有|换算成|=)+(?:多少|几)([\u4e00-\u9fff]{1,3})")
_SPOKEN = {
    " plus ": "+",
    " minus ": "-",
    " times ": "*",
    " divided by ": "/",
    "加": "+",
    "减": "-",
    "乘以": "*",
    "乘": "*",
    "除以": "/",
}


def compute(question: str, zh: bool) -> str | None:
    """Sums, units, clocks; None when the question is none of these."""
    for word, sign in _SPOKEN.items():
        question = re.sub(rf"(?<=[\d)]){word}(?=[\d(])", sign, question)
    try:
        if found := _PERCENT.search(question):
            share, whole = found.group(1), found.group(2).replace(",", "")
            return f"{found.group()} = {sums.calculate(f'{share}/100*{whole}')}"
        if (found := _UNITS.search(question)) and not _SUM.search(question):
            value, source, target = (found.group(i) for i in ((1, 2, 3) if found.group(1) else (5, 6, 4)))
            return sums.convert(float(value or 1), source, target)
        if found := _UNITS_ZH.search(question):
            return sums.convert(float(found.group(1)), found.group(2), found.group(3))
        if (found := _SUM.search(question)) and not _ABOUT_A_SUM.sub("", _SUM.sub("", question)) and not _NO_SUM.search(question):
            return f"{found.group().strip()} = {sums.calculate(found.group())}"
        if found := _TIME_NOW.fullmatch(question.strip(" ?.!。？")):
            place = found["place"] or found["ort"] or ""
            there = sums.clock_in(place, zh)
            return f"{place}现在是{there}。" if zh else f"It is {there}{' in ' + place if place else ''}."
    except ValueError:
        return None
    return None
