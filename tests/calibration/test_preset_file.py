"""A preset may be a file: found beside the file that names it, and laid over another one in turn."""

from __future__ import annotations

import re

import pytest

from churnsim.errors import ConfigError
from churnsim.experiment.load import load

EXPERIMENT = "schema: 1\npreset: {preset}\nname: mine\nseed: 1\npopulation: {{size: 10}}\n"


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_are_found_beside_the_file_that_names_them(tmp_path):
    write(tmp_path, "presets/base.yaml", "schema: 1\nlifecycle: {notice_days: 3.0, arrears: {miss_prob: 0.5}}\n")
    write(tmp_path, "presets/mine.yaml", "schema: 1\npreset: ./base.yaml\nlifecycle: {notice_days: 4.0}\n")
    e = load(write(tmp_path, "exp.yaml", EXPERIMENT.format(preset="presets/mine.yaml"))).experiment
    assert (e.lifecycle.notice_days, e.lifecycle.arrears.miss_prob, e.preset) == (4.0, 0.5, "presets/mine.yaml")
    # What neither file says is the default preset's.
    assert e.currency == "USD"


def test_a_finding_points_into_the_preset_file(tmp_path):
    preset = write(tmp_path, "mine.yaml", "schema: 1\nlifecycle:\n  notice_days: -1.0\n")
    with pytest.raises(ConfigError, match=re.escape(f"{preset}:3: lifecycle.notice_days: must be at least 0")):
        load(write(tmp_path, "exp.yaml", EXPERIMENT.format(preset="./mine.yaml")))


@pytest.mark.parametrize(("preset", "says"), [
    ("./gone.yaml", r"exp\.yaml:2: preset: no file .*gone\.yaml; the name is relative to the file that it stands in"),
    ("./mine.yaml", r"mine\.yaml:2: preset: \./mine\.yaml is laid over itself; name a preset of the package there"),
    ("mine", r"exp\.yaml:2: preset: no preset 'mine'; there are .*\. Did you mean the file '\./mine\.yaml'\?"),
])
def test_what_is_no_preset(tmp_path, preset, says):
    write(tmp_path, "mine.yaml", "schema: 1\npreset: ./mine.yaml\n")
    with pytest.raises(ConfigError, match=says):
        load(write(tmp_path, "exp.yaml", EXPERIMENT.format(preset=preset)))
