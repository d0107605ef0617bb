"""The card of a model version: what it is for, how good it is and for whom it is not.

A card is data (`card.json` of the version) and a page that a person reads (`card.html` beside it).
The page is made of nothing but the data: one file without links, the same bytes for the same card.
Every kind of model has the same card; what a kind does not have stays empty and is not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from html import escape
from typing import Any, Final, TypeAlias

from models.versions import glossary
from models.versions.plots import Plot

CARD_PAGE: Final = "card.html"
MOST_DRIVERS = 20
WORDS = {None: "-", True: "yes", False: "no"}

# Value, lower and upper end of its 95% interval; None where undefined.
Figure: TypeAlias = Sequence[float | None]

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 1px solid #bbb; } thead ~ * td { white-space: nowrap; }
.served { font-weight: 600; }
small { color: #666; font-weight: 400; } code { font-size: .9em; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } .plots svg { max-width: 29rem; height: auto; }
.bar { background: #4a7db5; height: .7rem; }
"""


@dataclass(frozen=True)
class Card:
    """What a model version says of itself.

    Attributes:
        title: kind of the model, a few words.
        purpose: what its figures mean and what they are used for.
        decision: why it is served, or what is served instead.
        windows: which days it learnt from and was judged on, by name.
        metrics: role -> metric -> value, lower, upper, out of time.
        served_role: role of `metrics` that the version serves with; None where none is meant.
        by_tactic: of what acting does, a row per tactic and plan, all with the same columns.
        by_segment: a row per segment, or other part, all with the same columns, its names first.
        plots: out of time, too.
        drivers: share of the model that each feature makes up, largest first.
        failures: where it is known to fail: sentences made of the figures by_tactic and by_segment.
        limits: what it does not claim.
        parameters: settings, seed and threads.
        libraries: versions by name.
        reproduce: what to do to get the same version again.
        facts: further facts for machines; not on the page.
    """

    title: str
    purpose: str
    decision: str = ""
    windows: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    served_role: str | None = None
    by_tactic: Sequence[Mapping[str, Any]] = ()
    by_segment: Sequence[Mapping[str, Any]] = ()
    plots: Sequence[Plot] = ()
    drivers: Mapping[str, float] = field(default_factory=dict)
    failures: Sequence[str] = ()
    limits: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    reproduce: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The card as JSON holds it; NaN has no place in it."""
        stored: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = ("by_tactic", "by_segment", "failures", "limits", "reproduce")
        return {
            **stored,
            **{name: list(stored[name]) for name in lists},
            # JSON sorts the names of an object: drivers would lose their order.
            "drivers": [list(each) for each in self.drivers.items()],
            "plots": [plot.to_json() for plot in self.plots],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Card:
        """Read a card back; what a later or earlier release wrote beside it is left out.

        Raises:
            KeyError, TypeError, ValueError: it is no card.
        """
        known = {each.name for each in fields(cls)}
        return cls(
            **{name: value for name, value in stored.items() if name in known}
            | {
                "drivers": dict(stored["drivers"]),
                "plots": [Plot.from_json(plot) for plot in stored["plots"]],
            }
        )

    def page(self, version: str) -> bytes:
        """The card as one HTML page.

        Args:
            version: name of the model version.
        """
        parts = [
            f"<h1>{escape(self.title)}</h1>\n<p><code>{escape(version)}</code></p>",
            f"<p>{escape(self.purpose)}</p>",
            _section("Decision", self.decision and f"<p>{escape(self.decision)}</p>"),
            _section("Data windows", _facts(self.windows)),
            _section("Figures, out of time", self._metrics()),
            _section("By tactic", _table(self.by_tactic)),
            _section(f"By {self._part()}", _table(self.by_segment)),
            _section("Known failures", _list(self.failures) or self._no_failure()),
            _section("Plots", self._plots()),
            _section("Drivers", self._drivers()),
            _section("Limits", _list(self.limits)),
            _section("What the words mean", _facts(glossary.explained(self._named()))),
            _section("Parameters", _facts({**self.parameters, **_seed_as_name(self.parameters)})),
            _section("Libraries", _facts(self.libraries)),
            _section("How to reproduce", _list(self.reproduce)),
        ]
        body = "\n".join(filter(None, parts))
        title = escape(f"{self.title} {version}")
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
            "</body>\n</html>\n"
        ).encode()

    def _named(self) -> list[str]:
        """All that has a name on the page: candidates, their metrics, and columns of the tables."""
        metrics = [name for figures in self.metrics.values() for name in figures]
        columns = [
            name for rows in (self.by_tactic, self.by_segment) for name in next(iter(rows), {})
        ]
        return [*self.metrics, *metrics, *columns]

    def _part(self) -> str:
        """What a row of `by_segment` is of: a segment, named with its division, or one thing."""
        names = list(self.by_segment[0]) if self.by_segment else ["segment"]
        return "segment" if "segment" in names else _words(names[0])

    def _no_failure(self) -> str:
        looked_at = ["tactic"] * bool(self.by_tactic) + [self._part()] * bool(self.by_segment)
        return f"<p>None was found by {' or '.join(looked_at)}.</p>" if looked_at else ""

    def _metrics(self) -> str:
        names = list(dict.fromkeys(name for each in self.metrics.values() for name in each))
        if not names:
            return ""
        kind = {role: f"number{' served' * (role == self.served_role)}" for role in self.metrics}
        head = "".join(f'<th class="number">{escape(role)}</th>' for role in self.metrics)
        rows = [
            f"<tr><td>{escape(_words(name))}</td>"
            + "".join(
                f'<td class="{kind[role]}">{_figure(figures.get(name))}</td>'
                for role, figures in self.metrics.items()
            )
            + "</tr>"
            for name in names
        ]
        served = (
            f"<p><small>Served: {escape(self.served_role)}.</small></p>" if self.served_role else ""
        )
        return f"<table><thead><tr><th></th>{head}</tr></thead>\n{_lines(rows)}</table>{served}"

    def _plots(self) -> str:
        drawn = _lines(plot.svg() for plot in self.plots)
        return f'<div class="plots">{drawn}</div>' if drawn else ""

    def _drivers(self) -> str:
        shown = list(self.drivers.items())[:MOST_DRIVERS]
        most = max((share for _, share in shown), default=0.0) or 1.0
        rows = [
            f'<tr><td>{escape(name)}</td><td class="number">{share:.1%}</td>'
            f'<td><div class="bar" style="width:{20 * share / most:.2f}rem"></div></td></tr>'
            for name, share in shown
        ]
        more = len(self.drivers) - len(shown)
        rest = f"<p><small>and {more} more with less</small></p>" if more else ""
        return f"<table>{_lines(rows)}</table>{rest}" if rows else ""


def _seed_as_name(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The seed, if any, as it is written: it counts nothing."""
    return {"seed": str(parameters["seed"])} if "seed" in parameters else {}


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}" if content else ""


def _facts(facts: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><td>{escape(_words(name))}</td><td>{escape(_text(value))}</td></tr>"
        for name, value in facts.items()
    ]
    return f"<table>{_lines(rows)}</table>" if rows else ""


def _list(sentences: Sequence[str]) -> str:
    items = _lines(f"<li>{escape(each)}</li>" for each in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    rows = [_with_intervals(row) for row in rows]
    columns = {name: any(isinstance(row[name], int | float) for row in rows) for name in rows[0]}
    kinds = {name: ' class="number"' if numeric else "" for name, numeric in columns.items()}
    head = "".join(f"<th{kinds[name]}>{escape(_words(name))}</th>" for name in columns)
    body = [
        "<tr>"
        + "".join(f"<td{kinds[name]}>{escape(_text(row[name]))}</td>" for name in columns)
        + "</tr>"
        for row in rows
    ]
    return f"<table><thead><tr>{head}</tr></thead>\n{_lines(body)}</table>"


def _with_intervals(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with `x`, `x_lower` and `x_upper` in one column."""
    bounds = {name: (f"{name}_lower", f"{name}_upper") for name in row}
    told = {name: ends for name, ends in bounds.items() if set(ends) <= set(row)}
    spent = {end for ends in told.values() for end in ends}
    return {
        name: f"{_text(value)} ({_text(row[told[name][0]])} to {_text(row[told[name][1]])})"
        if name in told and value is not None
        else value
        for name, value in row.items()
        if name not in spent
    }


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(figure: Figure | None) -> str:
    if figure is None or figure[0] is None:
        return "-"
    value, lower, upper = figure
    interval = (
        f"<br><small>{_text(lower)} to {_text(upper)}</small>"
        if lower is not None and upper is not None
        else ""
    )
    return f"{_text(value)}{interval}"


def _text(value: Any) -> str:
    match value:
        case None | bool():
            return WORDS[value]
        case float():
            is_whole = value.is_integer() and abs(value) > 1
            return f"{value:,.0f}" if is_whole else f"{value:.4g}"
        case int():
            return f"{value:,}"
        case Mapping():
            return ", ".join(f"{_words(name)} {_text(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(map(_text, value)) or "none"
    return str(value)
