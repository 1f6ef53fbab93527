"""The released model's text interface, both directions. Nothing outside this package knows an action token or a prompt.

Source: arXiv 2606.14777 and the model's public serving code, as facts; prompts are in our own words.
"""

from joyvl_app.dialect.prompts import system_prompt
from joyvl_app.dialect.reading import Reading, parse
from joyvl_app.dialect.writing import history, opening, render, turn

__all__ = ["Reading", "history", "opening", "parse", "render", "system_prompt", "turn"]
