"""Ways to learn by name leave everything else as it is."""

from __future__ import annotations

import pytest

from labcontrol.cli.experiment_options import experiment_from
from labcontrol.config import PRESETS, ExperimentConfig, with_preset
from labcontrol.errors import UserError
from labcontrol.learning import check_learning, strategy_facts


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_changes_how_is_learned_and_nothing_else(name: str) -> None:
    before = ExperimentConfig.model_validate(
        {"neurons": 64, "seed": 9, "note": "kept", "learning": {"initial_share": 0.3, "strategy": "spsa"}}
    )
    after = with_preset(before, name)
    check_learning(after.learning)
    left = {"learning", "prediction"}
    assert after.model_dump(exclude=left) == before.model_dump(exclude=left)
    assert after.learning.initial_share == 0.3
    assert after.learning.strategy != "spsa"


def test_the_default_experiment_is_the_law() -> None:
    law = with_preset(ExperimentConfig(), "law")
    assert strategy_facts(law.learning) == strategy_facts(ExperimentConfig().learning)
    assert law.learning.loss == ExperimentConfig().learning.loss == "mse"
    assert strategy_facts(law.learning).selection == "uniform"


def test_options_of_the_command_line_go_over_a_preset() -> None:
    found = experiment_from(None, {"learning.loss": "mse", "neurons": 100}, preset="experiments")
    assert (found.learning.loss, found.neurons) == ("mse", 100)
    assert strategy_facts(found.learning).selection == "greedy"
    with pytest.raises(UserError, match="no preset 'fast'"):
        experiment_from(None, {}, preset="fast")
