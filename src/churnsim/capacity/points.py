"""Points that agents earn for saves they report, some of them falsely, and what checks take back."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churnsim.capacity.lines import Line
from churnsim.capacity.log import NO_AGENT, ContactLog
from churnsim.capacity.settings import Incentives
from churnsim.core.draws import Key, stream, uniform

COUNTS = ("talked", "reported_saves", "true_saves", "false_saves", "checked", "found_false", "partials")


def count_points(log: ContactLog, incentives: Incentives, *, key: Key, month: int) -> pd.DataFrame:
    """Return reported and true saves, checks and points of each agent.

    A true save is a conversation that ended in acceptance. Of those who declined an agent reports some as saved, drawn
    by order; the others are partial results. A share of all reported saves is checked, and each false one found costs
    `penalty_factor` times the points of a save; the points it brought stay.

    Parameters
    ----------
    log
        Of orders that tell how likely each accepts; conversations that say nothing are left out.

    Returns
    -------
    DataFrame
        A row an agent who talked, by number: team, agent, talked, reported_saves, true_saves, false_saves, checked,
        found_false, partials, points, points_amount.
    """
    attempts = log.attempts
    true = attempts.disposition == "reached_accepted"
    told = (true | (attempts.disposition == "reached_declined")) & (attempts.agent != NO_AGENT)
    ids, true = attempts.order_id[told], true[told]
    false = ~true & (uniform(key, stream("capacity.false_save"), ids, month=month) < incentives.false_save_prob)
    checked = (true | false) & (uniform(key, stream("capacity.check"), ids, month=month) < incentives.audit_share)
    flags = (np.ones(len(ids), np.bool_), true | false, true, false, checked, checked & false, ~true & ~false)
    columns = {name: each.astype(np.int64) for name, each in zip(COUNTS, flags, strict=True)}
    each = pd.DataFrame({"team": attempts.team[told], "agent": attempts.agent[told], **columns})
    frame = each.groupby(["agent", "team"], as_index=False).sum()[["team", "agent", *COUNTS]]
    frame["points"] = (incentives.points_per_save * (frame["reported_saves"]
                                                     - incentives.penalty_factor * frame["found_false"])
                       + incentives.points_per_partial * frame["partials"])
    frame["points_amount"] = frame["points"] * incentives.point_value_amount
    return frame


def points_lines(frame: pd.DataFrame) -> list[Line]:
    """Return the sums over agents, of all and by team."""
    units = {**dict.fromkeys(COUNTS, "orders"), "points": "points", "points_amount": "amount"}
    groups = [("all", frame), *((str(name), own) for name, own in frame.groupby("team"))]
    return [Line(metric, "points", group, float(own[metric].sum()), unit)
            for group, own in groups for metric, unit in units.items()]
