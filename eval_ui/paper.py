"""What the paper reports of JoyAI-VL-Interaction (arXiv 2606.14777): settings won, tied and lost, in percent, and how many.

The number of settings is inferred from the percentages; raters, agreement and intervals were not published.
"""

from __future__ import annotations

from dataclasses import dataclass

from eval_ui.statistics import Interval, wilson

OVERALL = "overall"


@dataclass(frozen=True)
class Published:
    """One cell of the paper's table."""

    win: float
    tie: float
    loss: float
    n: int

    @property
    def wins(self) -> int:
        return round(self.win / 100 * self.n)

    @property
    def interval(self) -> Interval | None:
        """The Wilson interval that the paper leaves out."""
        return wilson(self.wins, self.n)


PAPER: dict[str, dict[str, Published]] = {
    "monitoring and alerting": {"Doubao": Published(100, 0, 0, 10), "Gemini": Published(100, 0, 0, 10)},
    "real-time counting": {"Doubao": Published(70, 30, 0, 10), "Gemini": Published(100, 0, 0, 10)},
    "real-time translation": {"Doubao": Published(80, 20, 0, 10), "Gemini": Published(100, 0, 0, 10)},
    "time awareness": {"Doubao": Published(80, 10, 10, 10), "Gemini": Published(50, 40, 10, 10)},
    "live commentary and guidance": {"Doubao": Published(55.6, 22.2, 22.2, 9), "Gemini": Published(100, 0, 0, 9)},
    "long visual memory": {"Doubao": Published(77.8, 22.2, 0, 9), "Gemini": Published(77.8, 22.2, 0, 9)},
    OVERALL: {"Doubao": Published(77.6, 17.2, 5.2, 58), "Gemini": Published(87.9, 10.3, 1.7, 58)},
}
