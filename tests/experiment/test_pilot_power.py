"""The log of an experiment's pilot; its power, from its own twins to the table and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_examples import TINY, write
from small_world import load_small

from churnsim.cli import main
from churnsim.errors import ConfigError
from churnsim.experiment.pilot_log import pilot_log
from churnsim.experiment.power import PilotPower, pilot_power
from churnsim.report.power import power_text

SIZES = [2000, 8000]
STRONG = ("campaign.offers=[discount_30, contract_device]", "offers.discount_30.acceptance.base_prob=0.95")


def test_the_log_of_a_pilot_is_that_of_its_trial() -> None:
    past = "pilot.targeting={kind: risk_list, listed_share: 0.3, strength: 1.0}"
    log, list_log = (pilot_log(load_small("pilot.size=1500", "pilot.holdout_share=0.2", *more))
                     for more in ((), (past,)))
    assert log.index.name == "subscriber" and set(log["assigned"]) == {
        "control", "discount_30", "contract_device", "service_recovery"}
    arms = [name for name in log.columns if name.startswith("propensity.")]
    assert log[arms].sum(axis=1).to_numpy() == pytest.approx(1.0) and len(arms) == 4
    assert 0.1 < log["holdout"].mean() < 0.3 and "x.log_price" in log.columns
    assert not any(name.startswith("propensity.") for name in list_log.columns)
    with pytest.raises(ConfigError) as caught:
        pilot_log(load_small(), replicate=-1)
    assert str(caught.value) == "replicate: must be at least 0 (got -1)"


@pytest.fixture(scope="module")
def found() -> PilotPower:
    said: list[str] = []
    power = pilot_power(load_small(*STRONG), sizes=SIZES, subscribers=3000, pilots=300, report=said.append)
    assert said == ["months before the pilot: 3000 subscribers", "arm 1 of 3: control", "arm 2 of 3: discount_30",
                    "arm 3 of 3: contract_device"]
    return power


def test_a_row_an_offer_and_size(found: PilotPower) -> None:
    table = found.table
    assert list(zip(table["offer"], table["size"], strict=True)) == [
        (offer, size) for offer in ("discount_30", "contract_device") for size in SIZES]
    # Some three in four can be enrolled, a third of them in each arm (0.25 is control's share, 0.375 each offer's).
    big = table[(table["offer"] == "discount_30") & (table["size"] == 8000)].iloc[0]
    assert 0.3 * 8000 > big["n_offer"] > 0.2 * 8000
    assert big["n_offer"] == pytest.approx(1.5 * big["n_control"], rel=0.05)
    assert 0.0 < big["left_control"] < 0.3 * big["n_control"]
    assert (table["power_low"] <= table["power"]).all() and (table["power"] <= table["power_high"]).all()
    # Per offer the truth is one, whatever the size; twins tell it far more exactly than a pilot of as many.
    assert table.groupby("offer")["true_effect"].nunique().tolist() == [1, 1]
    assert (table["true_effect_se"] < 0.25 * table["minimum_detectable_effect"]).all()
    detectable = table["minimum_detectable_effect"].to_numpy().reshape(2, 2)
    assert detectable[:, 0] / detectable[:, 1] == pytest.approx([2.0, 2.0], rel=0.05)


def test_the_same_twice(found: PilotPower) -> None:
    again = pilot_power(load_small(*STRONG), sizes=SIZES, subscribers=3000, pilots=300)
    assert again.table.equals(found.table)


def test_the_text_names_every_number(found: PilotPower) -> None:
    text = power_text(found)
    assert text.startswith("small: preset data_grounded, 3,000 subscribers under every arm, seed 7, replicate 0, "
                           "300 pilots of each size\n")
    assert "Effect of being assigned on staying 6 months, percentage points" in text
    for word in ("discount_30", "contract_device", "2,000", "8,000", "power (95 % interval)", "true effect"):
        assert word in text


def test_the_command_prints_and_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, TINY)
    out = tmp_path / "power.csv"
    command = ["power", str(path), "--sizes", "1000,2000", "--subscribers", "800", "--pilots", "50", "--json",
               "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert [row["size"] for row in data["rows"]] == [1000, 2000] * 3 and data["pilots"] == 50
    assert "arm 4 of 4: service_recovery" in said.err and len(out.read_text().splitlines()) == 7
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("overrides", "given", "message"), [
    ((), {"sizes": [0]}, "sizes: must be at least 1 (got 0)"),
    ((), {"pilots": 0}, "pilots: must be at least 1 (got 0)"),
    ((), {"power": 1.0}, "power: must lie strictly between 0 and 1 (got 1)"),
    (("pilot.targeting={kind: risk_list, listed_share: 0.3, strength: 1.0}",), {},
     "pilot.targeting: a past campaign has the size it has; set kind to random to plan a pilot"),
])
def test_what_cannot_be_planned_is_refused(overrides: tuple[str, ...], given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pilot_power(load_small(*overrides), **given)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_sizes_that_are_no_numbers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", str(write(tmp_path)), "--sizes", "1e4"]) == 2
    assert "--sizes: give whole numbers with commas between them, such as 5000,20000 (got '1e4')" in (
        capsys.readouterr().err)
