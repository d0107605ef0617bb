"""What is watched of churn scores once they are published, and what a version promised of them."""

from __future__ import annotations

from typing import Final

from models.churn.baselines import Rule
from models.churn.model import ChurnModel
from models.monitoring.performance import level_error
from models.monitoring.predictions import Event, Promise

SHARE: Final = "churned_share"
CHURN: Final = Event(
    kind="churn",
    batch="scores",
    value="churn_probability",
    version="model_version",
    metrics=("auc", "log_loss", "brier", SHARE),
    horizon="horizon_days",
    share=SHARE,
    is_order=False,
)


def promise(model: ChurnModel) -> Promise | None:
    """What the version says of its scores; None for a rule, which says nothing."""
    if model.serves == Rule.role:
        return None
    metrics, role = model.card.get("metrics", {}), model.card.get("served_role")
    return Promise(
        metrics.get(role, {}), level_error=level_error(model.calibrations.get(model.serves))
    )
