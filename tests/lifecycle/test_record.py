"""What a run leaves behind: by hand, against plain numpy, and the same however the run is made."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.evaluation.ledger import COST_TO_SERVE, DISCOUNT, REALISED, REVENUE, Bookkeeper
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.lifecycle.block import Block, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.events import Events
from churnsim.lifecycle.panel import Panel
from churnsim.lifecycle.record import Labels, coded, latent_part, state_table
from churnsim.lifecycle.summary import MEASURES, Summary, group_sizes
from churnsim.lifecycle.treatment import Treatment
from churnsim.population.categories import LOCALITIES, PAYMENTS, STATES
from churnsim.population.columns import SCHEMA

from .examples import KEY, LIVELY, OFFERS, REGIONS, engine, same, subscribers, varied

CAUSES = tuple(LIVELY["causes"])
LABELS = Labels(tuple(OFFERS), CAUSES)
MONTHS = 10
GROUPS = ("payment", "region", "locality")
NEVER = np.inf


def summary(by=GROUPS, *, start=0, months=MONTHS):
    return Summary(by, group_sizes(by, regions=REGIONS), causes=len(CAUSES), start=start, months=months)


def frame(found):
    return found.table(LABELS, regions=REGIONS).to_pandas()


def mixed(ids):
    """Half are contacted when the run starts, some twice; every third of them accepts an offer."""
    row = np.repeat(np.flatnonzero(ids % 2 == 0), 1 + (ids[ids % 2 == 0] % 5 == 0))
    again = np.r_[False, row[1:] == row[:-1]]
    code = np.where(again, 0, ids[row] % 3 * (ids[row] % 4 + 1) % 5).astype(np.int8)
    return Treatment(row, np.where(again, 0.8, (ids[row] % 23) / 40.0), code)


def block_at(month, base, **scratch):
    """Return a base as a block with scratch columns set by hand."""
    block = Block.over(base, LIFECYCLE_SCHEMA, month=Month(month, first=month == 0))
    for name, values in scratch.items():
        block[name] = values
    return block


# Summaries


def seven():
    """Month 5 of seven: joins next month, joined this month, two stay, one decides, one leaves, one is gone."""
    base = subscribers(
        7,
        payment=[0, 0, 0, 1, 0, 0, 0],
        join_month=[6, 5, -9, -9, -9, -9, -9],
        decision_time=[NEVER, NEVER, NEVER, NEVER, 5.25, 4.9, 2.0],
        departure_time=[NEVER, NEVER, NEVER, NEVER, 6.25, 5.4, 2.4],
        cause=[0, 0, 0, 0, 2, 1, 3],
        state=list(map(STATES.index, ("prospect", "entry", "stable", "suspended", "growth", "stable", "entry"))),
    )
    return block_at(
        5,
        base,
        active=[False, True, True, True, True, True, False],
        active_prob=[0.9, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125],
        # The last one, which is gone, takes an offer to come back.
        accepted=[1, 1, 1, 0, 1, 0, 1],
        undecided=[True, True, True, True, False, True, True],
        complaint=[True, True, False, False, False, True, True],
        fault=[True, False, True, True, False, False, True],
        fault_mended=[True, True, False, False, True, False, True],
        returned=[False, False, True, False, False, False, True],
        # What the month's last steps bring is of those still there when it ends: the fifth, but not the sixth.
        downgraded=[True, True, False, False, True, True, True],
        value_fell=[True, False, False, True, True, True, True],
        lines_lost=[1, 2, 0, 0, 1, 1, 1],
        # The fifth resolved to leave in this month, the sixth before.
        substituted=[2, 0, 2, 0, 2, 2, 2],
        revenue=[1.0, 10.004, 20.006, 30.0, 40.0, 50.0, 60.0],
        cost_to_serve=[1.0, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5],
        discount=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        billed=[True, True, True, False, False, True, True],
    )


def test_a_month_by_hand():
    found = summary(("payment",), start=4, months=2)
    found.observe(seven())
    apparent = found.table(Labels(tuple(OFFERS), CAUSES, apparent=("price",)), regions=REGIONS).to_pandas()
    assert apparent["substituted.price"].tolist() == [0, 0, 2, 0]
    assert not set(apparent) & {"left.price", "substituted.gone", "substituted.service"}
    table = frame(found)
    # The month before it, nothing; those who pay before use are one, the others five and one who has yet to join.
    assert table["month"].tolist() == [4, 4, 5, 5]
    assert table["payment"].tolist() == [*PAYMENTS, *PAYMENTS]
    assert not table.iloc[:2].drop(columns=["month", "payment"]).to_numpy().any()
    postpaid, prepaid = (row.to_dict() for _, row in table.iloc[2:].iterrows())
    expected = {
        "subscribers": 4, "expected_subscribers": 1.0 + 0.5 + 0.125 + 0.0625 + 0.03125, "joined": 1, "decided": 1,
        "departed": 1, "returned": 1, "downgraded": 2, "value_fell": 1, "lines_lost": 3, "accepted": 3,
        "complaints": 2, "faults": 1, "faults_mended": 2,
        "revenue_cents": 1000 + 2001 + 4000 + 5000,
        "cost_to_serve_cents": 150 + 250 + 450 + 550, "discount_cents": 200 + 300 + 600, "left.service": 0,
        "left.price": 1, "left.gone": 0, "state.prospect": 0, "state.entry": 1, "state.growth": 1, "state.stable": 1,
        "state.decline": 0, "state.suspended": 0, "state.churned": 2}
    assert {name: postpaid[name] for name in postpaid if name not in ("month", "payment")} == expected
    expected = dict.fromkeys(expected, 0) | {
        "subscribers": 1, "expected_subscribers": 0.25, "faults": 1, "value_fell": 1,
        "revenue_cents": 3000, "cost_to_serve_cents": 350,
        "state.suspended": 1}
    assert {name: prepaid[name] for name in prepaid if name not in ("month", "payment")} == expected


def test_one_group_of_all():
    found = summary((), start=5, months=1)
    found.observe(seven())
    table = frame(found)
    assert len(table) == 1 and "payment" not in table
    assert table["subscribers"].item() == 5 and table["state.churned"].item() == 2
    by_group = summary(("payment",), start=5, months=1)
    by_group.observe(seven())
    assert np.array_equal(by_group.totals.sum(axis=1), found.totals[:, 0])


def test_labels_of_groups_and_no_rows_for_groups_that_never_were():
    base = subscribers(3, region=[0, 2, 2], locality=[1, 0, 0], customer_type=[3, 0, 0])
    found = summary(("locality", "region", "customer_type"), months=2)
    for month in (0, 1):
        found.observe(block_at(month, base, active=True))
    table = found.table(LABELS, regions=REGIONS)
    assert table["month"].to_pylist() == [0, 0, 1, 1]
    assert table["locality"].to_pylist() == [LOCALITIES[0], LOCALITIES[1]] * 2
    assert table["region"].to_pylist() == ["2", "0"] * 2
    assert table["customer_type"].to_pylist() == ["individual", "enterprise_large"] * 2
    assert table["subscribers"].to_pylist() == [2, 1, 2, 1]
    whole = [name for name in table.column_names if pa.types.is_int64(table.schema.field(name).type)]
    assert set(MEASURES) - set(whole) == {"expected_subscribers"}


def test_no_months_are_an_empty_table():
    table = summary(months=0).table(LABELS, regions=REGIONS)
    assert len(table) == 0 and set(MEASURES) < set(table.column_names)


MANY = varied(np.arange(2600))
TREATED = mixed(MANY.ids)
# These are what a subscriber is seen to do, month by month.
SEEN = ("active", "active_prob", "revenue", "cost_to_serve", "discount", "billed", "accepted", "undecided", "complaint",
        "fault", "fault_mended", "returned", "downgraded", "value_fell", "lines_lost", "substituted", "hotline",
        "shop_visit", "recharged", "plan_change", "porting_request", "state", "decision_time", "departure_time",
        "cause", "join_month")


def observed(by=GROUPS, **how):
    """Run MANY; return its end, its summary, and what was seen of everybody, {name: (months, n)}."""
    base, found = MANY.copy(), summary(by)
    seen = {name: np.zeros((MONTHS, len(base)), MANY[name].dtype if name in SCHEMA else np.float64) for name in SEEN}

    def watch(block):
        found.observe(block)
        for name in SEEN:
            seen[name][block.month.number, block.low:block.high] = block[name]

    engine().run([(base, TREATED)], start=0, months=MONTHS, observe=watch, **how)
    return base, found, seen


WHOLE = observed()


def test_sums_over_groups_are_those_of_plain_numpy():
    base, found, seen = WHOLE
    month = np.arange(MONTHS)[:, None]
    there = seen["active"] > 0
    joined = seen["join_month"] <= month
    left = np.array(seen["departure_time"]) <= month + 1
    stays = joined & ~left
    cents = {name: np.rint(seen[name] * 100.0) * there for name in ("revenue", "cost_to_serve", "discount")}
    expected = {
        "subscribers": there, "joined": (seen["join_month"] == month) & (month > 0),
        "decided": joined & (np.floor(seen["decision_time"]) == month),
        "departed": joined & (np.ceil(seen["departure_time"]) == month + 1),
        "accepted": there & (seen["accepted"] > 0) & (seen["undecided"] > 0),
        "complaints": there & (seen["complaint"] > 0), "faults": there & (seen["fault"] > 0),
        "faults_mended": there & (seen["fault_mended"] > 0), "returned": there & (seen["returned"] > 0),
        "downgraded": stays & (seen["downgraded"] > 0), "value_fell": stays & (seen["value_fell"] > 0),
        "lines_lost": stays * seen["lines_lost"],
        "revenue_cents": cents["revenue"],
        "cost_to_serve_cents": cents["cost_to_serve"], "discount_cents": cents["discount"] * seen["billed"],
        **{f"left.{cause}": joined & (np.floor(seen["decision_time"]) == month) & (base["cause"] == code)
           for code, cause in enumerate(CAUSES, start=1)},
        **{f"state.{state}": joined & ~left & (seen["state"] == code) for code, state in enumerate(STATES[:-1])},
        "state.churned": joined & left}
    table = frame(found).groupby("month").sum(numeric_only=True)
    for name, values in expected.items():
        assert table[name].tolist() == values.sum(axis=1).tolist(), name
        assert values.any() or name in ("state.prospect", "state.decline", "returned", "value_fell"), name
    # Millionths of each, rounded: half of one a subscriber.
    assert np.abs(table["expected_subscribers"] - seen["active_prob"].sum(axis=1)).max() <= len(base) * 0.5e-6


def test_each_group_has_its_own():
    _, found, seen = WHOLE
    table = frame(found)
    # Six groups of twelve: all three are functions of the id modulo 6.
    assert len(table) == MONTHS * 6
    for (payment, region, locality), rows in table.groupby(list(GROUPS), observed=True):
        mine = ((MANY["payment"] == PAYMENTS.index(payment)) & (MANY["region"] == int(region))
                & (MANY["locality"] == LOCALITIES.index(locality)))
        assert rows["subscribers"].tolist() == (seen["active"][:, mine] > 0).sum(axis=1).tolist()
        revenue = np.rint(seen["revenue"][:, mine] * 100.0) * (seen["active"][:, mine] > 0)
        assert rows["revenue_cents"].tolist() == revenue.sum(axis=1).tolist()


def test_money_is_the_ledgers():
    """Summaries and ledger post the same cents: two ways from the columns to the books."""
    judged = EvaluationSettings(horizon_months=MONTHS, discount_rate_annual=0.1, terminal_value="none", inner_draws=1,
                                confidence=0.95)
    world, base, found = engine(), MANY.copy(), summary(())
    books = Bookkeeper(judged, world.offers, start=0, n=len(base), arms=1)

    def watch(block):
        found.observe(block)
        books.observe(block)

    world.run([(base, TREATED)], start=0, months=MONTHS, observe=watch)
    table = frame(found)
    for name, kind in (("revenue", REVENUE), ("cost_to_serve", COST_TO_SERVE), ("discount", DISCOUNT)):
        assert table[f"{name}_cents"].tolist() == books.worlds[0].monthly[:, kind, REALISED, 0].tolist(), name
    assert table["discount_cents"].sum() > 0


@pytest.mark.parametrize(("block", "threads"), [(100, 1), (1000, 2), (16_384, 1), (16_384, 2), (777, 2)])
def test_the_same_bits_for_every_block_size_and_number_of_threads(block, threads):
    base, found, _ = observed(block=block, threads=threads)
    assert same(base, WHOLE[0])
    assert np.array_equal(found.totals, WHOLE[1].totals)


@settings(max_examples=10)
@given(st.lists(st.integers(0, len(MANY)), max_size=4), st.sampled_from([(), ("payment",), ("region", "payment")]))
def test_partitions_add_up(cuts, by):
    bounds = [0, *sorted(cuts), len(MANY)]
    totals, parts = 0, []
    for low, high in pairwise(bounds):
        part, found = MANY.take(np.arange(low, high)), summary(by)
        engine().run([(part, TREATED.view(low, high))], start=0, months=MONTHS, observe=found.observe)
        totals = totals + found.totals
        parts.append(part)
    assert same(Subscribers.concat(parts), WHOLE[0])
    whole = WHOLE[1].totals.reshape(MONTHS, 2, REGIONS, 2, -1)
    kept = {(): (1, 2, 3), ("payment",): (2, 3), ("region", "payment"): (3,)}[by]
    whole = whole.sum(axis=kept)
    if by == ("region", "payment"):
        whole = whole.swapaxes(1, 2)
    assert np.array_equal(totals.reshape(whole.shape), whole)


# Events


def logged(base, treatment, *, start=0, months=MONTHS, **how):
    events = Events()
    engine().run([(base, treatment)], start=start, months=months, observe=events.observe, **how)
    return events.table(LABELS).to_pandas()


def test_events_by_hand():
    base = subscribers(
        4, ids=[10, 11, 12, 13], join_month=[0, -1, -1, 1], decision_time=[NEVER, 0.5, 0.1, NEVER],
        departure_time=[NEVER, 1.5, 0.6, NEVER], cause=[0, 2, 3, 0])
    events = Events()
    base["porting_request"] = [0, 1, 0, 1]
    first = block_at(0, base, active=[True, True, True, False], complaint=[True, False, False, True],
                     undecided=[True, True, False, True], plan_change=[-1, -1, -1, 1],
                     downgraded=[True, False, True, False], substituted=[2, 2, 0, 2])
    first.treatment = Treatment(np.array([0, 0, 1, 2]), np.array([0.25, 0.75, 0.4, 0.3]),
                                np.array([0, 2, 0, 1], np.int8))
    events.observe(first)
    base["porting_request"] = 0
    events.observe(block_at(1, base, active=[True, True, False, True], complaint=[False, True, True, False],
                            returned=[True, False, False, False], substituted=[0, 2, 2, 0],
                            plan_change=[0, -1, -1, 1]))
    table = events.table(LABELS)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert [(s, m, round(day, 9), event, offer, cause) for s, m, day, event, offer, cause in rows] == [
        (10, 0, 0.0, "complaint", "none", "none"),
        (10, 0, 0.0, "cheaper_plan", "none", "none"),
        (10, 0, 0.0, "downgraded", "none", "none"),
        (10, 0, 0.0, "substituted", "none", "price"),
        (10, 0, 7.5, "contact", "none", "none"),
        (10, 0, 22.5, "contact", "none", "none"),
        (10, 0, 22.5, "accepted", "contract", "none"),
        (10, 1, 0.0, "returned", "none", "none"),
        (11, 0, 0.0, "cheaper_plan", "none", "none"),
        (11, 0, 0.0, "substituted", "none", "price"),
        (11, 0, 0.0, "porting_request", "none", "none"),
        (11, 0, 12.0, "contact", "none", "none"),
        (11, 0, 15.0, "decided", "none", "price"),
        (11, 1, 0.0, "complaint", "none", "none"),
        (11, 1, 15.0, "left", "none", "price"),
        # Who has decided already is called in vain: what is accepted then does not count.
        (12, 0, 3.0, "decided", "none", "gone"),
        (12, 0, 9.0, "contact", "none", "none"),
        (12, 0, 18.0, "left", "none", "gone"),
        # The first was there at the start, which is no event.
        (13, 1, 0.0, "joined", "none", "none"),
    ]
    assert table.column_names == ["subscriber", "month", "day", "event", "offer", "cause"]
    assert Events().table(LABELS).schema == table.schema


def test_every_leaver_decides_and_leaves_once():
    base = MANY.copy()
    log = logged(base, TREATED)
    for event, moment in (("decided", base["decision_time"]), ("left", base["departure_time"])):
        rows = log[log["event"] == event]
        # Notice runs over the end for some of those who have decided.
        told = moment <= MONTHS if event == "left" else moment < MONTHS
        assert rows["subscriber"].tolist() == base.ids[told].tolist()
        np.testing.assert_allclose(rows["month"] + rows["day"] / 30.0, moment[told], rtol=0, atol=1e-12)
        assert rows["cause"].tolist() == [CAUSES[code - 1] for code in base["cause"][told]]
        assert 100 < told.sum() < len(base)
    assert (log["day"] < 30.0).all() and (log["day"] >= 0.0).all()
    assert (np.diff(log["subscriber"]) >= 0).all()
    when = (log["month"] + log["day"] / 30.0).groupby(log["subscriber"]).diff()
    assert (when.dropna() >= 0).all()


def test_joining_and_complaints_are_those_seen():
    _, _, seen = WHOLE
    log = logged(MANY.copy(), TREATED)
    complaints = np.argwhere(((seen["active"] > 0) & (seen["complaint"] > 0)).T)
    rows = log[log["event"] == "complaint"]
    assert rows[["subscriber", "month"]].to_numpy().tolist() == complaints.tolist()
    rows = log[log["event"] == "joined"]
    joined = np.flatnonzero((MANY["join_month"] > 0) & (MANY["join_month"] < MONTHS))
    assert rows["subscriber"].tolist() == joined.tolist()
    assert rows["month"].tolist() == MANY["join_month"][joined].tolist()


def test_contacts_and_acceptances_are_the_treatments():
    base = MANY.copy()
    engine().run([(base, None)], start=0, months=2)
    log = logged(base, TREATED, start=2, months=3)
    rows = log[log["event"] == "contact"]
    # Who has left is not met.
    met = 2 + TREATED.time < base["departure_time"][TREATED.row]
    assert 0 < met.sum() < len(met)
    assert rows["subscriber"].tolist() == TREATED.row[met].tolist()
    np.testing.assert_allclose(rows["day"], TREATED.time[met] * 30.0)
    assert set(rows["month"]) == {2} and set(rows["offer"]) == {"none"}
    counts = (TREATED.accepted > 0) & (base["decision_time"][TREATED.row] > 2 + TREATED.time)
    rows = log[log["event"] == "accepted"]
    assert rows["subscriber"].tolist() == TREATED.row[counts].tolist()
    assert rows["offer"].tolist() == [LABELS.offers[code - 1] for code in TREATED.accepted[counts]]
    assert rows["month"].tolist() == [2] * counts.sum()
    assert 0 < counts.sum() < (TREATED.accepted > 0).sum()


def test_nobody_is_contacted_without_a_treatment():
    assert not set(logged(MANY.copy(), None)["event"]) & {"contact", "accepted"}


@pytest.mark.parametrize(("block", "threads"), [(100, 1), (1000, 2)])
def test_the_log_is_the_same_for_blocks_and_threads(block, threads):
    assert logged(MANY.copy(), TREATED, block=block, threads=threads).equals(logged(MANY.copy(), TREATED))


# Panels


def panel_of(base, *, share=0.2, latent=True, key=KEY, months=MONTHS, treatment=TREATED, **how):
    panel = Panel(share, key=key, labels=LABELS, latent=latent)
    engine().run([(base, treatment)], start=0, months=months, observe=panel.observe, **how)
    return panel.table()


PANEL = panel_of(MANY.copy())


def test_a_row_of_the_panel_is_the_state_of_a_run_that_stops_there():
    for month in (0, 4, MONTHS - 1):
        base = MANY.copy()
        engine().run([(base, TREATED)], start=0, months=month + 1)
        rows = PANEL.filter(pa.compute.equal(PANEL["month"], month))
        kept = np.flatnonzero(np.isin(base.ids, rows["subscriber"].to_numpy()))
        state = state_table(base.take(kept), month=month + 1, labels=LABELS, latent=True)
        for name in state.column_names:
            assert rows[name].to_pylist() == state[name].to_pylist(), (month, name)


def test_money_and_troubles_of_the_panel_are_those_of_its_month():
    _, _, seen = WHOLE
    row, month = PANEL["subscriber"].to_numpy(), PANEL["month"].to_numpy()
    for name in Panel.COLUMNS:
        assert np.array_equal(PANEL[name].to_numpy(zero_copy_only=False), seen[name][month, row]), name


def test_a_panel_has_every_month_since_joining_of_a_sample_by_id():
    ids = np.unique(PANEL["subscriber"].to_numpy())
    months = [np.arange(max(join, 0), MONTHS) for join in MANY["join_month"][ids]]
    assert PANEL["month"].to_numpy().tolist() == np.concatenate(months).tolist()
    assert PANEL["subscriber"].to_numpy().tolist() == np.repeat(ids, [len(some) for some in months]).tolist()
    # A larger share takes more beside the same ones; another key takes others.
    more = np.unique(panel_of(MANY.copy(), share=0.4, months=4, treatment=None)["subscriber"])
    assert set(ids) < set(more)
    other = np.unique(panel_of(MANY.copy(), key=make_key(seed=6, replicate=0), months=4, treatment=None)["subscriber"])
    assert len(np.intersect1d(ids, other)) < 0.5 * len(ids)


def test_a_panel_is_the_same_in_any_partition():
    parts = [panel_of(MANY.take(rows), treatment=TREATED.view(rows[0], rows[-1] + 1), block=333, threads=2)
             for rows in np.split(np.arange(len(MANY)), [5, 700, 701])]
    # Of the single one in the third part nobody may be sampled.
    assert pa.concat_tables([part for part in parts if part is not None]).to_pandas().equals(PANEL.to_pandas())


def test_the_share_of_a_panel():
    """Binomial: 4 standard errors, false alarm 6e-5."""
    n, share = 40_000, 0.05
    sampled = len(np.unique(panel_of(subscribers(n), share=share, months=1, treatment=None)["subscriber"]))
    assert abs(sampled / n - share) < 4 * np.sqrt(share * (1 - share) / n)
    assert len(panel_of(subscribers(50), share=1.0, months=1, treatment=None)) == 50
    assert panel_of(subscribers(50), share=0.0, months=1, treatment=None) is None


def test_a_panel_without_latent_columns():
    latent = {column.name for column in SCHEMA.values() if column.visibility == "latent"}
    assert latent < set(PANEL.column_names)
    observed_only = panel_of(MANY.copy(), latent=False)
    assert latent & set(observed_only.column_names) == {"departure_time"}
    rest = [name for name in observed_only.column_names if name != "departure_time"]
    assert observed_only.select(rest).to_pandas().equals(PANEL.select(rest).to_pandas())


# State


def test_a_state_table_by_hand():
    base = subscribers(
        3, ids=[4, 9, 2], usage_gb=np.arange(18.0).reshape(6, 3), offer_code=[0, 2, 1], cause=[0, 3, 1],
        decision_time=[NEVER, 7.5, 6.0], departure_time=[NEVER, 8.5, 7.0], region=[1, 0, 2])
    table = state_table(base, month=8, labels=LABELS, latent=False, source_id=np.array(["A", None, "C"], object))
    assert table.column_names[:2] == ["subscriber", "source_id"]
    assert table["subscriber"].to_pylist() == [4, 9, 2] and table["source_id"].to_pylist() == ["A", None, "C"]
    # Month 7 stands in row 1 of the ring, month 2 in row 2.
    assert table["usage_gb_lag1"].to_pylist() == [3.0, 4.0, 5.0]
    assert table["usage_gb_lag6"].to_pylist() == [6.0, 7.0, 8.0]
    assert table["state"].to_pylist() == ["stable", "stable", "churned"]
    assert table["stage_of_five"].to_pylist() == ["mature", "mature", "lost"]
    assert table["stage_of_four"].to_pylist() == ["stable", "stable", None]
    assert table["stage_of_three"].to_pylist() == ["upkeep", "upkeep", None]
    assert table["offer_code"].to_pylist() == ["none", "contract", "discount"]
    assert table["region"].to_pylist() == [1, 0, 2]
    # That the second has decided is not known to the operator.
    assert table["departure_time"].to_pylist() == [None, None, 7.0] and "cause" not in table.column_names
    told = state_table(base, month=8, labels=LABELS, latent=True)
    assert told["departure_time"].to_pylist() == [None, 8.5, 7.0]
    assert told["decision_time"].to_pylist() == [None, 7.5, 6.0]
    assert told["cause"].to_pylist() == ["none", "gone", "service"]
    assert "source_id" not in told.column_names
    latent = [name for name in told.column_names if name not in table.column_names or name == "departure_time"]
    assert latent_part(told, SCHEMA).equals(told.select(["subscriber", *latent]))
    assert latent_part(PANEL, SCHEMA).column_names == ["subscriber", "month", *latent]


def test_codes_keep_all_labels():
    found = coded(np.array([2, 0]), ("a", "b", "c"))
    assert found.to_pylist() == ["c", "a"] and found.dictionary.to_pylist() == ["a", "b", "c"]


def test_latent_columns_apart():
    table = latent_part(PANEL, SCHEMA)
    latent = [column.name for column in SCHEMA.values() if column.visibility == "latent"]
    assert table.column_names == ["subscriber", "month", *latent]
    assert table["satisfaction"].equals(PANEL["satisfaction"])


def test_groups_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"^no group 'cause'; there are customer_type, region, locality, payment, "
                                         r"usage_scenario, acquisition_channel, building_access$"):
        group_sizes(("region", "cause"), regions=8)
    assert group_sizes(("payment", "region"), regions=8) == (2, 8)
    assert group_sizes(("usage_scenario", "acquisition_channel", "building_access"), regions=8) == (10, 3, 2)


def test_expectations_unknown_from_a_month_on():
    _, found, _ = WHOLE
    table = found.table(LABELS, regions=REGIONS, expected_until=3).to_pandas()
    assert (table["expected_subscribers"].isna() == (table["month"] >= 3)).all()
