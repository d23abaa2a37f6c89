"""Checks of policies against the offers, channels and learners that there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from churnsim.config.messages import did_you_mean
from churnsim.config.paths import KeyPath
from churnsim.policy.settings import OVER_MONTHS, TRUTHFUL, Match, PolicySettings, Readable, RuleList, Tier, ValueTiers

Finding = tuple[KeyPath, str]


def check_policies(policies: Mapping[str, PolicySettings], *, offers: Sequence[str], channels: Sequence[str],
                   learners: Sequence[str]) -> Iterator[Finding]:
    """Yield findings about names in policies as (key path, message).

    Parameters
    ----------
    offers, channels
        Those of the campaign.
    learners
        Names of the learners.
    """
    from churnsim.signals.rules import RULES

    known = {"offer": offers, "channel": channels, "learner": learners, "rule": tuple(RULES)}
    for name, policy in policies.items():
        at: KeyPath = ("policies", name)
        yield from _check_names(policy, at, known)
        for key, parts in _parts(policy):
            for k, part in enumerate(parts):
                yield from _check_names(part, (*at, key, k), known)
        if isinstance(policy, Readable):
            yield from _check_imitated(policy, (*at, "imitates"), policies)
            if not learners:
                yield at, "what rules give up is told by a learner; name one in uplift.learners"


def channels_of(policies: Iterable[PolicySettings]) -> Iterator[str]:
    """Yield the channels that policies name."""
    for policy in policies:
        for part in (policy, *(part for _, parts in _parts(policy) for part in parts)):
            if isinstance(channel := getattr(part, "channel", None), str):
                yield channel


def _parts(policy: PolicySettings) -> Iterator[tuple[str, tuple[Match, ...] | tuple[Tier, ...]]]:
    if isinstance(policy, RuleList):
        yield "match", policy.match
    elif isinstance(policy, ValueTiers):
        yield "tiers", policy.tiers


def _check_names(part: object, at: KeyPath, known: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    for key, names in known.items():
        value = getattr(part, key, None)
        if value is not None and value not in names:
            yield (*at, key), f"no {key} {value!r}; there are {', '.join(names)}{did_you_mean(value, names)}"


def _check_imitated(policy: Readable, at: KeyPath, policies: Mapping[str, PolicySettings]) -> Iterator[Finding]:
    other = policies.get(policy.imitates)
    able = [name for name, each in policies.items() if each.kind not in ("readable", *TRUTHFUL, *OVER_MONTHS)]
    if other is None:
        yield at, f"no policy {policy.imitates!r}; there are {', '.join(able)}{did_you_mean(policy.imitates, able)}"
    elif policy.imitates not in able:
        yield at, (f"{policy.imitates!r} is of kind {other.kind}, which cannot be imitated; name one of "
                   f"{', '.join(able)}")
