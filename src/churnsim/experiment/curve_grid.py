"""Where the curves of policies have points, and the limits of the four kinds: what the report knows of them too."""

from __future__ import annotations

from churnsim.policy.settings import OVER_MONTHS

ONE_POINT = (*OVER_MONTHS, "readable", "capacity_aware")
"""Kinds whose list at another budget would take too long to make: their curve is the list they have."""
MULTIPLES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0,
             50.0)
"""Budgets of a curve, in multiples of the campaign's."""
COARSE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Those of policies whose every list is a search of its own; all of them are among the others'."""
ROUND_COUNTS = tuple(step * 10**power // 2 for power in range(1, 8) for step in (2, 3, 4, 6, 8, 10, 12, 16))
"""Numbers of subscribers at which curves have a point too, so that policies can be compared at equal ones."""
BY_RISK, BY_TRUTH = "by predicted risk", "by true effect"
"""Rankings beside those of the learners."""
RISK_THRESHOLD, EFFECT_THRESHOLD = 0.5, 0.005
"""Who is more likely than not to leave is a lost cause unless an offer helps; half a point of effect counts as none."""
