"""Joining, drawing, voting, correcting: on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select

from eval_ui import ballots
from eval_ui.ballots import Given, Rater
from eval_ui.drawing import plan, swap
from eval_ui.house import House
from eval_ui.votes import AlreadyVoted
from joyvl_app.errors import BadInput
from joyvl_app.store.models import AssignmentRow, ComparisonRow, CorrectionRow, InvitationRow, RaterRow, VoteRow
from tests.rating import NOW, ballot, cast, following, joined, owner, plant, planted, vote_all


async def count(house: House, table: Any) -> int:
    return await house.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())


async def begun(house: House) -> tuple[Rater, Given]:
    """A rater with a first item."""
    await plant(house, planted())
    rater = await joined(house)
    given = await following(house, rater)
    assert given
    return rater, given


async def test_a_rater_gets_each_item_once_and_each_vote_is_stored_once(house: House) -> None:
    await plant(house, planted(rated=6))
    rater = await joined(house)
    done = await vote_all(house, rater, "ours", "other", "tie")
    assert len({given.id for given in done}) == 6 == await count(house, VoteRow)
    assert [given.number for given in done] == list(range(6))
    assert await following(house, rater) is None


async def test_an_item_stays_the_same_until_it_is_voted_on(house: House) -> None:
    await plant(house, planted())
    rater = await joined(house)
    first, again = await following(house, rater), await following(house, rater)
    assert first is not None and first == again
    assert await count(house, AssignmentRow) == 1


async def test_the_same_submission_twice_is_one_vote(house: House) -> None:
    rater, given = await begun(house)
    votes = [ballot(given, "left", submission="form") for _ in range(8)]
    assert await asyncio.gather(*(cast(house, rater, vote) for vote in votes)) == [0] * 8
    assert (await count(house, VoteRow), await count(house, CorrectionRow)) == (1, 0)
    assert await house.read(lambda c: c.execute(select(func.sum(ComparisonRow.votes))).scalar_one()) == 1


async def test_the_same_form_with_other_answers_is_not_taken_for_a_repetition(house: House) -> None:
    """The answer to the first sending was lost, and the rater thought again."""
    rater, given = await begun(house)
    await cast(house, rater, ballot(given, "left", submission="form"))
    with pytest.raises(AlreadyVoted):
        await cast(house, rater, ballot(given, "right", submission="form"))
    assert await cast(house, rater, ballot(given, "right", submission="another", replaces=0)) == 1


async def test_a_second_tab_does_not_overwrite_the_first(house: House) -> None:
    rater, given = await begun(house)
    await cast(house, rater, ballot(given, "left", submission="one tab"))
    with pytest.raises(AlreadyVoted, match="another tab"):
        await cast(house, rater, ballot(given, "right", submission="other tab"))
    assert (await house.read(lambda c: ballots.given(c, rater, 0))).vote == {
        "revision": 0, "quality": "left", "timing": "left", "overall": "left", "comment": "",
    }  # fmt: skip


async def test_a_correction_replaces_the_vote_and_keeps_what_it_was(house: House) -> None:
    rater, given = await begun(house)
    await cast(house, rater, ballot(given, "left", submission="a", comment="first"))
    assert await cast(house, rater, ballot(given, "right", submission="b", replaces=0, watched=(0.0, 0.0))) == 1
    assert await cast(house, rater, ballot(given, "right", submission="b", replaces=0)) == 1  # sent twice
    assert await cast(house, rater, ballot(given, "left", submission="a", comment="first")) == 1  # the first one, late once more
    with pytest.raises(AlreadyVoted):
        await cast(house, rater, ballot(given, "tie", submission="c", replaces=0))
    kept = await house.read(
        lambda c: c.execute(select(CorrectionRow.revision, CorrectionRow.overall, CorrectionRow.comment)).all()
    )
    assert [tuple(row) for row in kept] == [(0, "left", "first")]
    spent = await house.read(lambda c: c.execute(select(VoteRow.spent, VoteRow.watched_left)).one())
    assert tuple(spent) == (40.0, 2.0)  # both times together
    now = await house.read(lambda c: ballots.given(c, rater, 0))
    assert now.vote and (now.vote["overall"], now.vote["revision"]) == ("right", 1)


@pytest.mark.parametrize(
    ("changes", "after"),
    [({"watched": (2.0, 0.4)}, 60.0), ({"watched": (0.0, 2.0)}, 60.0), ({}, 0.5), ({"watched": (0.0, 0.0)}, 60.0)],
)
async def test_a_vote_before_both_sides_have_played_is_refused(house: House, changes: dict[str, Any], after: float) -> None:
    rater, given = await begun(house)
    with pytest.raises(BadInput, match="let both sides play"):
        await cast(house, rater, ballot(given, "left", **changes), NOW + after)
    assert await count(house, VoteRow) == 0


async def test_nobody_votes_on_what_was_given_to_somebody_else(house: House) -> None:
    await plant(house, planted())
    mine, other = await joined(house, 1), await joined(house, 2)
    given = await following(house, mine)
    assert given
    with pytest.raises(BadInput, match="not given to you"):
        await cast(house, other, ballot(given, "left"))
    with pytest.raises(BadInput, match="not given to you"):
        await cast(house, mine, ballot(Given(**{**vars(given), "id": "guessed"}), "left"))
    assert await house.read(lambda c: ballots.rater_of(c, "study", "forged")) is None
    assert await house.read(lambda c: ballots.rater_of(c, "study", "")) is None


async def test_joining_twice_is_one_rater_and_raters_of_two_studies_cannot_be_linked(house: House) -> None:
    for name in ("study", "second"):
        await plant(house, planted(name))
    one, again = await joined(house), await joined(house)
    other = await joined(house, study="second")
    assert one == again != other
    keys = await house.read(lambda c: c.execute(select(RaterRow.key)).scalars().all())
    assert len(set(keys)) == 2 and not any(owner(1) in key for key in keys)


async def test_a_closed_study_takes_neither_raters_nor_votes(house: House) -> None:
    from eval_ui.commands import set_state

    rater, given = await begun(house)
    await set_state(house, "study", "closed")
    for attempt in (cast(house, rater, ballot(given, "left")), following(house, rater), joined(house, 2)):
        with pytest.raises(BadInput, match="closed"):
            await attempt
    await set_state(house, "study", "open")
    assert await cast(house, rater, ballot(given, "left")) == 0


async def test_invitations_are_known_once_and_in_time(house: House) -> None:
    await plant(house, planted(invitation=True))
    code, late = await house.write(lambda c: ballots.invite(c, "study", 2, 1, NOW + 10))
    with pytest.raises(BadInput, match="not known"):
        await joined(house, 1, code="WRONG")
    with pytest.raises(BadInput, match="not known"):
        await joined(house, 1)
    await joined(house, 1, code=f" {code.lower()} ")
    await joined(house, 1)  # once in, no code is needed
    with pytest.raises(BadInput, match="has been used"):
        await joined(house, 2, code=code)
    with pytest.raises(BadInput, match="expired"):
        await house.write(lambda c: ballots.join(c, "study", owner(3), late, NOW + 11))
    digests = await house.read(lambda c: c.execute(select(InvitationRow.digest)).scalars().all())
    assert code not in str(digests)


async def test_an_item_that_cannot_be_played_is_skipped_and_comes_no_more(house: House) -> None:
    await plant(house, planted(rated=3))
    rater = await joined(house)
    given = await following(house, rater)
    assert given
    await house.write(lambda c: ballots.skip(c, rater, given.id))
    rest = await vote_all(house, rater, "ours")
    assert len(rest) == 2 and given.id not in {one.id for one in rest}
    course = await house.read(lambda c: ballots.course_of(c, rater, ballots.open_study(c, "study")))
    assert (course.given, course.voted, course.done) == (3, 2, False)  # two of three: no code for that
    with pytest.raises(BadInput, match="no such item to skip"):
        await house.write(lambda c: ballots.skip(c, rater, rest[0].id))


async def test_another_item_comes_in_the_place_of_a_skipped_one(house: House) -> None:
    await plant(house, planted(rated=5, per_rater=3))
    rater = await joined(house)
    given = await following(house, rater)
    assert given
    await house.write(lambda c: ballots.skip(c, rater, given.id))
    assert len(await vote_all(house, rater, "ours")) == 3
    course = await house.read(lambda c: ballots.course_of(c, rater, ballots.open_study(c, "study")))
    assert course.done


async def test_the_least_rated_items_come_first_and_their_sides_alternate(house: House) -> None:
    """30 raters of 4 items out of 12: all items within one vote of one another, and left and right even on each."""
    await plant(house, planted(rated=12, per_rater=4))
    swapped = Counter[bool]()
    for number in range(30):
        for given in await vote_all(house, await joined(house, number), "ours"):
            swapped[given.swapped] += 1
    rows = await house.read(lambda c: c.execute(select(ComparisonRow.votes, ComparisonRow.drawn, ComparisonRow.swapped)).all())
    assert {row.votes for row in rows} == {10} and all(row.drawn == 10 and row.swapped == 5 for row in rows)
    assert swapped[True] == swapped[False] == 60


async def test_one_rater_of_a_fresh_study_has_sides_about_even(house: House) -> None:
    await plant(house, planted(rated=20))
    done = await vote_all(house, await joined(house), "ours")
    assert abs(2 * sum(given.swapped for given in done) - 20) <= 2


async def test_raters_who_draw_at_once_get_different_numbers_and_balanced_items(house: House) -> None:
    await plant(house, planted(rated=10, per_rater=1))
    raters = await asyncio.gather(*(joined(house, number) for number in range(20)))
    assert sorted(rater.number for rater in raters) == list(range(1, 21))
    await asyncio.gather(*(following(house, rater) for rater in raters))
    drawn = await house.read(lambda c: c.execute(select(ComparisonRow.drawn)).scalars().all())
    assert set(drawn) == {2}


async def test_practice_comes_first_and_checks_lie_among_the_rest(house: House) -> None:
    extras = (("practice", ""), ("trap", "tie"), ("trap", "left"), ("gold", "ours"))
    await plant(house, planted(rated=8, extras=extras))
    done = await vote_all(house, await joined(house), "ours")
    assert done[0].kind == "practice" and Counter(given.kind for given in done) == {
        "practice": 1, "rated": 8, "trap": 2, "gold": 1,
    }  # fmt: skip
    assert done[1].kind == "rated"


async def test_text_that_is_no_text_and_sql_are_stored_as_they_are(house: House) -> None:
    rater, given = await begun(house)
    comment = "'); DROP TABLE votes; -- <script>alert(1)</script> =1+1 \0 \ud800" + "x" * 2_000
    await cast(house, rater, ballot(given, "left", comment=comment))
    stored = await house.read(_comment)
    assert stored.startswith("'); DROP TABLE votes; -- <script>alert(1)</script> =1+1") and len(stored) == 1_000


def _comment(connection: Connection) -> str:
    return str(connection.execute(select(VoteRow.comment)).scalar_one())


@for_all(st.integers(0, 2**31), st.integers(1, 60), st.integers(0, 5), st.integers(0, 5), st.integers(0, 3))
def test_a_plan_is_whole_and_the_same_for_the_same_seed(seed: int, rated: int, traps: int, golds: int, practice: int) -> None:
    there = {"rated": rated, "trap": traps, "gold": golds, "practice": practice}
    kinds = plan(seed, 20, there)
    assert kinds == plan(seed, 20, there)
    assert kinds.count("rated") == min(20, rated)
    assert kinds[:practice] == ["practice"] * practice and kinds.count("practice") == practice
    assert kinds[practice] == "rated"
    assert kinds.count("trap") >= min(traps, 2)
    assert kinds.count("trap") + kinds.count("gold") <= max(2, min(20, rated) // 2)


def test_sides_alternate_on_an_item_and_else_are_left_to_chance() -> None:
    chance = random.Random(1)
    assert swap((3, 1), (9, 9), chance) and not swap((3, 2), (9, 0), chance)  # the item's own balance comes first
    assert {swap((2, 1), (4, 2), chance) for _ in range(50)} == {True, False}
    assert not swap((0, 0), (2, 2), chance) and swap((0, 0), (2, 0), chance)  # a rater's sides do not come apart
