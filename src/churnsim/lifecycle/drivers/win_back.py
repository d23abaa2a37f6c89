"""Some of those who left come back: the same account, a new spell, along the path that it would have had anyway.

Whoever leaves for a cause comes back in the a-th month after the month of leaving, at its start, with probability
``f x return_prob x persistence**(a - 1)``; f is the factor of the cause times that of the offer in effect at the
decision. Realised, each month away has the chance of it given that the account is still away. Expected, one number an
account is enough: the mass of those away, each weighted by its f and by persistence for every further month.

Who had left when the month of a contact began and takes an offer that brings back is recalled: back when the next month
starts, unless it came back by itself meanwhile.
"""

from __future__ import annotations

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Float64, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import WinBack as Settings

RETURNS = stream("lifecycle.win_back")
# Months away from which on the chance to come back stays what it is.
LONGEST = 600


class WinBack:
    """Who comes back, and the probabilities of it with the clocks of leaving integrated out.

    Parameters
    ----------
    offer_factors
        (1 + offers,) factors on the chance to come back by the offer in effect at the decision; the first is of none.
    brings_back
        (1 + offers,) bool: offers to those who have left.
    """

    def __init__(self, settings: Settings, offer_factors: Float32, brings_back: Array) -> None:
        self.settings = settings
        self.offer_factors = np.asarray(offer_factors, np.float64)
        self.brings_back = brings_back
        months = np.arange(LONGEST)
        # By months away, from 1: what is left of the chance to come back, that chance, and to have come back before; at
        # f = 1.
        self.kept = settings.persistence ** months.astype(np.float64)
        self.chance = settings.return_prob * self.kept
        self.before = settings.return_prob * (1.0 - self.kept) / (1.0 - settings.persistence)

    def factors(self, causes: tuple[str, ...]) -> Float64:
        """Return f by offer in effect and cause of leaving, (1 + offers, causes): at most what brings all back."""
        own = np.array([self.settings.cause_factors.get(cause, 0.0) for cause in causes])
        prob = self.settings.return_prob
        most = (1.0 - self.settings.persistence) / prob if prob > 0.0 else np.inf
        return np.minimum(np.outer(self.offer_factors, own), most)

    def start(self, block: Block) -> None:
        """Who is away when a run starts may still come back; who decided before leaves in its first month.

        A discount that runs is not owed by those who came back after it was given.
        """
        start, factor, departure = block.month.number, block["return_factor"], block["departure_time"]
        away = departure <= start
        months = self._months_away(departure, start)
        still = factor * self.kept[months] / (1.0 - factor * self.before[months])
        block["away_mass"] = np.where(away, still, 0.0)
        block["leaving_mass"] = np.where(~away & (block["decision_time"] < start), factor, 0.0)
        again = block["spell"] > 0
        block["returned_prob"] = again & (block["decision_time"] >= start)
        block["returned_next_prob"] = again & ~away
        # Who took an offer to come back took it the month before.
        before = block["spell_months"] + self.brings_back[block["offer_code"]]
        block["unowed"] = again & ~away & (block["months_since_offer"] > before)
        block["unowed_share"] = block["unowed"]

    def step(self, block: Block, month: Month, draws: Draws) -> None:
        """At the month's start some of those away are back."""
        s = self.settings
        _return_mass(month.number, s.return_prob, s.persistence, block["given_time"], block["away_mass"],
                     block["recalled_prob"], block["returned_prob"], block["returned_next_prob"],
                     block["active_next_prob"], block["unowed"], block["unowed_share"], block["unowed_prob"])
        block["returned"] = False
        if month.realise:
            self._realise(block, month, draws)

    @staticmethod
    def recall(block: Block) -> None:
        """Whoever had left and took an offer will be back when the next month starts, and not by chance."""
        rows = np.flatnonzero(block["lost"] & (block["accepted"] > 0))
        block["recalled"][rows] = block["departure_time"][rows] <= block.month.number
        block["recalled_prob"][rows] = 1.0 - block["returned_next_prob"][rows]
        block["away_mass"][rows] = 0.0

    def _realise(self, block: Block, month: Month, draws: Draws) -> None:
        away = np.flatnonzero((block["departure_time"] <= month.number) & (block["return_factor"] > 0.0))
        months = self._months_away(block["departure_time"][away], month.number)
        factor = block["return_factor"][away].astype(np.float64)
        chance = factor * self.chance[months] / (1.0 - factor * self.before[months])
        recalled = np.flatnonzero(block["recalled"])
        rows = np.union1d(away[draws.uniform(RETURNS, away) < chance], recalled)
        block["returned"][rows] = True
        block["unowed"][rows] = True
        block["unowed"][recalled] = block["given_time"][recalled] < month.number - 1
        block["recalled"][recalled] = False
        block["spell"][rows] += 1
        block["decision_time"][rows] = np.inf
        block["departure_time"][rows] = np.inf
        block["cause"][rows] = 0
        block["return_factor"][rows] = 0.0

    @staticmethod
    def _months_away(departure: Float64, month: int) -> Array:
        """Return the place of a month in the tables: 0 in the first month after the month of leaving."""
        places = np.clip(month - np.ceil(np.minimum(departure, month)), 0, LONGEST - 1)
        return np.asarray(places, np.int64)

    def driver(self) -> Driver:
        """Return the driver."""
        writes = ("spell", "returned", "decision_time", "departure_time", "cause", "return_factor", "away_mass",
                  "recalled", "recalled_prob", "returned_prob", "returned_next_prob", "active_next_prob", "unowed",
                  "unowed_share", "unowed_prob")
        return Driver("win_back", self.step, reads=(*writes, "given_time"), writes=writes, streams=(RETURNS,),
                      owns="leaving")


@njit
def _return_mass(month: int, return_prob: float, persistence: float, given_time: Float64, away: Float64,
                 recalled: Float64, returned: Float64, present: Float64, active: Float64, unowed: Array,
                 unowed_share: Float64, unowed_prob: Float64) -> None:
    for j in range(away.shape[0]):
        back = return_prob * away[j] + recalled[j]
        away[j] *= persistence
        # Who is recalled owes what the offer gave, and nothing given before.
        owing = recalled[j] if given_time[j] >= month - 1 else 0.0
        recalled[j] = 0.0
        # A discount given last month is owed by all who were there then.
        share = 0.0 if given_time[j] >= month - 1 else unowed_share[j]
        unowed[j] = unowed[j] & (given_time[j] < month - 1)
        unowed_prob[j] = share * present[j] + back - owing
        mass = returned[j] + back
        unowed_share[j] = (share * returned[j] + back - owing) / mass if mass > 0.0 else 0.0
        returned[j] = mass
        present[j] += back
        active[j] += back
