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
    figure, axes = canvas()
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Churn probability stated")
    axes.set_ylabel("Share that churned")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="as stated")
    for role, points in curve.groupby("role", sort=False):
        axes.plot(points["predicted"], points["observed"], **_style(str(role)))
    axes.legend(frameon=False, fontsize="small")
    return png(figure)


def lift(curve: pd.DataFrame) -> bytes:
    """Draw the share of churners found among the most endangered, one line per role.

    Args:
        curve: `TrainingResult.lift_curve`.
    """
    figure, axes = canvas()
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="Share of customers, highest probability first")
    axes.set_ylabel("Share of churners")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="by chance")
    for role, points in curve.groupby("role", sort=False):
        axes.plot(points["share"], points["captured"], **_style(str(role), marker=None))
    axes.legend(frameon=False, fontsize="small")
    return png(figure)


def _style(role: str, marker: str | None = ".") -> dict[str, Any]:
    return {"label": role, "linewidth": 2.5 if role == "challenger" else 1.2, "marker": marker}


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
