"""Talking with the page in a real Chromium: its fake microphone plays a spoken question, and what comes back is recorded."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, served
from joyvl_app.domain import Pcm
from tests.speech import person, reading, sentence, silence, write_wav
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
_VOICES = "() => ['hibari', 'automatic', 'espeak', \"the browser's\", 'captions only']"
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
def talking(address: str, microphone: Path, instruction: str, script: str = "") -> Iterator[Page]:
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
        page.add_init_script(script)
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
        page.wait_for_function("() => window.lastLoud > 0 && performance.now() - window.lastLoud > 800", timeout=10_000)
        answer, sound = conversation(page, "spoken")[0], heard_by_the_page(page)
    assert np.abs(sound.astype(np.int32)).max() > 3_000
    assert set(words(answer)) <= set(words(reading(sound, _RATE))), (answer, reading(sound, _RATE))


def test_speaking_up_stops_the_voice_in_the_page(address: str, tmp_path: Path) -> None:
    """The person speaks up a second after a typed question; what the page still plays afterwards is measured too."""
    microphone = np.concatenate([silence(6), person("librivox-0880"), silence(60)])
    with talking(address, write_wav(tmp_path / "remark.wav", microphone), "Tell me when a dog appears.") as page:
        page.fill("#ask-video_call textarea", "What do you see?")
        page.wait_for_timeout(5_000)
        page.keyboard.press("Enter")
        cut = page.locator("#conversation-video_call .jv-cut")
        cut.first.wait_for(timeout=25_000)
        stopped = page.evaluate("() => performance.now()")
        page.locator("#conversation-video_call .jv-heard", has_text=re.compile("young|man")).wait_for(timeout=25_000)
        assert page.evaluate("() => window.lastLoud") - stopped < 500, "the page falls silent soon after the server does"
        assert cut.first.locator("s").inner_text()


def test_a_microphone_that_cannot_be_had_is_told_and_the_rest_works(address: str, tmp_path: Path) -> None:
    refusing = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    with talking(address, write_wav(tmp_path / "nothing.wav", silence(5)), "Greet people when they come.", refusing) as page:
        page.locator("#understood-video_call", has_text="The microphone was refused").wait_for(timeout=5_000)
        assert page.get_attribute("#stage-video_call .jv-mic", "aria-pressed") == "false"
        page.keyboard.press("m")
        assert page.get_attribute("#stage-video_call .jv-mute", "aria-pressed") == "true"
        page.fill("#ask-video_call textarea", "What do you see?")
        page.keyboard.press("Enter")
        page.locator("#conversation-video_call .jv-spoken", has_text="I see").wait_for(timeout=10_000)
        page.wait_for_timeout(500)
        assert page.evaluate("() => window.lastLoud") == 0, "muted: captions only"


def test_the_voice_is_chosen_in_the_page_and_a_held_key_opens_the_microphone(address: str, tmp_path: Path) -> None:
    with talking(address, write_wav(tmp_path / "nothing.wav", silence(60)), "Tell me when a dog appears.") as page:
        assert page.locator("#stage-video_call .jv-voices option").all_inner_texts() == page.evaluate(_VOICES)
        page.evaluate(
            "() => { window.spoken = []; speechSynthesis.speak = (words) => { window.spoken.push(words.text); words.onend(); }; }"
        )
        page.select_option("#stage-video_call .jv-voices", "browser")
        page.fill("#ask-video_call textarea", "How many people are there?")
        page.keyboard.press("Enter")
        page.wait_for_function("() => window.spoken.length === 1", timeout=10_000)
        page.locator("#conversation-video_call .jv-spoken", has_text="I see").wait_for(timeout=3_000)
        page.check("#stage-video_call .jv-hold input")
        track = "() => joyvl.stages.get('video_call').voice.microphone.track.enabled"
        assert page.evaluate(track) is False
        page.focus("#stage-video_call .jv-timeline")
        page.keyboard.down("t")
        assert page.evaluate(track) is True
        page.keyboard.up("t")
        assert page.evaluate(track) is False
        page.screenshot(path=OUT / "push-to-talk.png", full_page=True)
        page.click("#stop-video_call")
        page.wait_for_function("() => joyvl.stages.get('video_call').voice.microphone.track === null", timeout=5_000)


def words(text: str) -> list[str]:
    return "".join(sign if sign.isalnum() else " " for sign in text.lower().replace("1", "one")).split()
