"""Talking with the page in a real Chromium: its fake microphone plays a spoken question, and what comes back is recorded."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, served
from joyvl_app.domain import Pcm
from tests.speech import reading, sentence, silence, write_wav
from tests.support import ROOT

OUT = ROOT / "tests" / "out"
_RATE = 48_000

# What the page's loudspeaker is given, kept as 16-bit samples with the time of the last loud one.
_RECORD = """() => {
  const audio = document.querySelector('#stage-video_call audio');
  window.heard = []; window.lastLoud = 0;
  const context = new AudioContext({ sampleRate: 48000 });
  audio.addEventListener('playing', () => {
    const node = context.createScriptProcessor(1024, 1, 1);
    node.onaudioprocess = (event) => {
      const samples = event.inputBuffer.getChannelData(0);
      window.heard.push(Int16Array.from(samples, (sample) => Math.max(-1, Math.min(1, sample)) * 32767));
      if (samples.some((sample) => Math.abs(sample) > 0.01)) window.lastLoud = performance.now();
    };
    context.createMediaStreamSource(audio.srcObject).connect(node);
    node.connect(context.destination);
  }, { once: true });
}"""
_HEARD = """() => {
  const bytes = new Uint8Array(window.heard.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of window.heard) { bytes.set(new Uint8Array(part.buffer), at); at += part.byteLength; }
  let text = '';
  for (let n = 0; n < bytes.length; n += 8192) text += String.fromCharCode(...bytes.subarray(n, n + 8192));
  return btoa(text);
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    OUT.mkdir(exist_ok=True)
    with served(decider="embedded", synthesizer="hibari") as (url, _):
        yield url


@contextmanager
def talking(address: str, microphone: Path, instruction: str) -> Iterator[Page]:
    """The video call's page, started on its sample clip, listening to this recording once through."""
    flags = [
        *CHROMIUM_FLAGS,
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
        "--autoplay-policy=no-user-gesture-required",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
        page.get_by_role("tab", name="Video call").click()
        page.fill("#instruction-video_call textarea", instruction)
        page.evaluate(_RECORD)
        page.click("#start-video_call")
        page.wait_for_function("() => joyvl.stages.get('video_call').timeline.cells.length > 0", timeout=30_000)
        page.click("#stage-video_call .jv-mic")
        yield page
        browser.close()
        assert faults == []


def heard_by_the_page(page: Page) -> Pcm:
    return np.frombuffer(base64.b64decode(page.evaluate(_HEARD)), np.int16)


def conversation(page: Page, kind: str) -> list[str]:
    return page.locator(f"#conversation-video_call .jv-{kind} span:first-of-type").all_inner_texts()


def test_a_spoken_question_is_heard_answered_and_the_answer_sounds(address: str, tmp_path: Path) -> None:
    question = np.concatenate([silence(3), sentence("How many people are there?"), silence(60)])
    with talking(address, write_wav(tmp_path / "question.wav", question), "Tell me when a dog appears.") as page:
        page.locator("#conversation-video_call .jv-heard", has_text="How many people are there?").wait_for(timeout=25_000)
        page.locator("#conversation-video_call .jv-spoken").first.wait_for(timeout=10_000)
        assert page.locator("#conversation-video_call .jv-intent").first.inner_text() == "question or remark"
        page.screenshot(path=OUT / "talking.png", full_page=True)
        answer, sound = conversation(page, "spoken")[0], heard_by_the_page(page)
    assert np.abs(sound.astype(np.int32)).max() > 3_000
    assert set(words(answer)) <= set(words(reading(sound, _RATE))), (answer, reading(sound, _RATE))


def words(text: str) -> list[str]:
    return "".join(sign if sign.isalnum() else " " for sign in text.lower().replace("1", "one")).split()
