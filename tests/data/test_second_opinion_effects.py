"""Effects computed a second time: numpy's least squares with a dummy per stratum, on raw orders."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.data.lake_in_pandas import VARS, LakeInPandas

WINDOW = pd.Timedelta(days=90)


def least_squares(
    y: np.ndarray, treated: np.ndarray, strata: np.ndarray, before: np.ndarray | None
) -> tuple[float, float, float]:
    """The coefficient of `treated` with its 95% interval, as list_effect defines them.

    Each stratum has a variance of its own (White's estimator with squared residuals averaged over
    the stratum) and the degrees of freedom are Satterthwaite's.
    """
    codes = pd.factorize(strata)[0]
    both = pd.Series(treated).groupby(codes).transform(lambda t: 0 < t.sum() < len(t)).to_numpy()
    y, treated, codes = y[both], treated[both].astype(float), pd.factorize(codes[both])[0]
    dummies = np.eye(codes.max() + 1)[codes]
    regressors = [treated, *([] if before is None else [before[both]])]
    design = np.column_stack([*regressors, dummies])
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    others = design[:, 1:]
    alone = treated - others @ np.linalg.lstsq(others, treated, rcond=None)[0]
    sizes = np.bincount(codes)
    if before is not None:
        # the variance weighs a stratum by its share of what is left of `treated`
        slope = np.linalg.lstsq(np.column_stack([before[both], dummies]), treated, rcond=None)[0][0]
        centred = [v - (np.bincount(codes, v) / sizes)[codes] for v in (treated, before[both])]
        alone = centred[0] - slope * centred[1]
    weights = np.bincount(codes, alone**2)
    parts = weights * np.bincount(codes, residual**2) / (sizes - 1)
    degrees = parts.sum() ** 2 / (parts**2 / (sizes - 1)).sum()
    estimated = len(regressors)
    error = np.sqrt(parts.sum() / weights.sum() ** 2 * degrees / (degrees - estimated))
    margin = stats.t.ppf(0.975, degrees - estimated) * error
    return coefficients[0], coefficients[0] - margin, coefficients[0] + margin


@pytest.mark.parametrize("kind", ["revisit", "training", "community"])
def test_matched_groups_differ_before_as_least_squares_says(
    marts_and_lake: duckdb.DuckDBPyConnection, kind: str
) -> None:
    """The placebo of matched comparisons and its margin, from the published facts of either."""
    rows = marts_and_lake.sql(
        f"""
        select stratum_before, orders_before, true as treated
        from activity_assignments
        inner join activity_outcomes using (customer_id, assigned_on)
        where activity_kind = '{kind}' and comparison = 'matched' and stratum_before is not null
        union all
        select stratum_before, orders_before, false from activity_outcomes
        where free_of_{kind} and stratum_before is not null and stratum is not null
        """
    ).df()
    difference, lower, upper = least_squares(
        rows["orders_before"].to_numpy(float),
        rows["treated"].to_numpy(bool),
        rows["stratum_before"].to_numpy(),
        None,
    )

    found = marts_and_lake.execute(
        """
        select before_difference, before_lower_95, before_upper_95, before_spread, comparison
        from list_effect
        where activity_kind = ? and activity_code = 'all' and outcome = 'orders'
        """,
        [kind],
    ).fetchall()[0]

    groups = rows.groupby("stratum_before")
    compared = rows[groups["treated"].transform("nunique") == 2]
    deviations = compared["orders_before"] - compared.groupby("stratum_before")[
        "orders_before"
    ].transform("mean")
    assert found[4] == "matched"
    assert found[3] == pytest.approx(np.sqrt((deviations**2).mean()), abs=1e-4)
    assert found[0] == pytest.approx(difference, abs=1e-4)
    if found[1] is not None:
        assert found[1:3] == pytest.approx((lower, upper), abs=2e-4)


# -- from the lake alone: who was assigned, and what they did before and after --


def assigned(lake: LakeInPandas) -> pd.DataFrame:
    """Members of campaigns, and of lists: from the first time in a quarter on."""
    members = lake.rows["campaign_members"]
    campaigns = pd.DataFrame({
        "kind": "campaign", "code": members.campaign_id, "stratum": members.campaign_id,
        "customer_id": members.customer_id, "day": members.assigned_on,
        "arm": members.arm.fillna("treatment"),
    })  # fmt: skip
    listed = lake.batches("published_lists")
    listed = listed[pd.to_datetime(listed._batch) < lake.as_of].sort_values("_batch")
    tasks = listed.drop_duplicates("list_row_id").sort_values(["listed_on", "list_row_id"])
    by_lot = tasks[tasks.held_out_of.notna()].drop_duplicates(["campaign_cycle", "customer_id"])
    programme = pd.DataFrame({
        "kind": "programme", "code": "all", "stratum": by_lot.campaign_cycle,
        "customer_id": by_lot.customer_id, "day": pd.to_datetime(by_lot.listed_on),
        "arm": np.where(by_lot.held_out_of == "all_lists", "control", "treatment"),
    })  # fmt: skip
    tasks = tasks[tasks.held_out_of != "all_lists"]
    tasks = tasks.drop_duplicates(["list_code", "campaign_cycle", "customer_id"])
    lists = pd.DataFrame({
        "kind": "list", "code": tasks.list_code,
        "stratum": tasks.list_code + tasks.campaign_cycle,
        "customer_id": tasks.customer_id, "day": pd.to_datetime(tasks.listed_on), "arm": tasks.arm,
    })  # fmt: skip
    all_three = pd.concat([campaigns, lists, programme], ignore_index=True)
    forgotten = all_three.customer_id.isin(lake.rows["erasure_requests"].customer_id)
    return (
        all_three[~forgotten]
        .reset_index(drop=True)
        .assign(treated=lambda rows: rows.arm == "treatment")
    )


@pytest.fixture(scope="module")
def lived(lake: LakeInPandas) -> pd.DataFrame:
    """All assignments with each outcome and the same of the days before (`x_...`)."""
    rows = assigned(lake)
    tickets = lake.rows["tickets"]
    events = {
        "orders": (lake.purchases.ordered_on, lake.purchases.customer_id, None),
        "earned": (lake.purchases.ordered_on, lake.purchases.customer_id, lake.purchases.profit),
        "lost": (lake.returns.returned_on, lake.returns.customer_id, lake.returns.lost),
        "complaints": (tickets.opened_on, tickets.customer_id, tickets.kind == "complaint"),
    }
    joined = {
        name: rows.reset_index().merge(
            pd.DataFrame({"on": on, "customer_id": who, "value": 1 if what is None else what}),
            on="customer_id",
        )
        for name, (on, who, what) in events.items()
    }

    def within(name: str, window: int, sign: int) -> pd.Series:
        gap = (joined[name]["on"] - joined[name]["day"]).dt.days * sign
        inside = joined[name][(gap > 0) & (gap <= window)]
        return inside.groupby("index").value.sum().reindex(rows.index, fill_value=0).astype(float)

    days = WINDOW.days
    for prefix, sign in (("", 1), ("x_", -1)):
        for window in (30, 60, days):
            rows[f"{prefix}bought_{window}"] = (within("orders", window, sign) > 0).astype(float)
        rows[f"{prefix}orders_{days}"] = within("orders", days, sign)
        profit = within("earned", days, sign) - within("lost", days, sign)
        rows[f"{prefix}profit_{days}"] = profit / 100
        rows[f"{prefix}complaints_{days}"] = within("complaints", days, sign)
        gone = lake.stages[lake.stages.stage == "churned"]
        then = rows.day + (WINDOW if sign > 0 else pd.Timedelta(days=-1))
        spells = rows.assign(then=then).reset_index().merge(gone, on="customer_id")
        inside = (spells.valid_from <= spells.then) & ~(spells.valid_to <= spells.then)
        rows[f"{prefix}churned_{days}"] = rows.index.isin(spells["index"][inside]).astype(float)
    return rows.assign(ends=rows.day + WINDOW)


@pytest.mark.parametrize(
    "kind",
    ["campaign", "campaign_purpose", "campaign_tactic", "campaign_channel", "list", "programme"],
)
def test_effects_from_the_lake_alone(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas, lived: pd.DataFrame, kind: str
) -> None:
    """Every campaign and list, all of a kind, and campaigns of a sort: counts, totals, effects."""
    found = sample_marts.execute(
        "from list_effect where activity_kind = ? and campaign_cycle = 'all'"
        " and outcome not in ('net_profit', 'satisfaction')",
        [kind],
    ).df()
    base, _, sort = kind.partition("_")
    rows = lived[lived.kind == base]
    if sort:
        sorts = lake.rows["campaigns"].set_index("campaign_id")[sort]
        rows = rows.assign(code=rows.code.map(sorts)).dropna(subset="code")
    assert set(found.activity_code) == {*rows.code} | ({"all"} if not sort else set())
    compared = measured = 0
    for told in found.itertuples():
        of_code = rows if told.activity_code == "all" else rows[rows.code == told.activity_code]
        over = of_code[of_code.day + pd.Timedelta(days=told.window_days) <= lake.as_of]
        y = over[f"{told.outcome}_{told.window_days}"].to_numpy()
        treated = over.treated.to_numpy()
        assert told.waiting_customers == len(of_code) - len(over)
        assert (told.treated_customers, told.control_customers) == (treated.sum(), (~treated).sum())
        totals = (float(told.treated_total), float(told.control_total))
        assert totals == pytest.approx((y[treated].sum(), y[~treated].sum()), abs=0.006)
        compared += len(over) > 0
        if told.is_measurable and told.interval_method == "least_squares":
            before = over[f"x_{told.outcome}_{told.window_days}"].to_numpy()
            strata, scale = over.stratum.to_numpy(), max(1.0, np.abs(y).max() / 10)
            ours = least_squares(y, treated, strata, None)
            assert ours == pytest.approx(
                (told.difference, told.lower_95, told.upper_95), abs=2e-4 * scale
            )
            within = before - pd.Series(before).groupby(strata).transform("mean").to_numpy()
            if np.allclose(within, 0):  # nothing to hold equal
                assert pd.isna(told.adjusted_difference)
            else:
                ours = least_squares(y, treated, strata, before)
                assert ours == pytest.approx(
                    (told.adjusted_difference, told.adjusted_lower_95, told.adjusted_upper_95),
                    abs=2e-4 * scale,
                )
            measured += 1
    assert compared > 2
    # Of lists so few are held out in a sample of this size that effects are rarely told.
    assert measured > 2 or kind in {"list", "programme"}


def test_retention_and_churn_of_the_treated_against_the_held_out(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas, lived: pd.DataFrame
) -> None:
    """Windows that ended in twelve months, compared within their draws, month by month."""
    # an activity that holds nobody out, ever, is no experiment
    with_control = lived.groupby(["kind", "code"]).treated.transform("nunique") == 2
    rows = lived[with_control & (lived.ends <= lake.as_of)]
    months = VARS["comparison_months"]
    measured = 0
    for told in sample_marts.sql("from controlled_comparison").df().itertuples():
        month_end = told.month + pd.offsets.MonthEnd(0)
        inside = (rows.ends <= month_end) & (
            rows.ends >= told.month - pd.DateOffset(months=months - 1)
        )
        chosen = rows[inside & ((rows.kind == told.activity_kind) | (told.activity_kind == "all"))]
        outcome = {"retention_rate": "bought_90", "churn_rate": "churned_90"}[told.measure]
        y, treated = chosen[outcome].to_numpy(), chosen.treated.to_numpy()
        counts = (treated.sum(), (~treated).sum(), y[treated].sum(), y[~treated].sum())
        assert counts == (
            told.treated_customers, told.control_customers, told.treated_total, told.control_total
        )  # fmt: skip
        if told.is_measurable:
            draws = chosen.assign(y=y).groupby(["stratum", "treated"]).y.agg(["mean", "size"])
            both = draws.unstack().dropna()
            weight = 1 / (1 / both["size"]).sum(axis=1)
            means = both["mean"].mul(weight, axis=0).sum() / weight.sum()
            difference = means[True] - means[False]
            assert told.difference == pytest.approx(difference, abs=1e-6)
            assert told.treated_share == pytest.approx(means[True], abs=1e-6)
            assert told.relative_change == pytest.approx(means[True] / means[False] - 1, abs=1e-5)
            measured += 1
    assert measured > 20


# -- what can be said at all: the rules, on tables of a few rows --


def points(code: str, arm: str, n: int, **more: Any) -> list[dict[str, Any]]:
    """Customers of one arm; every second one bought."""
    return [
        {"code": code, "arm": arm, "customer_id": f"{code}{arm}{i}", "bought": i % 2} | more
        for i in range(n)
    ]


RULES: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    "measurable": (points("m", "treatment", 40) + points("m", "control", 40), None),
    "nobody_held_out": (points("n", "treatment", 40), "no control group"),
    "nobody_treated": (points("t", "control", 40), "no treated customers"),
    "few": (points("f", "treatment", 40) + points("f", "control", 29), "too few customers"),
    "waiting": (
        points("w", "treatment", 40, bought=None, day="2024-06-01")
        + points("w", "control", 40, bought=None, day="2024-06-01"),
        "window not over",
    ),
    "all_alike": (
        points("a", "treatment", 40, bought=1) + points("a", "control", 40, bought=1),
        "no variation",
    ),
    # 40 customers of either arm, but of different draws: nobody to compare with
    "apart": (
        points("p", "treatment", 40) + points("p", "control", 40, stratum="another draw"),
        "too few customers",
    ),
    # a quarter of a standard deviation takes more than forty customers to be sure of
    "alike_before": (
        points("b", "treatment", 1000, kind="training")
        + points("b", "free", 1000, kind="training"),
        None,
    ),
    "alike_as_far_as_one_can_see": (
        points("v", "treatment", 40, kind="training") + points("v", "free", 40, kind="training"),
        "groups cannot be checked",
    ),
    "different_before": (
        points("d", "treatment", 40, kind="community", bought_before=1)
        + points("d", "free", 40, kind="community", bought_before=0)
        + points("e", "free", 2, kind="community", bought_before=1),
        "groups differed before",
    ),
    "never_seen_before": (
        points("u", "treatment", 40, kind="revisit", stratum_before=None)
        + points("u", "free", 40, kind="revisit", stratum_before=None),
        "groups cannot be checked",
    ),
}


def ordering(code: str, arm: str, n: int, most: int, **more: Any) -> list[dict[str, Any]]:
    """Customers of one arm of whom every second one ordered so often, the others not at all."""
    return [row | {"orders": row["bought"] * most} for row in points(code, arm, n, **more)]


# name -> rows, outcome, (difference, lower end, upper end), each worked out on paper
BY_HAND: dict[str, tuple[list[dict[str, Any]], str, tuple[float, float | None, float | None]]] = {
    # 56 of 70 against 48 of 80: the first example of Newcombe (1998), method 10 of its table II
    "newcombe": (
        points("h", "treatment", 56, bought=1) + points("i", "treatment", 14, bought=0)
        + points("h", "control", 48, bought=1) + points("i", "control", 32, bought=0),
        "bought", (0.2, 0.0524, 0.3339),
    ),
    # squares about the means 1 and 0.5: 50 x 1 + 50 x 0.25 = 62.5; over 98 degrees of freedom
    # 0.63776; times 2 / 50, the root: 0.15972; times t = 1.98447: 0.31695
    "student": (
        ordering("s", "treatment", 50, 2) + ordering("s", "control", 50, 1),
        "orders", (0.5, 0.18305, 0.81695),
    ),
    # a draw weighs treated x control / both: 20 x 0.5 and 30 x 0, over 50
    "two_draws": (
        ordering("x", "treatment", 40, 2) + ordering("x", "control", 40, 1)
        + ordering("y", "treatment", 120, 1, stratum="second")
        + ordering("y", "control", 40, 1, stratum="second"),
        "orders", (0.2, None, None),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(new_company: Any) -> pd.DataFrame:
    """list_effect of the activities above: one row per activity, as its rule or its figure asks."""
    sql = new_company().compiled("list_effect", as_of="2024-06-30")
    cases = {name: rows for name, (rows, *_) in (RULES | BY_HAND).items()}
    rows = pd.DataFrame(
        {
            "name": name, "kind": "campaign", "day": "2024-01-01", "stratum": "draw",
            "stratum_before": "facts", "bought_before": i % 2, "orders": row["bought"], **row,
        }
        for name, given in cases.items()
        for i, row in enumerate(given)
    )  # fmt: skip
    pairs = ("bought", "orders", "profit", "bought_30", "bought_60", "churned", "complaints")
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse; use warehouse")
        connection.register("points", rows)
        connection.execute(
            f"""
            create table activity_assignments as
            select
                kind as activity_kind, name as activity_code, '2024Q1' as campaign_cycle,
                customer_id, arm, cast(day as date) as assigned_on,
                case when kind = 'campaign' then 'randomised' else 'matched' end as comparison,
                case when kind = 'campaign' then name || stratum end as stratum,
                null::text as reason_code, true as is_reached, 1::decimal(18, 2) as cost
            from points where arm != 'free';
            create table activity_outcomes as
            select
                customer_id, cast(day as date) as assigned_on, null::text as stage,
                {
                ", ".join(
                    f"arm = 'free' and kind = '{k}' as free_of_{k}"
                    for k in ("revisit", "training", "community")
                )
            },
                kind as stratum, kind || stratum_before as stratum_before,
                null::date as window_ends_on, bought is not null as is_over,
                {
                ", ".join(
                    f"cast({'orders' if p == 'orders' else 'bought'} as"
                    f" {'decimal(18,2)' if p == 'profit' else 'integer'}) as {p},"
                    f"cast(bought_before as {'decimal(18,2)' if p == 'profit' else 'integer'})"
                    f" as {p}_before"
                    for p in pairs
                )
            },
                null::decimal(18, 2) as satisfaction, null::decimal(18, 2) as satisfaction_before
            from points;
            create table stg_campaigns as
            select null::text as campaign_id, null::text as purpose, null::text as tactic,
                null::text as channel
            where false
            """
        )
        found = connection.sql(
            f"""
            select * from ({sql})
            where outcome in ('bought', 'orders') and window_days = 90 and campaign_cycle = 'all'
            """
        ).df()
    return found.set_index(["activity_code", "outcome"])


@pytest.mark.parametrize("name", RULES)
def test_why_an_effect_is_not_stated(judged: pd.DataFrame, name: str) -> None:
    expected = RULES[name][1]

    effect = judged.loc[name, "bought"]

    assert (effect.why_not if pd.notna(effect.why_not) else None) == expected
    assert pd.isna(effect.difference) == (expected is not None)


@pytest.mark.parametrize("name", BY_HAND)
def test_an_effect_is_what_comes_out_on_paper(judged: pd.DataFrame, name: str) -> None:
    _, outcome, expected = BY_HAND[name]

    effect = judged.loc[name, outcome]

    for column, figure in zip(("difference", "lower_95", "upper_95"), expected, strict=True):
        assert figure is None or effect[column] == pytest.approx(figure, abs=5e-5)
    # every treated customer cost 1
    if outcome == "bought":
        assert effect.cost_per_gained == pytest.approx(1 / expected[0], abs=0.005)
        assert effect.gained_total == pytest.approx(expected[0] * effect.treated_customers)
