"""Arithmetic, units, clocks: tools that know nothing and touch nothing. Every fault is a ValueError in people's words."""

from __future__ import annotations

import ast
import math
import operator
import re
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from joyvl_app.plain import plain

_UNIT = re.compile(r"[^\W\d_°]*°?[^\W\d_]+(?:(?:\*\*|\^)[23])?(?:(?: |/| per )[^\W\d_]+(?:(?:\*\*|\^)[23])?)*")  # no sums in it
_WEEKDAYS = "一二三四五六日"
_BITS = 400  # of a whole number
_ODD_COMMA = re.compile(r"\d,(?!\d{3}(?!\d))")
_LONGEST = 200  # characters of an expression
_PLACES = {
    "new york": "America/New_York", "los angeles": "America/Los_Angeles", "san francisco": "America/Los_Angeles",
    "beijing": "Asia/Shanghai", "北京": "Asia/Shanghai", "上海": "Asia/Shanghai", "中国": "Asia/Shanghai",
    "china": "Asia/Shanghai", "東京": "Asia/Tokyo", "东京": "Asia/Tokyo", "japan": "Asia/Tokyo", "伦敦": "Europe/London",
    "巴黎": "Europe/Paris", "纽约": "America/New_York", "洛杉矶": "America/Los_Angeles", "柏林": "Europe/Berlin",
    "莫斯科": "Europe/Moscow", "悉尼": "Australia/Sydney", "india": "Asia/Kolkata", "delhi": "Asia/Kolkata",
    "germany": "Europe/Berlin", "france": "Europe/Paris", "uk": "Europe/London", "england": "Europe/London", "utc": "UTC",
    "gmt": "UTC",
}  # fmt: skip


def calculate(expression: str) -> str:
    """The value of an arithmetic expression: numbers, + - * / // % **, brackets, sqrt, sin …, pi and e.

    Bounded by simpleeval: no huge powers, no names but these, no attributes. Raises ValueError.
    """
    import simpleeval

    if _ODD_COMMA.search(expression):
        raise ValueError("Commas may only group three digits: write 1.5 or 1,000.")
    text = plain(expression).strip().rstrip("=?").replace("^", "**").replace("×", "*").replace("÷", "/").replace(",", "")
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%(?!\s*[\d(])", r"(\1/100)", text)
    if not text or len(text) > _LONGEST:
        raise ValueError(f"An expression must have between 1 and {_LONGEST} characters.")
    names = {"sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "log": math.log, "exp": math.exp,
             "abs": abs, "round": round, "min": min, "max": max, "floor": math.floor, "ceil": math.ceil}  # fmt: skip
    try:
        value = simpleeval.SimpleEval(operators=_OPERATORS, functions=names, names={"pi": math.pi, "e": math.e}).eval(text)
    except ZeroDivisionError:
        raise ValueError("Division by zero.") from None
    except Exception as error:
        raise ValueError(f"This cannot be calculated: {text[:60]}") from error
    return number(value)


def _power(base: float, exponent: float) -> float:
    if abs(exponent) * math.log2(max(2.0, abs(base))) > _BITS:
        raise ValueError("The result is too large to write down.")
    value: float = base**exponent
    return value


def _times(a: float, b: float) -> float:
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > _BITS:
        raise ValueError("The result is too large to write down.")
    return a * b


_OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _times, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: _power, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


def number(value: Any) -> str:
    """A number as people write it. Raises ValueError when it is none, or not finite."""
    if isinstance(value, int) and abs(value) > 10**30:
        raise ValueError("The result is too large to write down.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("The result is not a number.")
    if isinstance(value, int):
        return str(value)
    return f"{value:.10g}"


def convert(value: float, source: str, target: str) -> str:
    """A quantity in another unit: 5 miles in km, 20 degC in degF. Raises ValueError for units that are unknown or do not fit."""
    import pint

    try:
        quantity = _units().Quantity(value, _unit(source)).to(_unit(target))
    except pint.errors.DimensionalityError:
        raise ValueError(f"{source} cannot be converted to {target}.") from None
    except Exception as error:  # pint raises many kinds on a unit that it does not know
        raise ValueError(f"One of the units {source} and {target} is unknown.") from error
    return f"{number(round(float(value), 6))} {source} = {float(quantity.magnitude):.6g} {target}"


_UNITS = {
    "celsius": "degC", "°c": "degC", "c": "degC", "fahrenheit": "degF", "°f": "degF", "f": "degF", "k": "kelvin",
    "公里": "km", "千米": "km", "米": "m", "厘米": "cm", "英里": "mile", "英尺": "foot", "英寸": "inch", "公斤": "kg",
    "千克": "kg", "克": "g", "磅": "pound", "斤": "0.5 kg", "升": "liter", "毫升": "ml", "加仑": "gallon",
    "摄氏度": "degC", "华氏度": "degF", "小时": "hour", "分钟": "minute", "秒": "second", "天": "day", "lbs": "pound",
    "degrees celsius": "degC", "degrees fahrenheit": "degF", "square feet": "foot**2", "square meters": "m**2",
    "square metres": "m**2",
}  # fmt: skip


@cache
def _units() -> Any:
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def _unit(name: str) -> str:
    name = plain(name).strip().lower().strip(".")
    if len(name) > 40 or not _UNIT.fullmatch(name):
        raise ValueError("not a unit")
    return _UNITS.get(name, name)


def clock_in(place: str, zh: bool = False, now: datetime | None = None) -> str:
    """Date and time in a place or time zone; "" is this machine's. Raises ValueError for a place that is not known."""
    zone = zone_of(place) if place.strip() else None
    there = (now or datetime.now().astimezone()).astimezone(zone)
    if zh:
        return f"{there:%Y年%-m月%-d日} 星期{_WEEKDAYS[there.weekday()]} {there:%H:%M}"
    return f"{there:%A, %-d %B %Y, %H:%M} ({there.tzname()})"


def zone_of(place: str) -> ZoneInfo:
    """The zone of a city, country or zone name. Raises ValueError."""
    name = plain(place).strip().lower()
    if name in _PLACES:
        return ZoneInfo(_PLACES[name])
    wanted = name.replace(" ", "_")
    for zone in sorted(available_timezones()):
        if zone.lower() == wanted or zone.lower().split("/")[-1] == wanted:
            return ZoneInfo(zone)
    raise ValueError(f"The time zone of {place[:40]} is not known; name a large city or a zone such as Europe/Paris.")
