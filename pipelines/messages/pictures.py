"""Pictures in the metadata of Dagster's assets, where people look at a run."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import dagster as dg
import duckdb

# From the first contact on the left to the loss; whoever is new to the books comes from nowhere.
STAGES = {
    "none": "#dddddd",
    "prospect": "#9aa5b1",
    "new": "#7fc8f8",
    "active": "#4caf7a",
    "won_back": "#2e7d6b",
    "watch": "#f4c95d",
    "quasi_churned": "#f2904e",
    "churned": "#c8553d",
}
BAR_WIDTH = 0.05
GAP_SHARE = 0.03  # of all movers, left empty between two bars


def in_markdown(picture: bytes) -> dg.MarkdownMetadataValue:
    """A PNG as metadata that Dagster's UI shows."""
    return dg.MetadataValue.md(
        f"![picture](data:image/png;base64,{base64.b64encode(picture).decode()})"
    )


def stage_flow_of_last_month(con: duckdb.DuckDBPyConnection) -> dg.MarkdownMetadataValue | None:
    """The stage flow of the last finished month, from the table lifecycle_transitions."""
    rows = con.execute(
        "select month, from_stage, to_stage, customers from lifecycle_transitions"
        " where is_finished qualify month = max(month) over ()"
    ).fetchall()
    if not rows:
        return None
    moves = {(left, entered): customers for _, left, entered, customers in rows}
    return in_markdown(stage_flow(moves, f"Customers who changed stage, {rows[0][0]:%B %Y}"))


def stage_flow(moves: Mapping[tuple[str, str], int], title: str) -> bytes:
    """Draw how many customers moved from which stage to which, as bands between two columns.

    Args:
        moves: customers by (stage left, stage entered).
        title: the time that the moves are of.
    """
    import numpy as np  # noqa: PLC0415  pictures are drawn in a run, not when Dagster loads

    from models.versions.plots import canvas, png  # noqa: PLC0415

    figure, axes = canvas()
    gap = GAP_SHARE * sum(moves.values())
    starts = _bars(axes, moves, side=0, gap=gap)
    ends = _bars(axes, moves, side=1, gap=gap)
    across = np.linspace(0, 1, 50)
    bend = across**2 * (3 - 2 * across)
    # From below, as the bars are stacked: bands of one bar then do not cross each other.
    for left in reversed(STAGES):
        for entered, color in reversed(STAGES.items()):
            if customers := moves.get((left, entered)):
                bottom = starts[left] + (ends[entered] - starts[left]) * bend
                axes.fill_between(
                    BAR_WIDTH + across * (1 - 2 * BAR_WIDTH),
                    bottom, bottom + customers,
                    color=color, alpha=0.55, linewidth=0,
                )  # fmt: skip
                starts[left] += customers
                ends[entered] += customers
    axes.set_title(title)
    axes.set_xlim(-0.35, 1.35)
    axes.set_axis_off()
    return png(figure)


def _bars(
    axes: object, moves: Mapping[tuple[str, str], int], *, side: int, gap: float
) -> dict[str, float]:
    """Draw one column, first stage on top; where each stage's bar begins from below."""
    totals = {
        stage: sum(customers for ends, customers in moves.items() if ends[side] == stage)
        for stage in STAGES
    }
    bottoms, height = {}, 0.0
    for stage in reversed(STAGES):
        bottoms[stage] = height
        if totals[stage]:
            axes.bar(  # type: ignore[attr-defined]
                side + (BAR_WIDTH / 2 if side == 0 else -BAR_WIDTH / 2), totals[stage], BAR_WIDTH,
                bottom=height, color=STAGES[stage],
            )  # fmt: skip
            axes.text(  # type: ignore[attr-defined]
                side + (-0.02 if side == 0 else 0.02), height + totals[stage] / 2,
                f"{stage.replace('_', ' ')}  {totals[stage]:,}",
                ha="right" if side == 0 else "left", va="center", fontsize="small",
            )  # fmt: skip
            height += totals[stage] + gap
    return bottoms
