"""Pictures of an evaluation as PNG bytes; matplotlib is imported only when one is drawn."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pandas as pd

INCHES = (5.0, 4.0)
DPI = 110


def calibration(curve: pd.DataFrame) -> bytes:
    """Draw the churn rate seen against the probability stated, one line per role.

    Args:
        curve: `TrainingResult.calibration_curve`.
    """
    figure, axes = _figure("Churn probability stated", "Share that churned")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="as stated")
    for role, points in curve.groupby("role", sort=False):
        axes.plot(points["predicted"], points["observed"], **_style(str(role)))
    return _png(figure, axes)


def lift(curve: pd.DataFrame) -> bytes:
    """Draw the share of churners found among the most endangered, one line per role.

    Args:
        curve: `TrainingResult.lift_curve`.
    """
    figure, axes = _figure("Share of customers, highest probability first", "Share of churners")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="by chance")
    for role, points in curve.groupby("role", sort=False):
        axes.plot(points["share"], points["captured"], **_style(str(role), marker=None))
    return _png(figure, axes)


def _style(role: str, marker: str | None = ".") -> dict[str, Any]:
    return {"label": role, "linewidth": 2.5 if role == "challenger" else 1.2, "marker": marker}


def _figure(x: str, y: str) -> tuple[Any, Any]:
    # Not pyplot: it keeps figures in a process-wide list and picks a backend from the machine.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1), xlabel=x, ylabel=y)
    return figure, axes


def _png(figure: Any, axes: Any) -> bytes:
    axes.legend(frameon=False, fontsize="small")
    buffer = BytesIO()
    # The software's version would make equal pictures differ in bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
