"""System prompts, one file a language, in our own words; a user may supply another one whole."""

from __future__ import annotations

from pathlib import Path

from joyvl_app.dialect.writing import as_data
from joyvl_app.errors import BadInput

_HERE = Path(__file__).parent
_MAX_CHARS = 20_000


def system_prompt(language: str = "en", persona: str = "", file: Path | None = None) -> str:
    """The system turn. With `file` its text is used whole. Raises BadInput when that file cannot be used."""
    if file is not None:
        return _users_own(file)
    text = (_HERE / f"prompt_{'zh' if language == 'zh' else 'en'}.txt").read_text(encoding="utf-8").strip()
    return f"{text}\n\n{as_data(persona, keep_lines=True)}" if persona.strip() else text


def _users_own(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Cannot read the prompt file {file}: it must be a readable UTF-8 text.") from error
    if not text or len(text) > _MAX_CHARS:
        raise BadInput(f"The prompt file {file} must hold between 1 and {_MAX_CHARS} characters.")
    return text
