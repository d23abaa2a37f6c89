"""What a run says beside its numbers."""

from __future__ import annotations

from churnsim.experiment.run import _notes


def test_a_note_names_scenarios_only_where_it_is_not_the_bases() -> None:
    found = {"random: by call": {"base": [0, 1], "small": [0, 1]}, "oracle: empty list": {"small": [1], "large": [1]}}
    assert _notes(found) == ("random: by call (replicates 0, 1)", "small, large: oracle: empty list (replicates 1)")
    assert _notes({"random: by call": {"base": [0], "small": [1]}}) == (
        "random: by call (replicates 0)", "small: random: by call (replicates 1)")
    assert _notes({}) == ()
