"""The table of policy values by the pilot's holdout, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnsim.report.estimate_tables import READ_SO, estimate_sentences, estimates_table
from churnsim.report.page import page_text
from churnsim.report.run_folder import Run, read_run

BESIDE = {"plan_value_amount": 900.0, "net_value_amount": 700.0}


def policy_rows(policy: str, replicate: int, values: dict[str, float], note: str | None = None) -> list[dict[str, Any]]:
    return [{"scenario": "base", "policy": policy, "replicate": replicate, "method": method, "value_amount": value,
             "se_amount": 100.0, "low_amount": value - 200.0, "high_amount": value + 200.0, "spend_amount": 1.0,
             "listed": 1000.0 + replicate, "effective_rows": 250.0, "true_value_amount": 1000.0, "note": note, **BESIDE}
            for method, value in values.items()]


def not_valued(policy: str, replicate: int, note: str) -> dict[str, Any]:
    (row,) = policy_rows(policy, replicate, {"": np.nan}, note)
    return row | {name: np.nan for name in row if name.endswith("_amount") and name not in BESIDE} | {"listed": np.nan}


@pytest.fixture
def table() -> pd.DataFrame:
    one = {"ipw": 1400.0, "snipw": 1300.0, "dm": 2000.0, "dr": 1100.0}
    two = {"ipw": 800.0, "snipw": 900.0, "dm": 1900.0, "dr": 1300.0}
    return pd.DataFrame([*policy_rows("churn_risk", 0, one), *policy_rows("churn_risk", 1, two),
                         *policy_rows("uplift_value", 0, one, "by call alone"),
                         *policy_rows("uplift_value", 1, two, "by call alone"),
                         not_valued("far", 0, "by sms"), not_valued("adaptive", 0, "knows the truth"),
                         not_valued("oracle", 0, "knows the truth"), not_valued("oracle", 1, "knows the truth")])


@pytest.fixture
def run(folder: Any, table: pd.DataFrame) -> Run:
    found = read_run(folder)
    return Run(found.summary, found.config, {**found.tables, "estimates": table}, found.notes)


def test_estimates_stand_beside_the_truth(run: Run) -> None:
    found = estimates_table(run, "base")
    assert found is not None
    assert found.caption == ("Policy values estimated from the pilot's holdout, truth beside: EUR for as many "
                             "subscribers as the campaign has, means over 2 replicates")
    assert [head.replace("\n", " ") for head in found.heads] == [
        "policy", "listed", "effective rows", "doubly robust", "IPW", "SNIPW", "direct method",
        "95 % interval of one pilot", "truth on the same rows", "intervals that hold it", "plan value", "net value"]
    numbers = ("1,000", "250", "1,200", "1,100", "1,100", "1,950", "1,000 to 1,400", "1,000", "1 of 2", "900", "700")
    assert found.rows == (("churn_risk", *numbers), ("uplift_value", *numbers))


def test_what_is_not_valued_is_named_once(run: Run) -> None:
    assert estimate_sentences(run, "base") == (READ_SO, "Not valued: far (by sms); adaptive, oracle (knows the truth).",
                                               "To know: uplift_value: by call alone.")


def test_the_page_shows_them(run: Run) -> None:
    page = page_text(run, [])
    assert "Policy values from the pilot&#39;s holdout" in page and "adaptive, oracle (knows the truth)" in page


def test_runs_without_a_holdout_show_nothing(folder: Any) -> None:
    run = read_run(folder)
    assert estimates_table(run, "base") is None and estimate_sentences(run, "base") == ()
    assert "holdout" not in page_text(run, [])


def test_a_table_of_nobody_valued_is_left_out(run: Run, table: pd.DataFrame) -> None:
    only = table[table["policy"] == "oracle"]
    assert estimates_table(Run(run.summary, run.config, {"estimates": only}), "base") is None
