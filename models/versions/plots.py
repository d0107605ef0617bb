"""Line plots: what they show is data, drawn as PNG for a screen or as SVG for a page.

matplotlib is imported only when one is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, TypeAlias

import pandas as pd

INCHES = (5.0, 4.0)
DPI = 110
DECIMALS = 4
# The line that a plot is about, if it has one of these names.
BOLD = ("challenger", "trees")
# A line of more points is a curve, and shows no single ones.
MARKED = 50

Line: TypeAlias = tuple[Sequence[float | str], Sequence[float | None]]


@dataclass(frozen=True)
class Plot:
    """One line a name.

    Attributes:
        title: what is seen.
        x_label: of the horizontal axis, with its unit.
        y_label: of the vertical axis, with its unit.
        lines: by name, the points from left to right: x (numbers, or names of equal distance) and
            y (None: no point).
        intervals: by name of a line, lower and upper end at each of its points, which then are
            drawn without a line between them.
        diagonal: what the diagonal of the unit square means; None: no diagonal, axes as wide as
            the points.
    """

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Line]
    diagonal: str | None = None
    intervals: Mapping[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)

    def png(self) -> bytes:
        """The plot as PNG; equal plots give equal bytes."""
        return png(self._figure())

    def svg(self) -> str:
        """The plot as an SVG element; equal plots give equal text."""
        from matplotlib import rc_context  # noqa: PLC0415

        buffer = BytesIO()
        # Without a salt of its own matplotlib names the parts of a picture at random; text stays
        # text, so that the reader's fonts draw it and a search finds it.
        with rc_context({"svg.hashsalt": self.title, "svg.fonttype": "none"}):
            self._figure().savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        text = buffer.getvalue().decode()
        return text[text.index("<svg") :]

    def _figure(self) -> Any:
        figure, axes = canvas()
        axes.set(xlabel=self.x_label, ylabel=self.y_label, title=self.title)
        if self.diagonal is not None:
            axes.set(xlim=(0, 1), ylim=(0, 1))
            axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label=self.diagonal)
        for name, (x, y) in self.lines.items():
            marker = "." if len(x) < MARKED else None
            width = 2.5 if name in BOLD else 1.2
            points = [float("nan") if value is None else value for value in y]
            if name in self.intervals:
                (drawn,) = axes.plot(list(x), points, label=name, linestyle="none", marker="o")
                axes.vlines(list(x), *map(list, self.intervals[name]), color=drawn.get_color())
            else:
                axes.plot(list(x), points, label=name, linewidth=width, marker=marker)
        if any(isinstance(value, str) for x, _ in self.lines.values() for value in x):
            axes.tick_params(axis="x", labelrotation=30)
        axes.legend(frameon=False, fontsize="small")
        return figure

    def to_json(self) -> dict[str, Any]:
        """The plot as a card holds it."""
        return {
            "title": self.title,
            "x_label": self.x_label,
            "y_label": self.y_label,
            "lines": {name: [list(x), list(y)] for name, (x, y) in self.lines.items()},
            "diagonal": self.diagonal,
            "intervals": {name: list(map(list, ends)) for name, ends in self.intervals.items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Plot:
        """Read a plot back."""
        lines = {name: (points[0], points[1]) for name, points in stored["lines"].items()}
        # Cards of earlier releases have none.
        intervals = {name: (e[0], e[1]) for name, e in stored.get("intervals", {}).items()}
        return cls(
            stored["title"],
            stored["x_label"],
            stored["y_label"],
            lines,
            stored["diagonal"],
            intervals,
        )


def calibration(
    curve: pd.DataFrame,
    stated: str = "Churn probability stated",
    observed: str = "Share that churned",
) -> Plot:
    """The rate seen against the probability stated, one line per role.

    Args:
        curve: of `evaluation.curves.calibration_curve`.
        stated: what the horizontal axis is called.
        observed: what the vertical one is called.
    """
    return Plot(
        "Calibration",
        stated,
        observed,
        lines_of(curve, "predicted", "observed"),
        diagonal="as stated",
    )


def lift(curve: pd.DataFrame) -> Plot:
    """The share of churners found among the most endangered, one line per role.

    Args:
        curve: of `evaluation.curves.lift_curve`.
    """
    return Plot(
        "Churners found",
        "Share of customers, highest probability first",
        "Share of churners",
        lines_of(curve, "share", "captured"),
        diagonal="by chance",
    )


def lines_of(points: pd.DataFrame, x: str, y: str) -> dict[str, Line]:
    """The lines of a frame with the columns `role`, x and y, in its order."""
    return {
        str(role): (
            [_plain(value) for value in mine[x]],
            [None if pd.isna(value) else round(float(value), DECIMALS) for value in mine[y]],
        )
        for role, mine in points.groupby("role", sort=False)
    }


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else round(float(value), DECIMALS)


def canvas() -> tuple[Any, Any]:
    """An empty figure and its axes, without pyplot.

    pyplot keeps figures in a process-wide list and picks a backend from the machine.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def png(figure: Any) -> bytes:
    """The figure as PNG; equal figures give equal bytes."""
    buffer = BytesIO()
    # The software's version would make equal pictures differ in bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
