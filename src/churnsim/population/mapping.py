"""The mapping file: which column of an operator's table is which column of a subscriber."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Number, Positive, Settings
from churnsim.config.messages import did_you_mean, one_of, shown
from churnsim.config.paths import KeyPath
from churnsim.config.source import Tree, read_yaml
from churnsim.config.validate import validate
from churnsim.core.columns import Column
from churnsim.population.columns import SCHEMA

NEEDED = ("tenure_months", "plan_price_amount")
"""Columns whose missing cells are an error unless the mapping asks to impute them."""

_OWN_OFFERS = "concerns the experiment's own offers, of which none has been made at the start"
_BEGINS = "begins with the experiment, in which nobody has left and come back yet"
NOT_MAPPED = {
    "state": "follows from tenure_months and the histories",
    "value_tier": "follows from bill_amount and the settings lifecycle.plan",
    "contract_ended_months": "follows from tenure_months and the contract",
    "termination_fee_amount": "follows from the contract and the setting lifecycle.contract",
    "spell": _BEGINS,
    "spell_months": _BEGINS,
    "discount_share": _OWN_OFFERS,
    "discount_left_months": _OWN_OFFERS,
    "offer_code": _OWN_OFFERS,
    "offer_left_months": _OWN_OFFERS,
    "newcomer_discount_share": _OWN_OFFERS,
    "newcomer_discount_left_months": _OWN_OFFERS,
}
MAPPED = tuple(
    column.name
    for column in SCHEMA.values()
    if column.visibility == "observed" and column.name not in NOT_MAPPED
)
"""Columns that a table may give: all observed ones that a base starts with."""

_FLAG = (0.0, 1.0)
_LIMITS: dict[str, tuple[float, float]] = {
    "lines": (1.0, 9999.0),
    "region": (0.0, 127.0),
    "cell": (0.0, 31999.0),
    **dict.fromkeys(("contactable", "call_consent", "sms_consent", "app_consent", "broadband", "smart_home",
                     "ticket_open", "porting_request"), _FLAG),
    "device_age_months": (0.0, 1200.0),
    "tenure_months": (0.0, 1200.0),
    "contract_length_months": (0.0, 60.0),
    "contract_left_months": (0.0, 120.0),
    "recharge_days": (0.0, 3650.0),
    "nps": (-1.0, 10.0),
    "arrears_months": (0.0, 12.0),
    "months_since_offer": (0.0, 127.0),
    "lock_in_left_months": (0.0, 120.0),
}

Code = str | Number
Bounds = tuple[Number, Number]


class ColumnMap(Settings):
    """A subscriber's column, read from a column of the table or the same for all."""

    from_column: str | None = Field(default=None, alias="from")
    """Column of the table."""
    value: Code | None = None
    """One number or label for all rows, instead of ``from``."""
    values: dict[str, Code] | None = None
    """Cell text -> number or label; a cell without an entry is an error unless there is ``other``."""
    other: Code | None = None
    """Number or label for every text that ``values`` does not list; empty cells stay missing."""
    scale: Number = 1.0
    """Factor on the number."""
    offset: Number = 0.0
    """Added after the factor."""
    valid: Bounds | None = None
    """Numbers outside count as missing; after factor and offset, in the table's currency."""
    clip: Bounds | None = None
    """Numbers outside are moved to the bound; after ``valid``."""
    missing: Literal["refuse", "impute"] | None = None
    """What a missing cell is: an error, or drawn from the preset. Unset: an error for tenure_months and
    plan_price_amount, drawn for every other column."""


class HistoryMap(Settings):
    """Six months of usage or bills; exactly one of ``from``, ``months`` or ``mean`` with ``change``."""

    from_column: str | None = Field(default=None, alias="from")
    """One column of the table, taken for every month."""
    months: Annotated[tuple[str, ...], Field(min_length=6, max_length=6)] | None = None
    """Six columns, the oldest month first; a missing month gets the mean of the row's others."""
    mean: str | None = None
    """Mean of the last four months."""
    change: str | None = None
    """Last month less that mean: last month = mean + change, each month before = mean - change / 3."""
    scale: Number = 1.0
    """Factor on every month."""
    clip: Bounds | None = None
    """Months outside are moved to the bound; after the factor, in the table's currency."""


class ChurnMap(Settings):
    """The table's own outcome, only compared with; never a feature."""

    from_column: str = Field(alias="from")
    """Column of the table."""
    values: dict[str, Number] | None = None
    """Cell text -> 1 (left) or 0 (stayed)."""
    monthly_rate: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)]
    """Monthly churn of the population that the table stands for; shares of an oversampled table are
    re-weighted to it."""
    delay_months: Annotated[int, Field(strict=True, ge=0, le=12)] = 0
    """Months between the row and the month in which the outcome falls; only calibration asks."""


class TableMapping(Settings):
    """A mapping file."""

    schema_version: Literal[1] = Field(alias="schema")
    """Version of this schema."""
    source_id: str
    """Column that names the subscriber; unique."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """Currency of the table's amounts (ISO 4217)."""
    fx_rate: Positive | None = None
    """Units of the experiment's currency for one unit of the table's; only where the two differ."""
    columns: dict[str, ColumnMap]
    """Subscriber's column -> where it comes from."""
    histories: dict[str, HistoryMap] = Field(default_factory=dict)
    """``usage_gb``, ``voice_minutes`` and ``bill_amount`` -> where they come from."""
    churn: ChurnMap | None = None

    def table_columns(self) -> dict[KeyPath, str]:
        """Return every column of the table that is read, by the key that names it."""
        named: dict[KeyPath, str | None] = {("source_id",): self.source_id}
        for name, column in self.columns.items():
            named["columns", name, "from"] = column.from_column
        for name, history in self.histories.items():
            named["histories", name, "from"] = history.from_column
            named["histories", name, "mean"] = history.mean
            named["histories", name, "change"] = history.change
            for k, month in enumerate(history.months or ()):
                named["histories", name, "months", k] = month
        if self.churn is not None:
            named["churn", "from"] = self.churn.from_column
        return {path: column for path, column in named.items() if column is not None}


def read_mapping(path: str | Path, *, currency: str) -> tuple[TableMapping, Tree]:
    """Read and check a mapping file for an experiment in `currency`; the tree tells the lines of its keys.

    Raises
    ------
    ConfigError
        With a line per finding: file and line, key, what is wrong, the remedy.
    """
    tree = read_yaml(path)
    return validate(TableMapping, tree, checks=[partial(_check_mapping, currency=currency)]), tree


def limits(column: Column) -> tuple[float, float]:
    """Return the least and the largest value that a column of a base may start with."""
    if column.categories:
        return 0.0, len(column.categories) - 1.0
    return _LIMITS.get(column.name, (0.0, float("inf")))


def code_of(column: Column, value: Code) -> float:
    """Return a label of a category as its code, a number as itself."""
    return float(column.categories.index(value)) if isinstance(value, str) else value


Findings = Iterator[tuple[KeyPath, str]]


def _check_mapping(mapping: TableMapping, *, currency: str) -> Findings:
    if mapping.currency != currency and mapping.fx_rate is None:
        yield (
            ("fx_rate",),
            (
                f"the table's amounts are in {mapping.currency}, the experiment's in {currency}; "
                f"give the {currency} that one {mapping.currency} is worth"
            ),
        )
    if mapping.currency == currency and mapping.fx_rate is not None:
        yield ("fx_rate",), f"the table's amounts are in {currency} already; remove it"
    for name, column in mapping.columns.items():
        refusal = _refusal(name, history=False)
        yield from [(("columns", name), refusal)] if refusal else _check_column(name, column)
    for name, history in mapping.histories.items():
        refusal = _refusal(name, history=True)
        yield from [(("histories", name), refusal)] if refusal else _check_history(name, history)
    if mapping.churn is not None:
        yield from _check_churn(mapping, mapping.churn)


def _refusal(name: str, *, history: bool) -> str:
    """Say why a column cannot be mapped here; empty if it can."""
    if name not in SCHEMA:
        allowed = [known for known in MAPPED if SCHEMA[known].history == history]
        return f"no such column{did_you_mean(name, allowed) or '; there are ' + ', '.join(allowed)}"
    if SCHEMA[name].visibility == "latent":
        return "is latent, no operator's system holds it; remove it, it is drawn from population.traits"
    if name in NOT_MAPPED:
        return f"cannot be mapped: it {NOT_MAPPED[name]}; remove it"
    if SCHEMA[name].history != history:
        return (
            "is a history; move it to histories"
            if SCHEMA[name].history
            else "is no history; move it to columns"
        )
    return ""


def _check_column(name: str, column: ColumnMap) -> Findings:
    at: KeyPath = ("columns", name)
    if (column.from_column is None) == (column.value is None):
        yield at, "give either 'from' (a column of the table) or 'value' (the same for all)"
    elif column.value is not None and len(column.model_fields_set) > 1:
        yield at, "'value' stands alone; remove the other keys"
    if column.other is not None and column.values is None:
        yield (*at, "other"), "is for texts that 'values' does not list; add 'values'"
    if SCHEMA[name].categories:
        for key in sorted({"scale", "offset", "valid", "clip"} & column.model_fields_set):
            yield (*at, key), f"{name} is a category, not a number; remove it"
    low, high = limits(SCHEMA[name])
    if isinstance(column.value, float) and not low <= column.value <= high:
        yield (*at, "value"), f"must be at least {low:g} and at most {high:g} (got {column.value:g})"
    given: dict[KeyPath, Code | None] = {
        ("value",): column.value,
        ("other",): column.other,
        **{("values", text): code for text, code in (column.values or {}).items()},
    }
    for place, code in given.items():
        if code is not None and (wrong := _wrong_code(SCHEMA[name], code)):
            yield (*at, *place), wrong
    for key in ("valid", "clip"):
        yield from _check_bounds((*at, key), getattr(column, key))


def _wrong_code(column: Column, code: Code) -> str:
    labels = column.categories
    if labels and code not in labels:
        hint = did_you_mean(code, labels) if isinstance(code, str) else ""
        return f"must be one of {one_of(labels)} (got {shown(code)}){hint}"
    if not labels and isinstance(code, str):
        return f"must be a number (got {shown(code)})"
    return ""


def _check_history(name: str, history: HistoryMap) -> Findings:
    given = {key for key in ("from_column", "months", "mean", "change") if getattr(history, key) is not None}
    if given not in ({"from_column"}, {"months"}, {"mean", "change"}):
        yield ("histories", name), "give one of 'from', 'months', or 'mean' with 'change'"
    yield from _check_bounds(("histories", name, "clip"), history.clip)


def _check_bounds(at: KeyPath, bounds: Bounds | None) -> Findings:
    if bounds is not None and bounds[0] > bounds[1]:
        yield at, f"the lower bound comes first (got {bounds[0]:g}, {bounds[1]:g})"


def _check_churn(mapping: TableMapping, churn: ChurnMap) -> Findings:
    for path, column in mapping.table_columns().items():
        if column == churn.from_column and path != ("churn", "from"):
            yield path, f"{column!r} is the outcome (churn.from) and never a feature; use another column"
    for text, value in (churn.values or {}).items():
        if value not in (0.0, 1.0):
            yield ("churn", "values", text), f"must be 1 (left) or 0 (stayed) (got {value:g})"
