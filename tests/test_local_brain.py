"""The brain on a GGUF file: a real xllamacpp server on a model made on the spot; files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from joyvl_app.brain.local import local_brain
from joyvl_app.build import chosen_brain
from joyvl_app.clock import RealClock
from joyvl_app.domain import Delegation
from joyvl_app.errors import BadInput, ProviderFailed
from tests.gguf_model import write_gguf
from tests.minds import Line, Looks
from tests.support import settings


async def test_a_gguf_model_answers(tmp_path: Path) -> None:
    limits = settings(brain_model=str(write_gguf(tmp_path / "tiny.gguf")), brain_tokens=16)
    assert chosen_brain(limits) == "local"
    brain, line = local_brain(RealClock(), limits), Line()
    for number in (1, 2):  # the second question finds it loaded
        try:
            answer = await brain.solve(Delegation(f"d{number}", "What do you see?", 1.0, "What do you see?"), Looks(), line)
            assert answer.status == "ready" and answer.digest  # random weights answer with noise
        except ProviderFailed as error:
            assert "empty answer" in str(error)  # noise may be white
    assert line.steps == ["loading tiny.gguf", "planning", "thinking", "planning", "thinking"]
    await brain.aclose()


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        local_brain(RealClock(), settings(brain_model=str(tmp_path / "absent.gguf")))
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(BadInput, match=r"text\.gguf is not a GGUF model"):
        local_brain(RealClock(), settings(brain_model=str(tmp_path / "text.gguf")))


async def test_a_broken_model_is_told_and_the_next_question_tries_again(tmp_path: Path) -> None:
    (tmp_path / "torn.gguf").write_bytes(write_gguf(tmp_path / "tiny.gguf").read_bytes()[:5_000])
    brain = local_brain(RealClock(), settings(brain_model=str(tmp_path / "torn.gguf")))
    for _ in range(2):
        with pytest.raises(ProviderFailed, match=r"torn\.gguf cannot be loaded"):
            await brain.solve(Delegation("d", "What?", 1.0, "What?"), Looks(), Line())
    await brain.aclose()
