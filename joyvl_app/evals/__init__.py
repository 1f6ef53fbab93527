"""Measuring presence: cases, replay, metrics, report. Nothing here knows the page."""
