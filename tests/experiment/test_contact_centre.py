"""The preset of a whole contact centre: what it holds, that every value names its source, and its experiment."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from churnsim.capacity.settings import AutomaticChannel, BatchChannel, LiveChannel
from churnsim.experiment.load import load, presets
from churnsim.experiment.settings import Experiment

ROOT = Path(__file__).parents[2]
TEXT = (resources.files("churnsim") / "presets" / "contact_centre.yaml").read_text(encoding="utf-8")
VALUE = re.compile(r"^\s+[\w-]+: *[\[{\d][^#]*(#.*)?$")
# What says what a thing is, not how much of it.
PLAIN = ("calling_window_hours", "channels", "inbound", "weekdays", "shifts", "max_attempts: 1", "agents", "lines")


@pytest.fixture(scope="module")
def centre() -> Experiment:
    return load(ROOT / "experiments" / "contact_centre.yaml").experiment


def test_it_holds_a_whole_centre(centre: Experiment) -> None:
    assert "contact_centre" in presets()
    kinds = {kind: {name for name, channel in centre.channels.items() if type(channel) is kind}
             for kind in (LiveChannel, AutomaticChannel, BatchChannel)}
    assert kinds == {LiveChannel: {"call", "manager", "shop", "visit"}, AutomaticChannel: {"ai_voice"},
                     BatchChannel: {"sms", "push", "email", "messenger", "ivr"}}
    assert list(centre.capacity.inbound) == ["termination", "fault", "hotline"]
    assert list(centre.capacity.teams) == ["phone_managers", "outbound_representatives", "hotline_desk", "shop_staff",
                                           "field_service"]
    assert set(centre.campaign.channels) == set(centre.channels)
    managers, volume = (centre.capacity.teams[name] for name in ("phone_managers", "outbound_representatives"))
    assert managers.agents < volume.agents
    assert centre.channels["manager"].handle_minutes_mean > 3 * centre.channels["call"].handle_minutes_mean


def test_every_value_names_its_source() -> None:
    values = [line for line in TEXT.splitlines() if VALUE.match(line) and "#" not in line[:1]]
    unmarked = [line.strip() for line in values if not re.search(r"\[(S|V|A|BLS)\]", line)
                and not line.strip().startswith(PLAIN)]
    assert len(values) > 80 and unmarked == []


def test_its_scenarios_load() -> None:
    scenarios = load(ROOT / "experiments" / "contact_centre.yaml").scenarios
    assert list(scenarios) == ["base", "value_first", "predictive", "no_callers"]
    assert not scenarios["no_callers"].capacity.inbound
