"""The Rate and Results pages in a real Chromium, with the keyboard alone."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from eval_ui.house import House
from eval_ui.studies import read_study
from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, served
from tests.rating import write_log, write_study_folder
from tests.support import ROOT, settings, write_clip

OUT = ROOT / "tests" / "out"
PASSWORD = "correct horse"
_VOTES = (
    "SELECT v.overall, v.revision, a.swapped, a.number, c.kind, v.spent, v.watched_left FROM votes v"
    " JOIN assignments a ON a.id = v.assignment_id JOIN comparisons c ON c.id = a.comparison_id"
    " WHERE c.study_id = 'brief' ORDER BY a.number"
)
_APART = """async () => {  // how far apart both are while they play, for three seconds
  const [a, b] = document.querySelectorAll('video');
  while (a.currentTime < 1) await new Promise((done) => { setTimeout(done, 20); });
  const apart = [];
  for (const end = performance.now() + 3000; performance.now() < end;) {
    apart.push(Math.abs(a.currentTime - b.currentTime));
    await new Promise((done) => { setTimeout(done, 50); });
  }
  return apart;
}"""
_HOSTILE = "<img src=x onerror='window.hacked = 1'><script>window.hacked = 1</script>"
_NO_STORAGE = (
    "for (const name of ['getItem', 'setItem', 'removeItem']) Storage.prototype[name] = () => { throw new Error('refused'); };"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's data, with a study of seven brief items, and one whose sides are of different length and whose every text is
    hostile."""
    data = tmp_path_factory.mktemp("rating")
    brief = write_study_folder(data / "brief", id="brief", per_rater=4, items=_brief_items())
    for name, seconds in (("long.mp4", 4.8), ("clip.mp4", 2.5)):
        write_clip(brief / name, [np.full((96, 160, 3), 8 * number % 256, np.uint8) for number in range(int(10 * seconds))])
    study = write_study_folder(data / "uneven", id="uneven", title={"en": _HOSTILE, "zh": _HOSTILE}, items=[_uneven_item()])
    write_log(study / "ours.jsonl", (0.2, _HOSTILE))
    write_clip(study / "short.mp4", [np.full((96, 160, 3), 90, np.uint8)] * 12)
    importing = Thread(target=lambda: asyncio.run(_take_in(data, brief, study)))  # Playwright has this thread's event loop
    importing.start()
    importing.join()
    return data


def _brief_items() -> list[dict[str, Any]]:
    sides = {"ours": {"log": "ours.jsonl"}, "other": {"log": "other.jsonl"}}
    item = {"aspect": "real-time counting", "instruction": "Count the birds.", "clip": "clip.mp4"}
    rated = [{"id": f"item-{number}", **item, "sides": sides} for number in range(5)]
    traps = [
        {"id": f"check-{expect}", **item, "kind": "trap", "aspect": "attention", "expect": expect} for expect in ("tie", "left")
    ]
    return [{"id": "practice", **item, "clip": "long.mp4", "kind": "practice", "sides": sides}, *rated, *traps]


def _uneven_item() -> dict[str, Any]:
    sides = {"ours": {"log": "ours.jsonl"}, "other": {"recording": "short.mp4", "turns": "other.jsonl", "crop": [0, 0, 1, 1]}}
    return {"id": "one", "aspect": _HOSTILE[:80], "instruction": _HOSTILE, "clip": "clip.mp4", "sides": sides}


async def _take_in(data: Path, *studies: Path) -> None:
    house = House(settings(data_dir=data, synthesizer="scripted"))
    for study in studies:
        await house.take_in(read_study(study))
    await house.aclose()


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    OUT.mkdir(exist_ok=True)
    with served("-m", "eval_ui", "serve", folder=folder, rating_password=PASSWORD) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield started
        started.close()


def _visit(visitor: BrowserContext, address: str, faults: list[str], study: str = "brief") -> Page:
    page = visitor.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}/?rate={study}")
    page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
    return page


def _rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(f"file:{folder / 'rating.db'}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def _locked(page: Page) -> bool:
    return bool(page.locator(".jv-question").first.evaluate("(set) => set.disabled"))


def _wait_until_open(page: Page) -> None:
    page.wait_for_function(
        "() => { const set = document.querySelector('.jv-question'); return set && !set.disabled; }", timeout=40_000
    )


def _number(page: Page) -> int:
    found = re.match(r"(\d+) of 7", page.inner_text(".jv-progress span"))
    assert found
    return int(found.group(1))


def test_a_rater_completes_a_study_with_the_keyboard(browser: Browser, address: str, folder: Path) -> None:
    """Reloads in the middle of an item, presses submit twice, opens a second tab, corrects a vote, and gets a code."""
    faults: list[str] = []
    visitor = browser.new_context(viewport={"width": 1280, "height": 900})
    page = _visit(visitor, address, faults)
    page.wait_for_selector(".jv-agree input[type=checkbox]", timeout=60_000)
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_selector(".jv-players video")
    seen = set()
    for number in range(1, 8):
        expect(page.locator(".jv-progress span")).to_contain_text(f"{number} of 7")
        seen.add(page.locator(".jv-side video").first.get_attribute("src"))
        assert _locked(page)
        page.keyboard.press("1")  # nothing happens before both sides have played
        assert page.is_disabled(".jv-questions .jv-primary") and page.locator(".jv-answer :checked").count() == 0
        page.keyboard.press("Space")
        if number == 1:
            apart = page.evaluate(_APART)
            assert len(apart) > 20 and sorted(apart)[int(0.95 * len(apart))] < 0.05
        if number == 2:
            page.wait_for_function("() => document.querySelector('video').currentTime > 1.5")
            page.screenshot(path=OUT / "rate.png")
            page.reload()
            page.wait_for_selector(".jv-players video")
            assert _number(page) == 2 and _locked(page)
            before = page.inner_text(".jv-questions .jv-told")
            assert int(re.findall(r"(\d+) s", before)[0]) <= 2  # what was played counts
            page.keyboard.press("Space")
        _wait_until_open(page)
        for key in ("1", "2", "3"):
            page.keyboard.press(key)
        if number == 3:
            _vote_in_another_tab(visitor, address, faults)
            page.keyboard.press("Enter")
            expect(page.locator("#jv-rate [role=alert]")).to_contain_text("rated this item already")
            continue
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
    page.wait_for_selector(".jv-completion")
    code = page.inner_text(".jv-completion")
    page.get_by_role("button", name="Previous item").click()
    page.wait_for_selector(".jv-players video")
    for key in ("4", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".jv-completion")).to_have_text(code)
    visitor.close()
    assert faults == [] and len(seen) == 7
    _check_database(folder, code)


def _vote_in_another_tab(visitor: BrowserContext, address: str, faults: list[str]) -> None:
    other = _visit(visitor, address, faults)
    other.wait_for_selector(".jv-players video")
    assert _number(other) == 3
    other.keyboard.press("Space")
    _wait_until_open(other)
    for key in ("2", "2", "2", "Enter"):
        other.keyboard.press(key)
    expect(other.locator(".jv-progress span")).to_contain_text("4 of 7")
    other.close()


def _check_database(folder: Path, code: str) -> None:
    votes = _rows(folder, _VOTES)
    assert [row[3] for row in votes] == list(range(7))  # one vote an item
    assert _rows(folder, "SELECT count(*) FROM assignments") == [(7,)]
    kinds = [row[4] for row in votes]
    assert kinds[0] == "practice" and sorted(kinds) == ["practice", *["rated"] * 4, "trap", "trap"]
    assert 2 <= sum(row[2] for row in votes) <= 5  # sides were swapped for about half
    assert votes[2][0] == "right" and votes[2][1] == 0  # the other tab came first
    assert votes[6][0] == "both_bad" and votes[6][1] == 1 and _rows(folder, "SELECT overall FROM corrections") == [("tie",)]
    assert all(2 < row[5] < 60 and row[6] > 2 for row in votes)
    assert _rows(folder, "SELECT completion FROM raters") == [(code,)]


def test_sides_of_different_length_hostile_texts_and_a_browser_that_stores_nothing(
    browser: Browser, address: str, folder: Path
) -> None:
    faults: list[str] = []
    visitor = browser.new_context(viewport={"width": 1280, "height": 900})
    visitor.add_init_script(_NO_STORAGE)
    page = visitor.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}/?rate=uneven")
    page.wait_for_selector(".jv-agree input[type=checkbox]", timeout=60_000)
    expect(page.locator(".jv-agree")).to_contain_text("Not blind")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_selector(".jv-players video")
    page.keyboard.press("Space")
    _wait_until_open(page)
    lengths = page.evaluate("() => [...document.querySelectorAll('video')].map((video) => Math.round(10 * video.duration))")
    assert sorted(lengths) == [12, 20]
    expect(page.locator(".jv-side .jv-words").first).to_be_visible()
    page.fill(".jv-comment textarea", f"=1+1 {_HOSTILE}")
    page.locator(".jv-play").focus()
    for key in ("3", "3", "3", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".jv-completion")
    page.click("#tab-results-button")
    page.fill("#jv-results input[type=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.select_option("#jv-results select >> nth=0", "uneven")
    expect(page.locator("#jv-results h2")).to_have_text(_HOSTILE)
    page.locator("#jv-results .jv-number").first.click()
    expect(page.locator(".jv-behind")).to_contain_text(f"=1+1 {_HOSTILE}")
    assert page.evaluate("() => window.hacked") is None
    visitor.close()
    assert faults == []


def test_a_clip_that_cannot_be_played_can_be_skipped(browser: Browser, address: str) -> None:
    faults: list[str] = []
    visitor = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = visitor.new_page()
    page.route("**/rating/media/**", lambda route: route.fulfill(status=200, body=b"nothing", content_type="video/mp4"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}/?rate=starter")
    page.wait_for_selector(".jv-agree input[type=checkbox]", timeout=60_000)
    page.check(".jv-agree input[type=checkbox]")
    page.click(".jv-agree .jv-primary")
    expect(page.locator("#jv-rate [role=alert]").first).to_contain_text("cannot be played in this browser")
    page.unroute("**/rating/media/**")
    first = page.locator(".jv-side video").first.get_attribute("src")
    page.get_by_role("button", name="Skip this item").click()
    expect(page.locator(".jv-side video").first).not_to_have_attribute("src", first or "")
    assert _number(page) == 1  # another one in its place
    page.wait_for_function("() => [...document.querySelectorAll('video')].every((video) => video.readyState > 1)")
    page.screenshot(path=OUT / "rate-phone.png", full_page=True)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    visitor.close()
    assert faults == []


def test_results_are_seen_with_the_password_and_clicked_down_to_their_votes(browser: Browser, address: str) -> None:
    faults: list[str] = []
    for name, size in (("results", {"width": 1280, "height": 1000}), ("results-phone", {"width": 390, "height": 844})):
        visitor = browser.new_context(viewport=size)  # type: ignore[arg-type]
        page = visitor.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
        page.click("#tab-results-button")
        page.fill("#jv-results input[type=password]", "wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#jv-results [role=alert]")).to_have_text("That is not the password.")
        page.fill("#jv-results input[type=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.select_option("#jv-results select >> nth=0", "brief")
        expect(page.locator("#jv-results")).to_contain_text("failed 2 of 2 attention checks")  # the keyboard's owner did not read
        expect(page.locator("#jv-results .jv-told")).to_contain_text("0 raters, 0 votes, open")
        page.check("#jv-results input[type=checkbox]")
        expect(page.locator("#jv-results .jv-told")).to_contain_text("1 raters, 4 votes, open. Fewer than 15 raters")
        assert page.locator("#jv-results svg rect").count() > 4
        page.screenshot(path=OUT / f"{name}.png", full_page=True)
        page.locator("#jv-results .jv-number").first.click()
        expect(page.locator(".jv-behind h3")).to_contain_text("The votes behind it: ")
        assert page.locator(".jv-behind tbody tr").count() >= 1
        page.select_option("#jv-results select >> nth=1", "timing")
        page.locator(".jv-more summary").first.click()
        expect(page.locator(".jv-more").first).to_contain_text("attention checks")
        with page.expect_download() as download:
            page.get_by_role("link", name="Export, names hidden").click()
        assert download.value.suggested_filename == "brief-votes.zip"
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        visitor.close()
    assert faults == []


def test_the_page_speaks_chinese_and_keeps_what_was_entered(browser: Browser, address: str) -> None:
    visitor = browser.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    page = _visit(visitor, address, [], "starter")
    page.wait_for_selector(".jv-agree", timeout=60_000)
    expect(page.locator("#jv-rate h2")).to_have_text("入门：哪个助手更在场？")
    page.check(".jv-agree input[type=checkbox]")
    page.click("#jv-language")
    expect(page.locator("#jv-rate h2")).to_have_text("Starter: which assistant is more present?")
    assert page.is_checked(".jv-agree input[type=checkbox]")
    page.click("#jv-dark")
    page.screenshot(path=OUT / "rate-dark.png")
    visitor.close()
