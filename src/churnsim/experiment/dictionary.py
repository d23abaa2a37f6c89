"""The data dictionary of a simulation: what each column of the files that are written means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import pyarrow as pa

from churnsim.capacity.floor import CODES, SERVED
from churnsim.capacity.log import DISPOSITIONS
from churnsim.core.columns import Column, Schema
from churnsim.evaluation.ledger import ESTIMATES, KINDS, WORLDS
from churnsim.lifecycle.events import EVENTS
from churnsim.lifecycle.record import NONE, Labels, names_in_table
from churnsim.lifecycle.settings import SILENT
from churnsim.lifecycle.views import SCHEMES

CALL_DISPOSITIONS = CODES[SERVED:]


@dataclass(frozen=True)
class Entry:
    """One column of one file.

    Attributes
    ----------
    file
        File, or folder of files.
    unit
        "code" for categories, "1" for shares, flags and counts without a unit, "amount" for the currency.
    visibility
        "observed": an operator's systems could hold it. "latent": only the simulator knows it.
    source
        Who makes it: the population, a driver of the month ("lifecycle.usage"), or a later step.
    categories
        Labels of a code, joined by "; ".
    """

    file: str
    column: str
    dtype: str
    unit: str
    visibility: str
    meaning: str
    source: str
    categories: str = ""


@dataclass(frozen=True)
class _Made:
    """What a column means that is made for a file and is no column of a subscriber."""

    unit: str
    meaning: str
    source: str
    visibility: str = "observed"
    categories: tuple[str, ...] = ()


def _record(unit: str, meaning: str) -> _Made:
    return _Made(unit, meaning, "record")


SUBSCRIBER = _Made("id", "the subscriber (an account); the same in every file", "population")
MONTH = _Made("months", "calendar month, from 0", "record")
LEFT = _Made("months", "when service ended, in months since the start; empty for who is on the network",
             "lifecycle.leaving")
STATES = {
    "subscriber": SUBSCRIBER, "month": MONTH,
    "source_id": _Made("id", "the operator's own id; empty for who is not from its table", "population"),
    **{scheme.column: _Made("code", scheme.meaning, "lifecycle.tenure", categories=scheme.stages)
       for scheme in SCHEMES},
}
SUMMARY = {
    "world": _Made("code", "the world without a campaign, or with it", "record", categories=WORLDS), "month": MONTH,
    "subscribers": _record("subscribers", "on the network when the month starts"),
    "expected_subscribers": _Made(
        "subscribers", "sum of the probabilities to be on the network when the month starts, given everything but the "
        "clocks of leaving; empty where it is not known", "record", "latent"),
    "joined": _record("subscribers", "joined this month"),
    "returned": _record("subscribers", "came back this month"),
    "complaints": _record("complaints", "made this month"),
    "faults": _Made("faults", "felt this month", "record", "latent"),
    "faults_mended": _Made("faults", "mended this month before they were felt", "record", "latent"),
    "decided": _Made("subscribers", "decided to leave this month", "record", "latent"),
    "departed": _record("subscribers", "service ended this month"),
    "downgraded": _record("subscribers", "moved down a brand tier this month and stay"),
    "value_fell": _record("subscribers", "fell from high to low value this month and stay"),
    "lines_lost": _record("lines", "given up this month by those who stay"),
    "accepted": _record("subscribers", "accepted an offer this month"),
    "revenue_cents": _record("1/100 amount", "revenue of the month, before discounts"),
    "cost_to_serve_cents": _record("1/100 amount", "cost to serve of the month"),
    "discount_cents": _record("1/100 amount", "retention discounts of the month"),
}
EVENT = {
    "subscriber": SUBSCRIBER, "month": MONTH,
    "day": _record("days", "day of the month, from 0 to 30; 0 for what is known by the month only"),
    "event": _Made("code", "what happened", "record", categories=EVENTS),
    "offer": _record("code", "offer of an acceptance"),
}
SNAPSHOT = {
    "subscriber": SUBSCRIBER,
    "month": _Made("months", "calendar month at whose start the features are taken", "record"),
    "left": _record("1", "1: service ended before the outcome months did"),
    "active_months": _record("months", "outcome months with a bill"),
}
LEDGER = {
    "world": SUMMARY["world"], "subscriber": SUBSCRIBER,
    "kind": _Made("code", "kind of money", "evaluation", categories=KINDS),
    "estimate": _Made("code", "what happened, or the expectation over the clocks of leaving", "evaluation", "latent",
                      ESTIMATES),
    "undiscounted_cents": _Made("1/100 amount", "sum over the horizon", "evaluation"),
    "discounted_cents": _Made("1/100 amount", "sum over the horizon, discounted to the campaign month", "evaluation"),
}
CONTACTS = {
    "order_id": _Made("id", "order of the list", "campaign"), "subscriber": SUBSCRIBER,
    "channel": _Made("code", "channel of the contact", "campaign"),
    "offer": _Made("code", "offer of the order", "campaign"),
    "attempt": _Made("1", "number of the attempt on its order, from 1", "capacity"),
    "team": _Made("code", "team that made it; empty for a message", "capacity"),
    "agent": _Made("1", "agent that made it, numbered through the teams from 0; -1 for a message", "capacity"),
    "due_hours": _Made("hours", "when it became due, since the start of month 0", "capacity"),
    "start_hours": _Made("hours", "when it began, since the start of month 0", "capacity"),
    "answer_hours": _Made("hours", "when it was answered or read, since the start of month 0; infinite: it was not",
                          "capacity"),
    "end_hours": _Made("hours", "when it ended, since the start of month 0", "capacity"),
    "handled_hours": _Made("hours", "agent time; 0 for a message", "capacity"),
    "wrap_hours": _Made("hours", "after-call work in the agent time", "capacity"),
    "overtime_hours": _Made("hours", "agent time after the end of the agent's shift", "capacity"),
    "disposition": _Made("code", "how it ended", "capacity", categories=tuple(map(str, DISPOSITIONS))),
    "cost_cents": _Made("1/100 amount", "cost of the attempt, its minutes, its conversion and agent time", "capacity"),
}
CALLS = {
    "call_id": _Made("id", "the caller; the same when one who gave up calls again", "capacity"),
    "stream": _Made("code", "inbound stream", "capacity"),
    "subscriber": _Made("id", "the subscriber; -1: unknown", "population"),
    "attempt": _Made("1", "how often the caller had called by then, from 1", "capacity"),
    "team": _Made("code", "team that answered; empty: none", "capacity"),
    "agent": _Made("1", "agent that answered, numbered through the teams from 0; -1: none", "capacity"),
    "call_hours": _Made("hours", "when the call came, since the start of month 0", "capacity"),
    "start_hours": _Made("hours", "when it was answered, since the start of month 0; infinite: it was not", "capacity"),
    "end_hours": _Made("hours", "when the caller left, since the start of month 0", "capacity"),
    "handled_hours": _Made("hours", "agent time", "capacity"),
    "wrap_hours": CONTACTS["wrap_hours"],
    "overtime_hours": CONTACTS["overtime_hours"],
    "disposition": _Made("code", "how it ended", "capacity", categories=CALL_DISPOSITIONS),
    "cost_cents": _Made("1/100 amount", "cost of its minutes and of agent time", "capacity"),
}
LISTS = {
    "subscriber": SUBSCRIBER, "arm": _Made("code", "offer and channel of the order", "policy"),
    "risk": _Made("1", "predicted probability of churn", "signals"),
    "priority": _Made("1", "order in which the list is worked, highest first", "policy"),
    "planned_cost_amount": _Made("amount", "expected cost of contact and offer", "policy"),
}
MADE = {"summaries": SUMMARY, "events": EVENT, "treated_events": EVENT, "snapshot": SNAPSHOT, "ledger": LEDGER,
        "contacts": CONTACTS, "calls": CALLS, "lists": LISTS}


def dictionary(files: Mapping[str, pa.Schema], *, schema: Schema, labels: Labels,
               kinds: Mapping[str, str] | None = None) -> pa.Table:
    """Return the data dictionary of files, one row a column, in the order of the files.

    Parameters
    ----------
    files
        Name of each file or folder -> schema of its table.
    schema
        Columns of the engine, those of further drivers included.
    labels
        What the codes of offers and causes mean.
    kinds
        Name of each file -> what it is by its name in the folder of a simulation, such as "end_state"; None: the
        names are those of the folder.

    Returns
    -------
    pyarrow.Table
        With the columns of :class:`Entry`.
    """
    known = {name: column for column in schema.values() for name in names_in_table(column)}
    kinds = kinds or {file: file.removesuffix(".parquet") for file in files}
    rows = [asdict(_entry(file, kinds[file], field, known, labels)) for file, table in files.items() for field in table]
    return pa.table({each.name: pa.array([row[each.name] for row in rows], pa.string()) for each in fields(Entry)})


def _entry(file: str, kind: str, field: pa.Field, known: Mapping[str, Column], labels: Labels) -> Entry:
    name = field.name
    dtype = "category" if pa.types.is_dictionary(field.type) else str(field.type)
    column = known.get(name)
    made = MADE.get(kind, STATES).get(name) or next(_coded(name, labels), None)
    if name == "departure_time" and not kind.endswith("_latent"):
        made = LEFT
    if made is None and column is not None:
        ago = name.removeprefix(f"{column.name}_lag") if column.history else ""
        meaning = f"{column.meaning}: {ago} months ago, 1 being the last month" if ago else column.meaning
        made = _Made(column.unit, meaning, column.owner, column.visibility, labels.of(column))
    if made is None:
        made = _Made("1", "feature that learners are given, of observed columns alone (churnsim.signals.observe)",
                     "signals")
    return Entry(file, name, dtype, made.unit, made.visibility, made.meaning, made.source,
                 _joined((NONE, *labels.offers) if name == "offer" else made.categories))


def _coded(name: str, labels: Labels) -> Iterator[_Made]:
    """Yield what a column means that names a cause or a state."""
    head, _, tail = name.partition(".")
    causes = (NONE, *labels.causes)
    if name == "stated_reason":
        yield _Made("code", "what a leaver said", "lifecycle.reasons", categories=(*causes, SILENT))
    elif name == "cause":
        yield _Made("code", "true cause of leaving, or of the line's replacement", "lifecycle.leaving", "latent",
                    causes)
    elif head == "left" and tail:
        yield _Made("subscribers", f"decided to leave this month because of {tail}", "record", "latent")
    elif head == "substituted" and tail:
        yield _record("subscribers", f"line replaced by another of the operator this month ({tail})")
    elif head == "state" and tail:
        yield _record("subscribers", f"in state {tail} when the month ends")


def _joined(categories: Sequence[str]) -> str:
    return "; ".join(categories)
