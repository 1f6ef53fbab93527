"""Words that only came back from the loudspeaker are not the user's: a transcript is compared with what was being said."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['\u2019]\w+)?")
_RUN = 3  # so many words in the order in which they were said are no accident
_OWN = 0.7  # a transcript of which so many words were said is our own


def without_own(heard: str, said: str) -> str:
    """What of `heard` the user said, while the assistant was saying `said`; "" when it was all the assistant's own."""
    words = list(_WORD.finditer(heard))
    own = _WORD.findall(said.lower())
    if not own or not words:
        return heard
    matches = SequenceMatcher(None, [word.group().lower() for word in words], own, autojunk=False).get_matching_blocks()
    if sum(match.size for match in matches) >= _OWN * len(words):  # in the order in which they were said
        return ""
    runs = [match for match in matches if match.size >= _RUN]
    if not runs:
        return heard
    return _longest_rest(heard, words, [(run.a, run.a + run.size) for run in runs])


def _longest_rest(heard: str, words: list[re.Match[str]], own: list[tuple[int, int]]) -> str:
    """The longest stretch between the assistant's own: a user speaks before, over or after it, in one piece."""
    edges = [0, *(edge for run in own for edge in run), len(words)]
    first, last = max(zip(edges[::2], edges[1::2], strict=True), key=lambda gap: gap[1] - gap[0])
    if first == last:
        return ""
    end = words[last].start() if last < len(words) else len(heard)
    return heard[words[first].start() : end].strip(" ,;")
