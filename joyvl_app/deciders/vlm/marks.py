"""A model's own tokens that act as structure, which nobody's words may hold."""

from __future__ import annotations

import re
from typing import Any


class Marks:
    """Those of a tokenizer, and the processor's placeholder of a picture where it has one."""

    def __init__(self, tokenizer: Any, processor: Any = None) -> None:
        placeholder = str(getattr(processor, "image_token", "") or "")
        marks = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab(), placeholder} - {""}
        self._pattern = re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True)))) if marks else None

    def disarmed(self, text: str) -> str:
        """What a person, a camera or a brain brought, without any token of this model's own that would act as structure."""
        return self._pattern.sub(lambda mark: f"‹{mark.group().strip('<>[]|/')}›", text) if self._pattern else text


def ends_of(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a turn."""
    named = getattr(generation_config, "eos_token_id", None)
    listed = named if isinstance(named, list) else [named]
    return frozenset(int(token) for token in (*listed, tokenizer.eos_token_id) if token is not None)
