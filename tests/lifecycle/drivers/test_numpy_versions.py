"""Compiled drivers against plain numpy: the same months but for rounding, and the engine takes either."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.core.columns import Subscribers
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.default import default_drivers
from churnsim.lifecycle.engine import Engine
from churnsim.lifecycle.leaving import Leaving
from churnsim.population.columns import SCHEMA

from ..examples import KEY, block_of, draws_of, engine, lifecycle, varied
from .numpy_versions import in_numpy, steps

N = 100_000
MONTH = 7
SETTINGS = lifecycle()
WORLD = engine(SETTINGS)
DRIVERS = {driver.name: driver for driver in default_drivers(SETTINGS, WORLD.market, WORLD.offers)}
NAMES = tuple(steps(SETTINGS))
# A uniform must lie within rounding, some 1e-6 of it, of its threshold to fall on the other side: 0.1 of 100,000 rows
# are expected at most, so more than this many in 3e-6 of all seeds.
FLIPS = 3
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


@pytest.fixture(scope="module")
def base() -> Subscribers:
    """Subscribers with a past of their own in every column; some join now, next month or later."""
    made = varied(np.arange(N))
    WORLD.run([(made, None)], start=0, months=MONTH)
    for rest, month in ((0, MONTH), (1, MONTH + 1), (2, MONTH + 2)):
        made["join_month"][made.ids % 50 == rest] = month
    made["discount_share"], made["discount_left_months"] = made.ids % 5 / 10.0, made.ids % 5
    made["newcomer_discount_share"], made["newcomer_discount_left_months"] = made.ids % 4 / 10.0, made.ids % 3
    made["substitution_cost_amount"] = made.ids % 7
    made["bill_amount"] *= (1 + made.ids % 3).astype(np.float32)
    made["value_tier"], made["high_value_left_months"] = made.ids % 3, made.ids % 5
    return made


def stepped(step, base, name):
    """Let one driver step on a copy of a base."""
    block = block_of(base.copy(), month=MONTH, promotion=0.5, season=0.3, network=np.sin(np.arange(N)),
                     mended_share=0.3)
    block["active_next_prob"], block["given_prob"] = base.ids % 11 / 10.0, base.ids % 7 / 6.0
    block["given_time"] = np.where(base.ids % 3, -np.inf, MONTH - 1.5)
    block["accepted"] = base.ids % 3
    block["overage_amount"] = base.ids % 7 * 4.0
    for place, flag in enumerate(("returned", "hotline", "shop_visit", "complaint"), start=5):
        block[flag] = base.ids % place == 0
    step(block, block.month, draws_of(base, *DRIVERS[name].streams, month=MONTH))
    return block


def flips(a, b, names):
    """Return where events fell out differently, by column: whole numbers, and stocks of them."""
    found = {}
    for name in names:
        if a[name].dtype.kind != "f":
            found[name] = a[name] != b[name]
        elif name.endswith("_stock") or name == "app_logins":
            found[name] = np.abs(a[name] - b[name]) > 0.5
    return found


def compare(compiled, plain, names):
    """Return flips by column; other rows must agree but for rounding.

    Raises
    ------
    AssertionError
        They do not, or there are more flips in a column than rounding explains.
    """
    different = flips(compiled, plain, names)
    same = ~np.any([np.zeros(N, bool), *different.values()], axis=0)
    for column in names:
        if compiled[column].dtype.kind == "f":
            close = CLOSE
            if column == "overage_amount":
                # The difference of two larger numbers, each rounded.
                close = CLOSE | {"atol": 5e-5}
            elif column in ("usage_gb", "voice_minutes"):
                # What a search leaves is a power of a uniform: the rounding of its logarithm grows with the power.
                close = CLOSE | {"rtol": 5e-6}
            np.testing.assert_allclose(compiled[column][..., same], plain[column][..., same], **close, err_msg=column)
    counts = {column: int(rows.sum()) for column, rows in different.items()}
    assert max(counts.values(), default=0) <= FLIPS, counts
    return counts


@pytest.mark.parametrize("name", NAMES)
def test_a_month_of_one_driver(name, base, request):
    compiled = stepped(DRIVERS[name].step, base, name)
    counts = compare(compiled, stepped(steps(SETTINGS)[name], base, name), DRIVERS[name].writes)
    request.node.user_properties.append((f"flips in {N}", counts))
    for column in DRIVERS[name].writes:
        assert len(np.unique(compiled[column])) > 1 or column == "accepted", f"{column} is the same for all"


@pytest.mark.parametrize(("name", "section", "key", "value"), [
    ("usage", "usage", "noise_log_sd", 0.30001),
    ("usage", "usage", "growth_months", 4.001),
    ("usage", "usage", "idle_prob", 0.05001),
    ("usage", "usage", "shopping_factor", 0.60001),
    ("usage", "usage", "voice_share_of_deviation", 0.70001),
    ("recharge", "recharge", "skip_prob", 0.2005),
    ("recharge", "recharge", "fee_months", 1.00001),
    ("plan", "plan", "change_prob", 0.0502),
    ("plan", "plan", "down_prob", 0.51),
    ("plan", "plan", "step_share", 0.20001),
    ("plan", "plan", "tier_move_prob", 0.41),
    ("plan", "plan", "line_loss_prob", 0.0302),
    ("plan", "plan", "line_gain_prob", 0.0302),
    ("plan", "plan", "need_decay_months", 60.01),
    ("plan", "plan", "high_value_amount", 70.1),
    ("plan", "plan", "low_value_amount", 30.01),
    ("service", "service", "fault_prob", 0.1505),
    ("service", "service", "complaint_prob", 0.0502),
    ("service", "service", "satisfaction_persistence", 0.74999),
    ("service", "service", "fatigue_persistence", 0.89999),
    ("contacts", "contacts", "hotline_prob", 0.1003),
    ("contacts", "contacts", "shop_prob", 0.0803),
    ("contacts", "contacts", "survey_share", 0.1003),
    ("contacts", "contacts", "app_logins_mean", 4.01),
    ("contacts", "contacts", "shop_points", -1.0001),
    ("arrears", "arrears", "miss_prob", 0.1005),
    ("arrears", "arrears", "cure_prob", 0.602),
    ("shopping", "shopping", "base_prob", 0.1005),
    ("shopping", "shopping", "ad_click_prob", 0.305),
    ("billing", "cost_to_serve", "fixed_amount", 6.0001),
    ("billing", "cost_to_serve", "hotline_call_amount", 4.0001),
    ("billing", "cost_to_serve", "shop_visit_amount", 5.0001),
    ("billing", "cost_to_serve", "ticket_amount", 8.0001),
    ("tenure", "suspension", "enter_prob", 0.0502),
    ("tenure", "suspension", "resume_prob", 0.402),
])
def test_a_small_error_in_a_driver_is_found_out(name, section, key, value, base):
    compiled = stepped(DRIVERS[name].step, base, name)
    plain = stepped(steps(lifecycle(**{section: {key: value}}))[name], base, name)
    with pytest.raises(AssertionError):
        compare(compiled, plain, DRIVERS[name].writes)


@pytest.mark.parametrize("replaced", [*[(name,) for name in NAMES], NAMES], ids="+".join)
def test_the_engine_takes_either(replaced, base, request):
    """Three months: ids in which anything differs by more than rounding are counted."""
    drivers = tuple(in_numpy(driver, SETTINGS) if driver.name in replaced else driver
                    for driver in DRIVERS.values())
    leaving = Leaving(drivers, notice_months=1.0 / 3.0)
    plain = Engine((*drivers, leaving.driver()), schema=LIFECYCLE_SCHEMA, key=KEY)
    some = base.view(0, N // 5)
    ends = [some.copy(), some.copy()]
    for world, end in zip((WORLD, plain), ends, strict=True):
        world.run([(end, None)], start=MONTH, months=3)
    one, other = ends
    close = [np.isclose(one[column], other[column], rtol=1e-5, atol=1e-5) for column in SCHEMA]
    differs = ~np.all([np.all(column, axis=0) if column.ndim == 2 else column for column in close], axis=0)
    request.node.user_properties.append(("ids that differ", int(differs.sum())))
    assert differs.sum() <= FLIPS
    assert not np.array_equal(one["usage_gb"], some["usage_gb"])
