"""Hand-computed scores: every number here was worked out on paper."""

from __future__ import annotations

import time

import pytest

from joyvl_app.bench.metrics import made_up
from joyvl_app.evals.cases import Case, CaseSpec, Expected
from joyvl_app.evals.matching import Contents, Turn, match, match_anywhere, tokens
from joyvl_app.evals.metrics import Counts, Run, count, poisson_interval, read_run, scores
from joyvl_app.events import Answered, Decided, DelegationChanged, Event, Spoken, TickLate


def case(*events: Expected, seconds: float = 100.0, **more: object) -> Case:
    spec = CaseSpec.model_validate({"id": "c", "capability": "monitoring", "events": events, **more})
    return Case(spec, "c.yaml", "test", "clip", "real", seconds)


def run(*turns: tuple[float, str]) -> Run:
    return Run(turns=[Turn(t, text) for t, text in turns])


def at(t: float, *accept: str, **more: object) -> Expected:
    return Expected.model_validate({"t": t, "accept": accept, **more})


# --- what is said -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wording", "said", "accepted"),
    [
        ("2 people", "I count two people now.", True),
        ("2 people", "I count 12 people now.", False),
        ("sale", "The WHOLESALE begins.", False),
        ("$9.90", "Gift box with lid: $9.90.", True),
        ("9.90", "It costs 19.90.", False),
        ("SOLD OUT", "“Sold-out” is on screen", True),
        ("out sold", "sold out", False),
        ("1 个人", "现在有 1个人。", True),
        ("re:\\d+ seconds", "I last saw a cat 21 seconds ago.", True),
    ],
)
def test_a_wording_is_accepted_as_whole_words(wording: str, said: str, accepted: bool) -> None:
    contents = Contents([Turn(0, said)])
    assert bool(contents.accepted(at(0, wording))) is accepted


def test_a_sentence_may_resemble_what_was_expected() -> None:
    contents = Contents([Turn(0, "A man walks a small dog."), Turn(1, "Somebody opens the door.")])
    # 5 of 6 and 5 words agree: F1 = 2·5/11
    assert contents.accepted(Expected(t=0, like="A man walks a dog")) == {0}


def test_words_are_compared_without_their_dress() -> None:
    assert tokens("Two  PEOPLE, 3,000 €; 你好!") == ("2", "people", "3,000", "€", "你", "好")


# --- matching -----------------------------------------------------------------------------------------------------


def test_the_window_reaches_from_one_second_before_to_two_after() -> None:
    event = at(10, "cat")
    for t, hit in ((8.99, False), (9.0, True), (10.0, True), (12.0, True), (12.01, False)):
        assert bool(count(case(event), run((t, "a cat"))).hits) is hit


def test_until_keeps_an_event_timely() -> None:
    assert count(case(at(10, "cat", until=20)), run((21.9, "a cat"))).counts.hits == 1
    assert count(case(at(10, "cat", until=20)), run((22.1, "a cat"))).counts.hits == 0


def test_two_turns_on_one_event_are_a_hit_and_a_repeat() -> None:
    outcome = count(case(at(10, "cat")), run((10.5, "a cat"), (11.5, "a cat")))
    assert outcome.counts.hits == 1
    assert outcome.counts.duplicates == 1
    told = scores([outcome.counts])
    assert told["precision"] == 0.5 and told["recall"] == 1.0
    assert told["f1"] == pytest.approx(2 / 3)  # 2·1 / (2 turns + 1 event)
    assert told["duplicate_ratio"] == 0.5
    assert told["delay_p50"] == pytest.approx(0.5)


def test_one_turn_between_two_events_answers_the_earlier_one() -> None:
    outcome = count(case(at(10, "cat"), at(11, "cat")), run((11.5, "a cat")))
    assert outcome.hits == {0: 0}


def test_events_at_the_same_second_are_taken_in_the_order_given() -> None:
    first, second = at(10, "cat"), at(10, "dog", "cat")
    outcome = count(case(first, second), run((10.1, "a cat"), (10.1, "a dog")))
    assert outcome.hits == {0: 0, 1: 1}


def test_a_wrong_word_at_the_right_time_counts_for_timing_alone() -> None:
    told = scores([count(case(at(10, "cat")), run((10.5, "a dog"))).counts])
    assert (told["f1"], told["timing_f1"], told["content_f1"]) == (0.0, 1.0, 0.0)
    assert told["delay_p50"] is None


def test_the_right_word_at_the_wrong_time_counts_for_content_alone() -> None:
    told = scores([count(case(at(10, "cat")), run((40, "a cat"))).counts])
    assert (told["f1"], told["timing_f1"], told["content_f1"]) == (0.0, 0.0, 1.0)


def test_the_wide_window_takes_two_seconds_on_both_sides() -> None:
    counts = count(case(at(10, "cat")), run((8.2, "a cat"))).counts
    assert (counts.hits, counts.wide_hits) == (0, 1)


def test_an_empty_log_scores_nothing_and_a_log_without_expectations_is_undefined() -> None:
    told = scores([count(case(at(10, "cat")), run()).counts])
    assert (told["f1"], told["recall"], told["precision"]) == (0.0, 0.0, None)
    told = scores([count(case(), run()).counts])
    assert told["f1"] is None and told["false_alarms"] == 0
    assert scores([])["f1"] is None


def test_matching_by_content_takes_each_turn_once() -> None:
    events, turns = [at(1, "cat"), at(50, "cat"), at(60, "cat")], [Turn(30, "a cat"), Turn(31, "a cat")]
    assert match_anywhere(events, turns, Contents(turns)) == {0: 0, 1: 1}


# --- quiet --------------------------------------------------------------------------------------------------------


def test_quiet_is_what_lies_between_events() -> None:
    # after the instruction's 5 s, up to 1 s before the event; from 2 s after it to the end
    assert case(at(20, "cat"), seconds=60, instruction="x").quiet == ((5.0, 19.0), (22.0, 60.0))
    assert case(seconds=60, instruction="x").quiet == ((0.0, 60.0),)
    assert case(seconds=60, heard=[{"t": 30, "text": "What?"}]).quiet == ((0.0, 30.0), (35.0, 60.0))


def test_false_alarms_are_turns_in_quiet_spans_over_their_hours() -> None:
    spans = {"quiet": [(0, 30), (60, 90)]}
    outcome = count(case(at(45, "cat"), seconds=120, **spans), run((5, "?"), (30, "?"), (45, "cat"), (89.9, "?")))
    assert outcome.counts.false_alarms == 2  # 30.0 lies outside
    told = scores([outcome.counts])
    assert told["quiet_hours"] == pytest.approx(60 / 3600)
    assert told["false_alarms_per_quiet_hour"] == pytest.approx(120)


def test_zero_alarms_still_leave_a_rate() -> None:
    assert poisson_interval(0, 1.0) == pytest.approx((0.0, 3.6889), abs=1e-4)
    assert poisson_interval(3, 2.0) == pytest.approx((0.61867 / 2, 8.76727 / 2), abs=1e-4)  # tabulated
    assert poisson_interval(0, 0.0) is None


# --- logs ---------------------------------------------------------------------------------------------------------


def spoken(t: float, text: str, decided: float | None = None) -> Spoken:
    return Spoken(t=t, t_start=t, t_end=t, text=text, decision_t=t if decided is None else decided)


def test_a_delegation_s_note_and_answer_are_no_turns_of_their_own() -> None:
    log: list[Event] = [
        Decided(t=5, action="delegate", text="Let me see.", question="why?", p_act=0.9, decision_ms=10, age_ms=120),
        spoken(5.1, "Let me see.", 5),
        DelegationChanged(t=5, id="d1", state="submitted", question="why?"),
        Answered(t=9, id="d1", state="ready", digest="Because."),
        Decided(t=10, action="respond", text="Because.", p_act=0.9, decision_ms=10, age_ms=80),
        spoken(10.0, "Because."),
        TickLate(t=11, skipped=2),
        spoken(12.0, "A cat."),
    ]
    told = read_run(log)
    assert [turn.text for turn in told.turns] == ["A cat."]
    assert (told.delegated, told.answered, told.skipped) == ([5.0], [10.0], 2)
    hard = case(Expected(t=5, kind="delegate"), at(12, "cat"))
    figures = scores([count(hard, told).counts])
    assert (figures["delegation_precision"], figures["delegation_recall"], figures["f1"]) == (1.0, 1.0, 1.0)
    assert figures["decision_age_max"] == pytest.approx(0.12)
    assert figures["answers_spoken"] == 1


def test_delegating_what_is_not_hard_costs_precision() -> None:
    told = Run(delegated=[5.0, 30.0])
    figures = scores([count(case(Expected(t=30, kind="delegate")), told).counts])
    assert (figures["delegation_precision"], figures["delegation_recall"]) == (0.5, 1.0)


def test_the_interval_holds_the_figure_and_resamples_cases() -> None:
    good = Counts(events=1, turns=1, hits=1, timing_hits=1)
    bad = Counts(events=1, turns=1)
    low, high = scores([good] * 30 + [bad] * 10)["f1_ci"]
    assert low < 0.75 < high and 0.55 < low and high < 0.92
    assert scores([good] * 30)["f1_ci"] == (1.0, 1.0)


def test_a_hundred_thousand_events_in_two_seconds() -> None:
    case, run = made_up()
    began = time.perf_counter()
    told = scores([count(case, run).counts])
    assert time.perf_counter() - began < 2.0
    assert told["n_events"] + told["n_turns"] == 100_000 and 0.6 < told["recall"] < 0.95


def test_matching_without_content_takes_the_earliest_free_turn() -> None:
    events = [at(1, "a"), at(2, "b")]
    turns = [Turn(1.5, "x"), Turn(1.6, "y")]
    assert match(events, turns, None, [event.window for event in events]) == {0: 0, 1: 1}
