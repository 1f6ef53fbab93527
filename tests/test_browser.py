"""The page in a real Chromium: a fake camera made from a real clip, and everything a visitor can press."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, served
from tests.support import CLIPS, ROOT

OUT = ROOT / "tests" / "out"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    OUT.mkdir(exist_ok=True)
    with served(decider="embedded") as (url, _):
        yield url


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seconds 4 to 24 of the security clip as the file that Chromium plays as its camera, 30 JPEGs a second."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with av.open(str(CLIPS / "security.mp4")) as clip, path.open("wb") as film:
        for frame in clip.decode(video=0):
            if 4 <= float(frame.time or 0) < 24:
                film.write(cv2.imencode(".jpg", frame.to_ndarray(format="bgr24"))[1].tobytes() * 3)
    return path


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, camera: Path) -> Iterator[Browser]:
    flags = [*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={camera}", "--auto-select-desktop-capture-source=Entire"]
    started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    yield started
    started.close()


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Opener]:
    """Opens pages of fresh visitors; at the end none may have failed or asked another server for anything."""
    faults: list[str] = []

    def opener(script: str = "", **context: Any) -> Page:
        visitor = browser.new_context(**{"permissions": ["camera"], "viewport": {"width": 1280, "height": 900}, **context})
        if script:
            visitor.add_init_script(script)
        page = visitor.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: _note_foreign(request.url, address, faults))
        page.goto(address)
        page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
        return page

    yield opener
    for visitor in browser.contexts:
        visitor.close()
    assert faults == []


def _note_foreign(url: str, address: str, faults: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        faults.append(f"asked {url}")


def choose_source(page: Page, scenario: str, name: str) -> None:
    page.click(f"#source-{scenario} input")
    page.get_by_role("option", name=name).click()


def wait_for_turn(page: Page, scenario: str, words: str, seconds: float = 30) -> None:
    page.locator(f"#conversation-{scenario} .jv-spoken", has_text=re.compile(words)).first.wait_for(timeout=seconds * 1000)


def state_of(page: Page, scenario: str = "security") -> str:
    return page.locator(f"#stage-{scenario} .jv-state-name").inner_text()


def wait_for_state(page: Page, name: str, scenario: str = "security", seconds: float = 15) -> None:
    page.locator(f"#stage-{scenario} .jv-state-name", has_text=name).wait_for(timeout=seconds * 1000)


def decisions(page: Page, scenario: str) -> int:
    return int(page.evaluate(f"() => joyvl.stages.get('{scenario}').timeline.cells.length"))


def wait_for_decisions(page: Page, scenario: str, count: int) -> None:
    page.wait_for_function(f"() => joyvl.stages.get('{scenario}').timeline.cells.length >= {count}", timeout=30_000)


def test_a_camera_is_watched_the_instruction_edited_and_the_watch_stopped(open_page: Opener) -> None:
    page = open_page()
    choose_source(page, "security", "Camera")
    page.click("#start-security")
    wait_for_turn(page, "security", "came in|I see 2 people")
    assert state_of(page) in ("Watching", "Speaking")
    assert re.search(r"embedded · \d+ ms · age \d\.\d s · \d\.\d/s", page.inner_text("#stage-security .jv-pulse"))
    assert page.evaluate("() => joyvl.stages.get('security').overlay.boxes.length") >= 1
    page.fill("#instruction-security textarea", "Every 2 seconds tell me how many people you see.")
    page.locator("#understood-security", has_text="every 2 seconds").wait_for(timeout=8_000)
    assert "In force from" in page.inner_text("#understood-security")
    wait_for_turn(page, "security", "I see .*(person|people)", 15)
    page.screenshot(path=OUT / "desktop.png", full_page=True)
    page.click("#stop-security")
    wait_for_state(page, "Stopped")
    seen = decisions(page, "security")
    page.wait_for_timeout(2_500)
    assert decisions(page, "security") == seen
    with page.expect_download() as download:
        page.click("#download-security")
    events = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert events[0]["source"] == "camera" and events[-1]["type"] == "footer"
    assert page.evaluate("() => joyvl.stages.get('security').pageDelay") < 0.15


def test_the_sample_clip_starts_without_permission_on_a_phone(open_page: Opener) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, permissions=[])
    page.get_by_role("tab", name="Livestream shopping").click()
    page.click("#start-shopping")
    wait_for_turn(page, "shopping", r"\$24\.90")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.screenshot(path=OUT / "phone.png", full_page=True)


def test_a_question_is_answered_and_a_hard_one_delegated(open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("tab", name="Video call").click()
    page.click("#start-video_call")
    wait_for_turn(page, "video_call", "Hello")
    page.fill("#ask-video_call textarea", "How many people are there?")
    page.keyboard.press("Enter")
    wait_for_turn(page, "video_call", "I see 1 person", 5)
    assert page.input_value("#ask-video_call textarea") == ""
    page.fill("#ask-video_call textarea", "Who painted the Mona Lisa?")
    page.click("#send-video_call")
    card = page.locator("#conversation-video_call .jv-delegation")
    card.get_by_text("not answered").wait_for(timeout=8_000)
    assert "Mona Lisa" in card.inner_text()
    wait_for_turn(page, "video_call", "none is connected", 10)


def test_pause_and_keys(open_page: Opener) -> None:
    page = open_page()
    page.keyboard.press("Space")
    wait_for_decisions(page, "security", 2)
    page.keyboard.press("Space")
    wait_for_state(page, "Paused")
    before = decisions(page, "security")
    page.wait_for_timeout(2_200)
    assert decisions(page, "security") == before
    page.keyboard.press("Space")
    wait_for_state(page, "Watching")
    page.keyboard.press("b")
    assert page.get_attribute("#jv-boxes", "aria-pressed") == "false"
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.closest('#ask-security') !== null")
    page.keyboard.press("Escape")
    page.focus("#stage-security .jv-timeline")
    page.keyboard.press("End")
    assert re.search(r"0:\d\d · quiet · p\(act\) 0\.\d\d", page.inner_text("#stage-security .jv-why"))


def test_presets_fill_the_instruction(open_page: Opener) -> None:
    page = open_page()
    page.get_by_role("button", name="count people").click()
    box = page.locator("#instruction-security textarea")
    expect(box).to_have_value("Count the people.")
    page.get_by_role("button", name="fire", exact=True).click()
    expect(box).to_have_value("Count the people.\nWarn me if there is a fire.")


def test_a_network_that_blocks_live_video_gets_pictures(open_page: Opener) -> None:
    page = open_page("delete window.RTCPeerConnection")
    page.click("#start-security")
    page.locator("#conversation-security", has_text="one picture a second").wait_for(timeout=10_000)
    wait_for_decisions(page, "security", 4)
    assert page.get_attribute("#stage-security .jv-stage", "data-mode") is None
    wait_for_turn(page, "security", "came in|I see 2 people", 20)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("NotAllowedError", "The camera was refused"),
        ("NotFoundError", "No camera was found"),
        ("NotReadableError", "another program"),
    ],
)
def test_a_camera_that_cannot_be_had_is_told(open_page: Opener, fault: str, told: str) -> None:
    page = open_page(f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{fault}'))")
    choose_source(page, "security", "Camera")
    page.click("#start-security")
    page.locator("#stage-security .jv-state", has_text=told).wait_for(timeout=5_000)
    choose_source(page, "security", "Sample clip")
    page.click("#start-security")
    wait_for_decisions(page, "security", 2)


def test_an_unplugged_camera_is_told(open_page: Opener) -> None:
    page = open_page()
    choose_source(page, "security", "Camera")
    page.click("#start-security")
    wait_for_decisions(page, "security", 2)
    page.evaluate(
        "() => { const track = joyvl.stages.get('security').video.srcObject.getVideoTracks()[0];"
        " track.stop(); track.dispatchEvent(new Event('ended')); }"
    )
    page.locator("#stage-security .jv-state", has_text="The picture stopped arriving").wait_for(timeout=5_000)


@pytest.mark.parametrize("name", ["noise.mp4", "sound.wav"])
def test_an_upload_that_cannot_be_watched_is_told(open_page: Opener, tmp_path: Path, name: str) -> None:
    from tests.support import write_sound

    path = tmp_path / name
    if name == "noise.mp4":
        path.write_bytes(b"not a video" * 100)
    else:
        write_sound(path, 3)
    page = open_page()
    with page.expect_file_chooser() as chooser:
        choose_source(page, "security", "Upload a clip")
    chooser.value.set_files(path)
    page.click("#start-security")
    told = "only sound" if name == "sound.wav" else "cannot be played"
    page.locator("#stage-security .jv-state", has_text=told).wait_for(timeout=8_000)


def test_an_uploaded_clip_is_watched_to_its_end(open_page: Opener, tmp_path: Path) -> None:
    from tests.support import sign, write_clip

    clip = write_clip(tmp_path / "mine.mp4", [sign("HELLO THERE")] * 40)
    page = open_page()
    page.fill("#instruction-security textarea", "Read aloud any text that appears.")
    with page.expect_file_chooser() as chooser:
        choose_source(page, "security", "Upload a clip")
    chooser.value.set_files(clip)
    page.click("#start-security")
    wait_for_turn(page, "security", "HELLO THERE", 10)
    page.locator("#stage-security .jv-state", has_text="The clip has ended").wait_for(timeout=10_000)


def test_a_shared_screen_is_watched(open_page: Opener) -> None:
    page = open_page(
        "navigator.mediaDevices.getDisplayMedia = async () => {"
        " const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });"
        " const pen = canvas.getContext('2d'); let n = 0;"
        " setInterval(() => { pen.fillStyle = `hsl(${n++ % 360} 50% 50%)`; pen.fillRect(0, 0, 320, 240); }, 100);"
        " return canvas.captureStream(10); }"
    )
    choose_source(page, "security", "Screen")
    page.click("#start-security")
    wait_for_decisions(page, "security", 3)
    assert state_of(page) in ("Watching", "Speaking")


def test_a_log_rebuilds_the_page(open_page: Opener) -> None:
    log = ROOT / "assets" / "rating" / "starter" / "logs" / "embedded" / "new-slide.jsonl"
    page = open_page()
    page.get_by_role("tab", name="Lecture").click()
    with page.expect_file_chooser() as chooser:
        page.click("#replay-lecture")
    chooser.value.set_files(log)
    wait_for_state(page, "Looking at a log", "lecture")
    turns = page.locator("#conversation-lecture .jv-spoken span").all_inner_texts()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert turns == [line["text"] for line in lines if line["type"] == "spoken"] and len(turns) == 2
    assert decisions(page, "lecture") == len({int(line["t"]) for line in lines if line["type"] == "decision"})
    with page.expect_file_chooser() as chooser:
        page.click("#replay-lecture")
    chooser.value.set_files(ROOT / "README.md")
    page.locator("#stage-lecture .jv-state", has_text="not an event log").wait_for(timeout=5_000)


def test_two_visitors_do_not_see_each_other(open_page: Opener) -> None:
    first, second = open_page(), open_page()
    first.click("#start-security")
    wait_for_decisions(first, "security", 3)
    assert decisions(second, "security") == 0
    other = first.evaluate("() => joyvl.stages.get('security').id")
    status = second.evaluate(f"async () => (await fetch('/joyvl/sessions/{other}/log')).status")
    assert status == 400


def test_chinese_and_dark(open_page: Opener) -> None:
    page = open_page(locale="zh-CN", color_scheme="dark")
    assert page.locator("#start-security").inner_text() == "▶ 开始"
    assert page.input_value("#instruction-security textarea").startswith("有人进来时提醒我")
    page.click("#start-security")
    wait_for_turn(page, "security", "有人来了|看到 ?2 ?个人", 20)
    page.screenshot(path=OUT / "chinese-dark.png", full_page=True)
    page.click("#jv-language")
    assert page.locator("#stop-security").inner_text() == "■ Stop"
    assert page.input_value("#instruction-security textarea").startswith("Alert me when someone comes in")


def test_a_lost_server_is_told_and_the_page_stays(open_page: Opener) -> None:
    page = open_page()
    page.click("#start-security")
    wait_for_decisions(page, "security", 2)
    page.context.set_offline(True)
    page.fill("#ask-security textarea", "What do you see?")
    page.keyboard.press("Enter")
    page.locator("#understood-security", has_text="The server does not answer").wait_for(timeout=8_000)
    assert page.input_value("#ask-security textarea") == "What do you see?"
    page.context.set_offline(False)


def test_a_clip_is_labelled_and_its_annotations_can_be_trained_on(open_page: Opener, tmp_path: Path) -> None:
    from joyvl_app.train.convert import Conversion, Outcome, convert

    page = open_page()
    page.locator("#tab-label-button").click()
    label = page.locator("#jv-label")
    label.get_by_label("What is asked or said").fill("Say when someone comes.")
    label.get_by_role("button", name="The user asks").click()
    expect(label.get_by_role("status")).to_have_text("Choose a clip first.")
    label.get_by_label("Clip", exact=True).set_input_files(CLIPS / "security.mp4")
    expect(label.locator("video")).to_be_visible()
    label.get_by_role("button", name="The user asks").click()
    for _ in range(6):
        label.get_by_role("button", name="1 s on").click()
    words = label.get_by_label("What is asked or said")
    words.fill("Someone <b>comes</b>.")
    words.press("Enter")
    words.fill("Again.")
    words.press("Enter")
    expect(label.get_by_role("status")).to_contain_text("said at this second already")
    expect(label.locator(".jv-label-lines li")).to_have_count(2)
    page.reload()
    page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
    page.locator("#tab-label-button").click()
    expect(label.locator(".jv-told")).to_contain_text("1 of 1 clips")
    page.screenshot(path=OUT / "label.png")
    with page.expect_download() as download:
        label.get_by_role("button", name="Download annotations").click()
    download.value.save_as(tmp_path / "annotations.json")
    outcomes: list[Outcome] = []
    convert(Conversion(tmp_path / "annotations.json", CLIPS, tmp_path / "shards"), 1, outcomes.append)
    assert [(outcome.clips, outcome.rejected) for outcome in outcomes] == [(1, ())]
