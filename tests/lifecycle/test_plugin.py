"""Drivers of one's own: what is found, what is refused with which words, and offers that act on their causes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from plugin_files import STRIKE, SURVEYS, with_drivers
from small_world import load_small

from churnsim.config.source import parse_yaml
from churnsim.core.smooth import exp32
from churnsim.errors import ConfigError
from churnsim.experiment.load import load_tree
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.plugin import driver_digests, load_drivers, with_offers
from churnsim.lifecycle.settings import PluginDriver
from churnsim.offers.table import offer_table

from .examples import KEY, engine, lifecycle, subscribers

HEAD = "schema: 1\nname: mine\nseed: 1\nreplicates: 1\npopulation: {size: 100}\nlifecycle:\n  drivers:\n    own:\n"


def entry(driver: str, **settings: object) -> dict[str, PluginDriver]:
    return {"own": PluginDriver(driver=driver, settings=settings)}


def findings(folder: Path, own: str, *, more: str = "") -> list[str]:
    """Return what is said about a driver that stands from line 9 on."""
    with pytest.raises(ConfigError) as caught:
        load_tree(parse_yaml(f"{HEAD}{own}{more}", "mine.yaml"), folder=folder)
    return str(caught.value).splitlines()


# What is found


def test_a_file_beside_the_experiment_and_its_settings(tmp_path: Path) -> None:
    (tmp_path / "strike.py").write_text(STRIKE)
    (driver,) = load_drivers(entry("strike:Strike", hazard=0.25), tmp_path)
    assert (driver.name, driver.causes) == ("strike", ("strike",))
    assert driver.hazards is not None
    base = subscribers(3, region=[1, 3, 3])
    assert driver.hazards(base).tolist() == [[0.0, 0.25, 0.25]]
    (usual,) = load_drivers(entry("strike:Strike"), tmp_path)
    assert usual.hazards is not None and usual.hazards(base)[0, 1] == np.float32(0.05)
    assert load_drivers({}, tmp_path) == ()


def test_a_module_in_a_package_and_its_neighbour(tmp_path: Path) -> None:
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "values.py").write_text("HAZARD = 0.125\n")
    text = STRIKE.replace("import numpy as np", "import numpy as np\nfrom .values import HAZARD")
    (package / "strikes.py").write_text(text.replace("0.05", "HAZARD"))
    (driver,) = load_drivers(entry("own_package.strikes:Strike"), tmp_path)
    assert driver.hazards is not None and driver.hazards(subscribers(1, region=3))[0, 0] == 0.125


def test_an_edited_file_is_loaded_again_and_another_folder_has_its_own(tmp_path: Path) -> None:
    """The edit keeps the file's size and time, by which Python knows compiled files."""
    found = []
    for folder, hazard in (("a", "0.05"), ("b", "0.06"), ("a", "0.07"), ("a", "0.05")):
        (tmp_path / folder).mkdir(exist_ok=True)
        path = tmp_path / folder / "strike.py"
        path.write_text(STRIKE.replace("0.05", hazard))
        os.utime(path, (1, 1))
        (driver,) = load_drivers(entry("strike:Strike"), path.parent)
        assert driver.hazards is not None
        digest = driver_digests(entry("strike:Strike"), path.parent)["own"]
        found.append((float(driver.hazards(subscribers(1, region=3))[0, 0].round(4)), digest))
        # No compiled file is left beside the user's own.
        assert [each.name for each in path.parent.iterdir()] == ["strike.py"]
    assert [round(hazard, 4) for hazard, _ in found] == [0.05, 0.06, 0.07, 0.05]
    assert found[0] == found[3] and len({digest for _, digest in found}) == 3


def test_the_path_is_as_it_was(tmp_path: Path) -> None:
    import sys

    (tmp_path / "strike.py").write_text(STRIKE)
    before = list(sys.path)
    load_drivers(entry("strike:Strike"), tmp_path)
    assert sys.path == before


# What is refused

FILES = {
    "surveys": SURVEYS,
    "broken": "def half(:\n",
    "zero": "\nx = 1 / 0\n",
    "needs": "import no_such_package\n",
    "plain": "class Plain:\n    pass\n\nvalue = 3\n",
    "fails": STRIKE.replace("self.hazard = np.float32(settings.hazard)", "raise ValueError('no strike today')"),
    "returns": STRIKE.replace("return Driver(", "return dict(name="),
    "taken": SURVEYS.replace('"heard"', '"overage"'),
    "twice": SURVEYS.replace('"heard"', '"satisfaction"'),
    "price": STRIKE.replace('causes=("strike",)', 'causes=("price",)'),
}
CLASS = "      settings: {ask_prob: 0.1}\n"
REFUSED = {
    "no module": ("nowhere:Surveys", "", "9: lifecycle.drivers.own.driver: no module 'nowhere' in {folder}, and none "
                  "is installed; correct the name or add the file"),
    "no class": ("surveys:Survey", CLASS, "9: lifecycle.drivers.own.driver: module 'surveys' has no 'Survey'. Did you "
                 "mean 'Surveys'?"),
    "no class like it": ("surveys:Other", CLASS, "9: lifecycle.drivers.own.driver: module 'surveys' has no 'Other'; "
                         "there is Surveys"),
    "no class at all": ("plain:Other", "", "9: lifecycle.drivers.own.driver: module 'plain' has no 'Other'; define the "
                        "class"),
    "no driver": ("plain:Plain", "", "9: lifecycle.drivers.own.driver: plain:Plain is no driver: it must be a class "
                  "with `Settings`, a subclass of churnsim.config.base.Settings, and a method `driver`; see "
                  "docs/drivers.md"),
    "a value": ("plain:value", "", "9: lifecycle.drivers.own.driver: plain:value is no driver: it must be a class with "
                "`Settings`, a subclass of churnsim.config.base.Settings, and a method `driver`; see docs/drivers.md"),
    "bad syntax": ("broken:X", "", "9: lifecycle.drivers.own.driver: cannot import 'broken' (SyntaxError: invalid "
                   "syntax (broken.py, line 1)); correct the file"),
    "an error": ("zero:X", "", "9: lifecycle.drivers.own.driver: cannot import 'zero' (ZeroDivisionError: division by "
                 "zero, zero.py line 2); correct the file"),
    "a missing package": ("needs:X", "", "9: lifecycle.drivers.own.driver: cannot import 'needs' (ModuleNotFoundError: "
                          "No module named 'no_such_package', needs.py line 1); install it, or correct the file"),
    "no colon": ("surveys", CLASS, "9: lifecycle.drivers.own.driver: must match the pattern "),
    "a setting missing": ("surveys:Surveys", "", "8: lifecycle.drivers.own.settings.ask_prob: missing; add it"),
    "a setting out of range": ("surveys:Surveys", "      settings:\n        ask_prob: 1.5\n", "11: "
                               "lifecycle.drivers.own.settings.ask_prob: must be at most 1 (got 1.5)"),
    "an unknown setting": ("surveys:Surveys", "      settings:\n        ask_prop: 0.5\n", "11: lifecycle.drivers.own."
                           "settings.ask_prop: unknown key (got 0.5). Did you mean 'ask_prob'?"),
    "a failing class": ("fails:Strike", "", "8: lifecycle.drivers.own: fails:Strike cannot be made (ValueError: no "
                        "strike today, fails.py line 11); correct its settings or the class"),
    "another thing": ("returns:Strike", "", "9: lifecycle.drivers.own.driver: driver() of returns:Strike returns no "
                      "Driver (got dict); return a churnsim.lifecycle.driver.Driver"),
    "a covariate's name": ("taken:Surveys", CLASS, "9: lifecycle.drivers.own.driver: taken:Surveys brings the column "
                           "'overage', which is the name of a covariate; rename the column"),
    "a column twice": ("twice:Surveys", CLASS, "7: lifecycle.drivers: column 'satisfaction' is declared twice; rename "
                       "one of the two"),
    "a cause twice": ("price:Strike", "", "7: lifecycle.drivers: cause 'price' is declared by drivers 'causes' and "
                      "'strike'; rename one of them"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    named, settings, says = REFUSED[case]
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    lines = findings(tmp_path, f'      driver: "{named}"\n{settings}')
    expected = f"mine.yaml:{says.format(folder=tmp_path)}"
    assert any(line == expected or (expected.endswith(" ") and line.startswith(expected)) for line in lines), lines


def test_names_that_drivers_declare_are_checked_with_the_others(tmp_path: Path) -> None:
    with_drivers(tmp_path, "lifecycle.causes.service.coefficients.asked=0.5", "lifecycle.shopping.log_odds.unhappy=0.5",
                 "offers.discount_30.hazard_multipliers.strike=0.5",
                 "offers.discount_30.acceptance.coefficients.unhappy=0.5")
    for override, says in {
        # A month's column is not there when an offer is made, and a history is no number.
        "offers.discount_30.acceptance.coefficients.asked=0.5": "asked: no such covariate; there are ",
        "lifecycle.causes.service.coefficients.heard=0.5": "heard: no such covariate; there are ",
        "offers.discount_30.hazard_multipliers.lockout=0.5": "lockout: no such cause; ",
    }.items():
        with pytest.raises(ConfigError, match=says):
            with_drivers(tmp_path, override)
    with pytest.raises(ConfigError, match="strike: no such cause"):
        load_small("offers.discount_30.hazard_multipliers.strike=0.5")
    without = with_drivers(tmp_path, "lifecycle.drivers.strike=null").experiment
    assert list(without.lifecycle.drivers) == ["surveys"]


def test_the_number_of_causes_is_limited(tmp_path: Path) -> None:
    many = STRIKE.replace('causes=("strike",)', "causes=tuple(f'c{k}' for k in range(100))")
    (tmp_path / "many.py").write_text(many)
    (line,) = findings(tmp_path, "      driver: many:Strike\n")
    assert line.startswith("mine.yaml:7: lifecycle.drivers: at most 100 causes with those of lifecycle.causes (got 1")


# Offers


def test_offers_act_on_further_causes_by_hand() -> None:
    def flat(*hazards: float) -> Driver:
        names = tuple(f"cause_{hazard}" for hazard in hazards)
        return Driver(f"flat{len(hazards)}", causes=names,
                      hazards=lambda block: np.repeat(np.float32(hazards)[:, None], len(block), axis=1))

    one, two = flat(0.5), flat(0.1, 0.2)
    table = np.log(np.float32([[1, 1, 1], [0.5, 1, 0.25], [1, 1, 3]]))
    left_alone, scaled = with_offers((one, two), np.zeros_like(table)), with_offers((one, two), table)
    assert left_alone == (one, two)
    base = subscribers(4, offer_code=[0, 1, 2, 1], offer_left_months=[0, 2, 1, 0], responsiveness=[1.0, 2.0, 1.0, 1.0])
    first, second = (driver.hazards(base) for driver in scaled)
    np.testing.assert_allclose(first, [[0.5, 0.5 * 0.25, 0.5, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(second, [[0.1] * 4, [0.2, 0.2 / 16, 0.6, 0.2]], rtol=1e-6)
    assert set(scaled[0].reads) == {"offer_code", "offer_left_months", "responsiveness", "habituation"}
    assert exp32(np.float32([0.0]))[0] == 1.0
    with pytest.raises(ValueError, match=r"^the offer table is made for 3 causes beside those of the lifecycle, "
                                         r"further drivers have 1; give offer_table the causes of the lifecycle, then "
                                         r"theirs$"):
        with_offers((one,), table)


def test_an_offer_table_may_leave_further_causes_out() -> None:
    usual = engine()
    more = Driver("more", causes=("more",), hazards=lambda block: np.full((1, len(block)), 0.5, np.float32))
    assert Lifecycle(lifecycle(), usual.market, usual.offers, key=KEY, more=[more]).causes == (*usual.causes, "more")
    wide = offer_table(usual.offers.settings, causes=(*lifecycle().causes, "more"))
    assert Lifecycle(lifecycle(), usual.market, wide, key=KEY, more=[more]).more == (more,)
    with pytest.raises(ValueError, match="further drivers have 0"):
        Lifecycle(lifecycle(), usual.market, wide, key=KEY)
