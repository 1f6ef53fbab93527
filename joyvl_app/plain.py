"""One form for what keyboards, speech and cameras write in many: full-width signs and digits become plain ones."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Unicode's compatibility form (NFKC), runs of spaces within a line made one."""
    lines = unicodedata.normalize("NFKC", text).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines)
