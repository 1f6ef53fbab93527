"""One form for what keyboards, speech and cameras write in many: full-width signs and digits become plain ones."""

from __future__ import annotations

import unicodedata

# Patterns that ignore case match these letters as i, but lower() does not make them one.
_TURKISH = str.maketrans({"\u0130": "I", "\u0131": "i"})


def plain(text: str) -> str:
    """Unicode's compatibility form (NFKC), runs of spaces within a line made one."""
    lines = unicodedata.normalize("NFKC", text).translate(_TURKISH).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines)


_LONGEST = 2_000  # characters of one sentence
_LOOP = 8  # words; a longer text with hardly a different word is an engine gone round in circles


def sentence(text: str) -> str:
    """A transcript as one line of printable text, bounded; "" when there are no words in it, or the same ones over and over."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in unicodedata.normalize("NFC", text)).split())[
        :_LONGEST
    ]
    words = line.lower().split()
    looping = len(words) > _LOOP and len(set(words)) * 4 <= len(words)
    return line if any(sign.isalnum() for sign in line) and not looping else ""
