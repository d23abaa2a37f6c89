"""Effects of being assigned, of a contact, and of accepting, kept apart, and the margin that a contact keeps.

tau_assign is the effect of standing on the list, with the reach that the pilot had in it. Where unanswered attempts
have no effect, tau_contact = tau_assign / reach; where contacts act through the accepted offer alone, tau_accept =
tau_contact / acceptance. A plan multiplies tau_contact by the reach that it plans with: reach is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """Effects of K offers on n subscribers, learned by one learner.

    Attributes
    ----------
    assigned
        (n, K) effect of being assigned in the pilot, in units of the learner's outcome.
    months
        (n,) months of margin that a unit of the outcome is worth.
    margin
        (n,) what a month is worth, amount; 1 for an outcome in money.
    reach
        (n,) chance of contact in the pilot, not below ``uplift.min_reach_prob``.
    accept
        (n, K) chance to take each offer once contacted in the pilot's way.
    moves
        Whether effects may be moved to another reach: unanswered attempts have none.
    """

    assigned: Float64
    months: Float64
    margin: Float64
    reach: Float64
    accept: Float64
    moves: bool

    @property
    def per_contact(self) -> Float64:
        """Effect of a contact in months of margin or, of an outcome in money, as an amount, (n, K)."""
        return self.assigned / self.reach[:, None] * self.months[:, None]

    @property
    def tau_assign(self) -> Float64:
        """Effect of being assigned in the pilot on discounted margin before offer cost, (n, K) amount."""
        return self.assigned * self.months[:, None] * self.margin[:, None]

    @property
    def tau_contact(self) -> Float64:
        """Effect of a contact on discounted margin before offer cost, (n, K) amount: tau_assign / reach."""
        return self.per_contact * self.margin[:, None]

    @property
    def tau_accept(self) -> Float64:
        """Effect of accepting on discounted margin, (n, K) amount: tau_contact / acceptance, 0 where nobody accepts.

        Valid if a contact acts through the accepted offer alone.
        """
        return np.divide(self.tau_contact, self.accept, out=np.zeros_like(self.accept), where=self.accept > 0.0)

    def through(self, columns: npt.ArrayLike, *, reach: Float64, accept: Float64) -> tuple[Float64, Float64]:
        """Return the effects of arms: an offer through a channel, with its own reach and acceptance.

        The effect runs through acceptance: another channel's is scaled by how often the offer is taken
        [assumption]. A plan's value, ``reach * (kept - accept * offer cost) - contact cost``, counts reach once:
        effects that do not move are divided by the reach that the plan multiplies by.

        Parameters
        ----------
        columns
            (A,) position of each arm's offer.
        reach, accept
            (n, A) planned chance of contact; chance to take the offer once contacted.

        Returns
        -------
        tuple
            (n, A) each: effect of a contact in units of :attr:`per_contact`; discounted margin kept, amount.
        """
        columns = np.asarray(columns)
        pilot = self.accept[:, columns]
        share = np.divide(accept, pilot, out=np.zeros_like(accept), where=accept > 0.0)
        if self.moves:
            effect = self.per_contact[:, columns] * share
        else:
            whole = (self.assigned * self.months[:, None])[:, columns] * share
            effect = np.divide(whole, reach, out=np.zeros_like(whole), where=reach > 0.0)
        return effect, self.margin[:, None] * effect
