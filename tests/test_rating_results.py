"""From votes to the paper's table, to diagnostics, and to files that others read."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection

from eval_ui import ballots
from eval_ui.exporting import export, records, zipped
from eval_ui.house import House
from eval_ui.paper import OVERALL
from eval_ui.results import cells, results
from eval_ui.statistics import sign_test, wilson
from eval_ui.tally import Tally, read_tally
from joyvl_app.errors import BadInput
from tests.rating import NOW, ballot, cast, following, for_system, joined, plant, planted, vote_all


async def tally_of(house: House, study: str = "study") -> Tally:
    return await house.read(lambda connection: read_tally(connection, study))


async def test_wins_are_the_subjects_whichever_side_it_stood_on(house: House) -> None:
    await plant(house, planted(rated=10))
    done = await vote_all(house, await joined(house), "ours", "ours", "ours", "tie", "both_bad", "other")
    assert {given.swapped for given in done} == {True, False}
    (overall,) = [
        cell for cell in cells((await tally_of(house)).rated(False)) if (cell.aspect, cell.question) == (OVERALL, "overall")
    ]
    assert overall.counts == {"win": 6, "tie": 2, "both_bad": 1, "loss": 1} == overall.by_item
    assert (overall.votes, overall.items, overall.raters, overall.win_share) == (10, 10, 1, 0.6)
    assert overall.wilson == wilson(6, 10) and overall.sign_p == sign_test(6, 1) and overall.decisive_share == 6 / 7
    assert overall.alpha is None  # nobody shared an item with anybody


async def test_three_questions_are_counted_apart(house: House) -> None:
    await plant(house, planted(rated=1))
    rater = await joined(house)
    given = await following(house, rater)
    assert given
    await cast(house, rater, ballot(given, for_system(given, "ours"), for_system(given, "other"), "tie"))
    told = {cell.question: cell.counts for cell in cells((await tally_of(house)).rated(False)) if cell.aspect == OVERALL}
    assert told["quality"]["win"] == told["timing"]["loss"] == told["overall"]["tie"] == 1


async def test_aspects_and_opponents_have_rows_of_their_own(house: House) -> None:
    await plant(house, planted(rated=4, opponents=("polling", "silent"), per_rater=8))
    await vote_all(house, await joined(house), "ours")
    rows = [
        (cell.opponent, cell.aspect, cell.votes)
        for cell in cells((await tally_of(house)).rated(False))
        if cell.question == "timing"
    ]
    aspects = ["real-time counting", "time awareness", OVERALL]
    assert sorted(rows) == sorted(
        (opponent, aspect, votes) for opponent, counts in _split(rows).items() for aspect, votes in counts
    )
    assert {aspect for _, aspect, _ in rows} <= set(aspects)
    for opponent in ("polling", "silent"):
        of = {aspect: votes for name, aspect, votes in rows if name == opponent}
        assert of[OVERALL] == 4 == sum(votes for aspect, votes in of.items() if aspect != OVERALL)


def _split(rows: list[tuple[str, str, int]]) -> dict[str, list[tuple[str, int]]]:
    by: dict[str, list[tuple[str, int]]] = {}
    for opponent, aspect, votes in rows:
        by.setdefault(opponent, []).append((aspect, votes))
    return by


async def test_items_are_carried_by_the_majority_of_their_votes(house: House) -> None:
    await plant(house, planted(rated=1))
    for number, system in enumerate(("ours", "ours", "other", "tie")):
        await vote_all(house, await joined(house, number), system)
    (cell,) = [
        each for each in cells((await tally_of(house)).rated(False)) if (each.aspect, each.question) == (OVERALL, "overall")
    ]
    assert cell.by_item == {"win": 1, "tie": 0, "both_bad": 0, "loss": 0} and cell.raters == 4
    await vote_all(house, await joined(house, 9), "other")  # two against two: nobody's
    (cell,) = [
        each for each in cells((await tally_of(house)).rated(False)) if (each.aspect, each.question) == (OVERALL, "overall")
    ]
    assert cell.by_item["tie"] == 1


async def test_who_fails_two_checks_is_left_out_but_never_deleted(house: House) -> None:
    await plant(house, planted(rated=6, extras=(("trap", "tie"), ("trap", "left"), ("gold", "ours"))))
    await vote_all(house, await joined(house, 1), "ours")
    careless = await joined(house, 2)
    while (given := await following(house, careless)) is not None:
        await cast(house, careless, ballot(given, "right"))
    tally = await tally_of(house)
    told = results(tally)
    assert told["excluded"] == [{"rater": 2, "why": "failed 2 of 2 attention checks"}]
    assert (told["raters"], told["votes"]) == (1, 6)
    assert (results(tally, with_flagged=True)["raters"], results(tally, with_flagged=True)["votes"]) == (2, 12)
    one, two = told["panel"]
    assert (one["traps"], one["golds"], two["traps"], two["same_share"]) == ([2, 2], [1, 1], [0, 2], 1.0)
    assert not one["flagged"] and two["flagged"]
    assert len(tally.votes) == 18  # traps and gold are kept, too


async def test_who_skips_the_checks_is_left_out_too(house: House) -> None:
    """Another item comes in the place of each, so the plan is fulfilled; but nobody knows whether they watched."""
    await plant(house, planted(rated=8, per_rater=4, extras=(("trap", "tie"), ("trap", "left"))))
    rater = await joined(house)
    while (given := await following(house, rater)) is not None:
        if given.kind == "trap":
            await house.write(partial(_skip, rater, given.id))
        else:
            await cast(house, rater, ballot(given, "left"))
    told = results(await tally_of(house))
    assert told["panel"][0]["skipped"] == 2 and told["panel"][0]["votes"] == 6
    assert told["excluded"] == [{"rater": 1, "why": "failed 0 of 0 attention checks, skipped 2"}]


def _skip(rater: ballots.Rater, assignment: str, connection: Connection) -> None:
    ballots.skip(connection, rater, assignment)


async def test_a_correction_is_what_counts(house: House) -> None:
    await plant(house, planted(rated=1))
    rater = await joined(house)
    given = await following(house, rater)
    assert given
    await cast(house, rater, ballot(given, for_system(given, "other")))
    await cast(house, rater, ballot(given, for_system(given, "ours"), submission="again", replaces=0))
    told = results(await tally_of(house))
    assert told["cells"][-1]["counts"]["win"] == told["votes"] == 1 and told["panel"][0]["corrected"] == 1


async def test_no_votes_and_no_study(house: House) -> None:
    await plant(house, planted())
    told = results(await tally_of(house))
    assert told["cells"] == [] == told["panel"] and told["votes"] == 0
    with pytest.raises(BadInput, match="no study nowhere"):
        await tally_of(house, "nowhere")


async def _voted(house: House) -> Tally:
    await plant(house, planted(rated=4, extras=(("trap", "tie"),), opponents=("Doubao",)))
    rater = await joined(house)
    comments = ['=HYPERLINK("http://x")', "+1", 'fine, "really"\nyes', "", "@sum"]
    while (given := await following(house, rater)) is not None:
        answer = given.body["expect"] if given.kind == "trap" else for_system(given, "ours")
        await cast(house, rater, ballot(given, answer, comment=comments[given.number]))
    return await tally_of(house)


async def test_an_export_holds_every_vote_in_three_formats(house: House, tmp_path: Path) -> None:
    tally = await _voted(house)
    export(tally, tmp_path / "out", names=True)
    with pytest.raises(BadInput, match="is not empty"):
        export(tally, tmp_path / "out", names=False)
    lines = [json.loads(line) for line in (tmp_path / "out" / "votes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == records(tally, names=True) and len(lines) == 5
    assert {line["overall_winner"] for line in lines if line["kind"] == "rated"} == {"ours"}
    table = pq.read_table(tmp_path / "out" / "data" / "votes.parquet").to_pylist()
    assert table == lines
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "votes.csv").read_text(encoding="utf-8-sig"))))
    assert [row["comment"] for row in rows] == ['\'=HYPERLINK("http://x")', "'+1", 'fine, "really"\nyes', "", "'@sum"]
    assert [row["left"] for row in rows] == [line["left"] for line in lines]


async def test_hidden_names_are_nowhere_in_the_export(house: House, tmp_path: Path) -> None:
    tally = await _voted(house)
    with zipfile.ZipFile(io.BytesIO(zipped(tally, names=False))) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Doubao" not in content and b"system A" in content
    assert b"ours" not in content.replace(b"yours", b"")
    export(tally, tmp_path / "out", names=True)
    assert b"Doubao" in (tmp_path / "out" / "README.md").read_bytes()


async def test_the_data_card_lets_the_datasets_library_read_it(house: House, tmp_path: Path) -> None:
    tally = await _voted(house)
    export(tally, tmp_path / "out", names=False)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "5 votes of 1 raters" in card and "| overall | system A | 4 | 4 | 0 | 0 | 0 | 100% (51%–100%) |" in card
    assert _loaded(tmp_path / "out", tmp_path / "cache") == 5


def _loaded(folder: Path, cache: Path) -> int:
    from datasets import load_dataset

    loaded: Any = load_dataset(str(folder), split="train", cache_dir=str(cache))
    assert loaded.features["rater"].dtype == "int64" and set(loaded["kind"]) == {"rated", "trap"}
    return int(loaded.num_rows)


async def test_the_export_has_neither_cookies_nor_keys(house: House) -> None:
    tally = await _voted(house)
    told = json.dumps(records(tally, names=True))
    rater = await joined(house)
    assert ballots.key_of("browser-00000000000000000000000000000001", "study") not in told and "browser-" not in told
    assert rater.number == 1 and str(int(NOW)) not in told  # days, not seconds
