"""One form for what keyboards, speech and cameras write in many: full-width signs and digits become plain ones."""

from __future__ import annotations

import unicodedata

# Patterns that ignore case match these letters as i, but lower() does not make them one.
_TURKISH = str.maketrans({"\u0130": "I", "\u0131": "i"})


def plain(text: str) -> str:
    """Unicode's compatibility form (NFKC), runs of spaces within a line made one."""
    lines = unicodedata.normalize("NFKC", text).translate(_TURKISH).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines)
