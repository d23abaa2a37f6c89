"""Policies of the user's own: what they may return, and what is refused with place, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_plans import KEY, made_plan
from small_world import load_small

from churnsim.config.paths import dotted
from churnsim.errors import ConfigError, DataError
from churnsim.experiment.policy_cells import policy_sections
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.choices import Limits, Segment
from churnsim.policy.own import check_own
from churnsim.policy.policies import choose
from churnsim.policy.settings import Own

HEAD = '''
import numpy as np
import pandas as pd
from churnsim.core.draws import stream, uniform
from churnsim.policy.choice import Choice

MINE = stream("mine.order")

class Mine:
    def __init__(self, most=1.0):
        self.most = most

    def choose(self, plan, *, limits, key):
'''


def mine(body: str, folder: Path, plan: Any = None, *, settings: dict[str, Any] | None = None, **limits: Any) -> Choice:
    """Return the list of a policy whose method has this body."""
    (folder / "mine.py").write_text(HEAD + "".join(f"        {line}\n" for line in body.splitlines()))
    entry = Own(kind="own", policy="mine:Mine", settings=settings or {})
    given = Situation(made_plan() if plan is None else plan, Limits(**limits), KEY, folder=folder)
    return choose(entry, given)


@pytest.mark.parametrize("body", [
    "return np.array([0, -1, -1, 3, -1])",
    "return [0, None, float('nan'), 3, -1]",
    "return pd.Series([0.0, None, None, 3.0, -1.0])",
    "return pd.Series(['gift by call', None, None, 'device by sms', None], index=plan.ids)",
    "return np.array(['gift by call', -1, None, 3, None], object)",
    "return pd.Series(['device by sms', 'gift by call'], index=[13, 10]).reindex(plan.ids)",
    "return Choice(np.array([0, -1, -1, 3, -1]), plan.risk, 99.0)",
])
def test_arms_by_position_or_name(body: str, tmp_path: Path) -> None:
    found = mine(body, tmp_path, budget=6.1)
    assert found.arm.tolist() == [0, -1, -1, 3, -1] and found.arm.dtype == np.int64
    # What it costs is counted, whatever the policy says: 2 and 4.1.
    assert found.planned_spend == pytest.approx(6.1)
    assert found.priority.tolist() == [0.1, 0.0, 0.0, 0.4, 0.0]


def test_priorities_notes_and_tables(tmp_path: Path) -> None:
    found = mine("return [0, -1, 1, -1, -1], plan.margin", tmp_path)
    assert found.priority.tolist() == [100.0, 0.0, 30.0, 0.0, 0.0]
    found = mine("return np.full(5, -1), np.full(5, np.nan)", tmp_path)
    assert found.priority.tolist() == [0.0] * 5 and found.note == "mine:Mine lists nobody"
    found = mine("return Choice(np.full(5, -1), plan.risk, 0.0, note='off', tables={'why': pd.DataFrame({'a': [1]})})",
                 tmp_path)
    assert found.note == "off" and found.tables["own_why"]["a"].tolist() == [1]


def test_settings_are_keywords_and_draws_are_the_world_s(tmp_path: Path) -> None:
    body = "return np.where(uniform(key, MINE, plan.ids) < self.most, 1, -1)"
    assert mine(body, tmp_path).arm.tolist() == [1] * 5
    half = mine(body, tmp_path, settings={"most": 0.5})
    assert 0 < (half.arm == 1).sum() < 5 and (mine(body, tmp_path, settings={"most": 0.5}).arm == half.arm).all()


@pytest.mark.parametrize(("body", "message"), [
    ("return [0, 4, -1, -1, -1]", r"policy mine:Mine returns the arm 4, which is none of plan.arms: gift by call, .*, "
     "or positions 0 to 3; -1 and None leave alone"),
    ("return [0, -2, -1, -1, -1]", "returns the arm -2, which is none"),
    ("return [0, 0.5, -1, -1, -1]", "returns the arm 0.5, which is none"),
    ("return [None, 'gift by cal', None, None, None]", "returns the arm 'gift by cal', .* Did you mean 'gift by call'"),
    ("return [None, True, None, None, None]", "returns the arm True, which is none"),
    ("return plan.risk > 0.2", "returns arms of dtype bool; return positions in plan.arms, or names"),
    ("return [0, 1]", r"returns arms of shape \(2,\); return one for each of the 5 rows of the plan, \(5,\)"),
    ("return None", r"returns arms of shape \(\)"),
    ("return np.full((5, 4), -1)", r"returns arms of shape \(5, 4\)"),
    ("return pd.Series(-1, index=[1, 2, 3, 4, 5])", "returns arms with an index that is not plan.ids; return "
     r"series.reindex\(plan.ids\), or an array"),
    ("return [0, -1, -1, -1, -1], [1.0]", r"returns priorities of shape \(1,\)"),
    ("return [0, -1, -1, -1, -1], ['high'] * 5", "returns priorities of dtype <U4; return numbers"),
    ("return [0, 1, -1, -1, -1], [1.0, float('nan'), 1.0, 1.0, 1.0]",
     "gives subscriber 11 the priority nan, the first of 1; give those with an arm finite numbers"),
    ("return Choice(np.full(5, -1), plan.risk, 0.0, tables={'a b': pd.DataFrame()})",
     "returns a table named 'a b'; name it by one word"),
    ("return Choice(np.full(5, -1), plan.risk, 0.0, tables={'why': [1]})",
     "returns a table 'why' that is a list; return a DataFrame"),
    ("return np.full(5, 2)", "plans to spend 55.00 of a budget of 50.00; list fewer: the sum of plan.planned_cost"),
    ("return [-1, -1, 1, 0, 0]", "gives subscriber 13 the arm 'gift by call', which is not allowed, the first of 2; "
     "give an arm only where plan.allowed is True"),
    ("return [1, 1, 1, -1, -1]", "lists 3 of segment family, but at most 2 must be; plan.segment == 0 are its"),
    ("return [1, 1, -1, -1, -1]", "lists 0 of segment student, but at least 1 must be; plan.segment == 1 are its"),
    ("plan.risk[0] = 1.0", r"failed \(ValueError: assignment destination is read-only, mine.py line 14: "
     r"plan.risk\[0\] = 1.0\); correct the class"),
    ("order = plan.risk.argsort()\nreturn np.zeros(3)[order]",
     r"failed \(IndexError: .*, mine.py line 15: return np.zeros\(3\)\[order\]\)"),
    ("return plan.flags['w9']", r"policy mine:Mine failed \(KeyError: 'w9', mine.py line 14: "),
    ("return plan.planned_value('values')", "KeyError: 'values', mine.py line 14: return plan.planned_value"),
])
def test_what_is_no_list_of_the_plan_is_refused(body: str, message: str, tmp_path: Path) -> None:
    allowed = np.ones((5, 4), bool)
    allowed[3:, 0] = False
    plan = made_plan(allowed=allowed, segment=np.array([0, 0, 0, 1, -1], np.int32))
    segments = (Segment("family", most=2), Segment("student", least=int("1, 1, -1, -1, -1" in body)))
    with pytest.raises(DataError, match=message):
        mine(body, tmp_path, plan, budget=50.0, segments=segments)


@pytest.mark.parametrize(("source", "entry", "message"), [
    ("class Other:\n    def choose(self, plan, *, limits, key): pass\n", {},
     "module 'mine' has no 'Mine'; there is Other"),
    ("class Mine:\n    pass\n", {}, r"mine:Mine is no policy: it must be a class with a method "
     r"`choose\(plan, \*, limits, key\)`; see docs/policies.md"),
    ("Mine = 3\n", {}, "mine:Mine is no policy"),
    ("class Mine:\n    def choose(self, plan): pass\n", {}, r"choose of mine:Mine cannot be called so \(got an "
     r"unexpected keyword argument 'limits'\); define it as choose\(self, plan, \*, limits, key\)"),
    ("class Mine:\n    def choose(self, plan, *, limits, key): pass\n", {"settings": {"share": 1}},
     r"mine:Mine cannot be made \(TypeError: Mine\(\) takes no arguments\); correct its settings or the class"),
    ("class Mine:\n    def __init__(self):\n        self.a = 1 / 0\n    def choose(self, plan, *, limits, key): pass\n",
     {}, r"cannot be made \(ZeroDivisionError: division by zero, mine.py line 3: self.a = 1 / 0\)"),
    ("import nothing_of_the_kind\n", {}, "cannot import 'mine' .*nothing_of_the_kind.*; install it, or correct"),
])
def test_a_class_that_cannot_be_had_is_found_before_the_run(source: str, entry: dict[str, Any], message: str,
                                                            tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(source)
    own = Own(kind="own", policy="mine:Mine", **entry)
    ((path, text),) = check_own({"best": own}, tmp_path)
    assert dotted(path) == "policies.best.policy"
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(text)
    with pytest.raises(ConfigError, match=message):
        load_small(f"policies.best={{kind: own, policy: 'mine:Mine', settings: {entry.get('settings', {})}}}",
                   folder=tmp_path)


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"policies.best.policy: no module 'mine' in .*; correct the name or add"):
        load_small("policies.best={kind: own, policy: 'mine:Mine'}", folder=tmp_path)


def test_an_edited_file_is_another_cell(tmp_path: Path) -> None:
    """Also of a policy that imitates it; one that reads nothing of it keeps its cell."""
    found = []
    for number in (1, 2):
        (tmp_path / "mine.py").write_text(f"{HEAD}        return np.full(len(plan.ids), -{number})\n")
        loaded = load_small("policies.best={kind: own, policy: 'mine:Mine'}",
                            "policies.read={kind: readable, imitates: best}", folder=tmp_path)
        found.append([policy_sections(loaded.experiment, name, tmp_path) for name in ("best", "read", "random")])
    assert [one == other for one, other in zip(*found, strict=True)] == [False, False, True]
