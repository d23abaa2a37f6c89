"""The tables of a report about learners, and about policies on equal terms."""

from __future__ import annotations

from churnsim.report.contents import Table, confidence_text, records
from churnsim.report.policy_numbers import (
    EQUAL_NUMBER,
    EQUAL_SPEND,
    OWN_DEPTH,
    equal_terms,
    learner_errors,
    learner_value,
)
from churnsim.report.run_folder import Run
from churnsim.report.words import interval, number, percent

TRUST = (
    "Judge a learner by its regret: that is the money lost by acting on what it says. PEHE, the root of the mean "
    "squared error of its values, counts errors on people alike who are listed in any case, or never are: a learner "
    "with a larger error than a constant has can still give the better list."
)
OWN_DEPTH_SENTENCE = (
    "Values are true expected ones under the plan's reach; no list here was worked by the centre. At an equal number, "
    "and at equal spend, each policy takes its first subscribers; one that has no more stands with all it has. By "
    "itself, with any budget, a policy goes to the depth that did best on the pilot, or as far as it sees a gain. One "
    "whose list was made at the campaign's budget only stands with that list, and is left out where it goes beyond."
)


def learners_table(run: Run, scenario: str) -> Table | None:
    """Return what each learner's list loses in money, and beside it the error of its values by offer."""
    value, errors = learner_value(run, scenario), learner_errors(run, scenario)
    if value is None or errors is None:
        return None
    offers = list(dict.fromkeys(errors["offer"]))
    pehe = {(row["learner"], row["offer"]): row["pehe_amount"] for row in records(errors)}
    rows = tuple(
        (
            row["learner"],
            *(number(row[name]) for name in ("targeted", "true_value_amount", "regret_amount")),
            interval(row["low"], row["high"]),
            percent(row["share_kept"]),
            *(number(pehe.get((row["learner"], offer)), decimals=2) for offer in offers),
        )
        for row in records(value)
    )
    heads = ("learner", "targeted", "true value\nof its list", "regret", f"{confidence_text(run)}\nof regret",
             "kept of the\noracle's value", *(f"PEHE,\n{offer}" for offer in offers))
    caption = (f"Lists by each learner under the budget, and errors of its values: {run.summary['currency']}, means "
               "over replicates")
    return Table(caption, heads, rows)


def errors_table(run: Run, scenario: str) -> Table | None:
    """Return how well each learner knows what each offer is worth."""
    errors = learner_errors(run, scenario)
    if errors is None:
        return None
    amounts = ("mean_predicted_amount", "mean_true_amount", "pehe_amount", "constant_pehe_amount")
    shares = ("rank_correlation", "calibration_slope", "qini_amount")
    rows = tuple(
        (row["learner"], row["offer"], number(row["subscribers"]),
         *(number(row[name], decimals=2) for name in (*amounts, *shares)))
        for row in records(errors.sort_values("offer", kind="stable", key=lambda names: names.map(
            list(dict.fromkeys(errors["offer"])).index)))
    )
    heads = ("learner", "offer", "subscribers", "mean\nexpected", "mean\ntrue", "PEHE", "PEHE of\nthe true mean",
             "rank\ncorrelation", "slope of true\non expected", "Qini")
    caption = (f"What listing a subscriber is worth, expected by each learner and true, {run.summary['currency']}: "
               "all costs taken off, under the planned reach of the pilot's channel")
    return Table(caption, heads, rows, (0, 1))


def equal_terms_tables(run: Run, scenario: str) -> tuple[Table, ...]:
    """Return policies at an equal number targeted, at equal spend, and at their own depth, best first."""
    found = equal_terms(run, scenario)
    if found is None:
        return ()
    currency, tables = run.summary["currency"], []
    for terms in (EQUAL_NUMBER, EQUAL_SPEND, OWN_DEPTH):
        mine = found[found["terms"] == terms].sort_values("true_value_amount", ascending=False, kind="stable")
        if mine.empty:
            continue
        limit = number(mine["limit"].iloc[0])
        caption = {EQUAL_NUMBER: f"At an equal number targeted: the first {limit} of each policy",
                   EQUAL_SPEND: f"At equal planned spend: the first {limit} {currency} of each policy",
                   OWN_DEPTH: "At each policy's own depth, with any budget"}[terms]
        rows = tuple((row["policy"], number(row["targeted"]), number(row["planned_spend_amount"]),
                      number(row["true_value_amount"]), interval(row["low"], row["high"])) for row in records(mine))
        tables.append(Table(f"{caption}; amounts in {currency}",
                            ("policy", "targeted", "planned\nspend", "true\nvalue", confidence_text(run)), rows))
    return tuple(tables)


def prices_table(run: Run) -> Table | None:
    """Return what each limit is worth at the budget, of every scenario: so that budgets and staff can be compared."""
    keys, numbers = ["policy", "limit", "unit"], ["most", "used", "shadow_price_amount"]
    rows = []
    for scenario in run.scenarios:
        prices = run.table("prices", scenario)
        if prices is None:
            continue
        means = prices.groupby(keys, sort=False, observed=True)[numbers].mean().reset_index()
        rows += [(scenario, row["policy"], row["limit"], row["unit"], number(row["most"]), number(row["used"]),
                  number(row["shadow_price_amount"], decimals=3)) for row in records(means)]
    if not rows:
        return None
    caption = (f"What one more of each limit would add to the planned value, {run.summary['currency']} a unit, means "
               "over replicates")
    return Table(caption, ("scenario", "policy", "limit", "unit", "there is", "used", "one more\nis worth"),
                 tuple(rows), (0, 1, 2, 3))


def rules_tables(run: Run, scenario: str) -> tuple[Table, ...]:
    """Return the rules of each readable policy in the first replicate: each replicate has learned its own."""
    rules = run.table("rules", scenario)
    if rules is None:
        return ()
    tables = []
    for policy, mine in rules.groupby("policy", sort=False, observed=True):
        first = mine[mine["replicate"] == mine["replicate"].min()]
        rows = tuple((row["rule"], row["arm"], number(row["subscribers"]), number(row["listed"]),
                      *(number(row[name]) for name in ("planned_spend_amount", "planned_value_amount",
                                                       "given_up_amount"))) for row in records(first))
        caption = (f"Rules of {policy}, replicate {first['replicate'].iloc[0]}, in the order in which they are "
                   f"listed; amounts in {run.summary['currency']}")
        tables.append(Table(caption, ("who", "gets", "subscribers", "listed", "planned\nspend", "planned\nvalue",
                                      "value\ngiven up"), rows, (0, 1)))
    return tuple(tables)
