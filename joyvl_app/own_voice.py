"""Words that only came back from the loudspeaker are not the user's: a transcript is compared with what was being said."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['\u2019]\w+)?")
_RUN = 3  # so many words in the order in which they were said are no accident
_WORDS_A_SECOND = 4.0
_OWN = 0.7  # a transcript of which so many words were said is our own


def without_own(heard: str, said: str, seconds: float) -> str:
    """What of `heard` the user said, while for `seconds` of it the assistant was saying `said`; "" when all may be its own."""
    words = list(_WORD.finditer(heard))
    own = _WORD.findall(said.lower())
    if not own or not words:
        return heard
    matches = SequenceMatcher(None, [word.group().lower() for word in words], own, autojunk=False).get_matching_blocks()
    if sum(match.size for match in matches) >= _OWN * len(words):  # in the order in which they were said
        return ""
    first = next((match for match in matches if match.size >= _RUN and match.a <= 1), None)
    if first is None or first.size > 1 + _WORDS_A_SECOND * seconds:  # so many words would not have had the time to sound
        return heard
    return heard[words[first.a + first.size].start() :] if first.a + first.size < len(words) else ""
