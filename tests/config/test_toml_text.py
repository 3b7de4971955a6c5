"""Models written as TOML: what is written is read back, and every key is explained."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from labcontrol.config import ExperimentConfig, LearningConfig, Section, StopConfig, TaskConfig
from labcontrol.config.toml_text import commented_toml


class Cooler(Section):
    """Keeps the laser cool.

    Not part of the file.
    """

    target_c: float = Field(20.0, gt=0, lt=50, description="temperature, in degrees Celsius")
    fan: tuple[int, ...] = Field((1, 2), description="stages of the fan")


class Device(Section):
    name: str = Field(description="name of the device")
    options: dict[str, Any] = Field(default_factory=dict, description="the driver's own settings")


class Lab(Section):
    """A laboratory."""

    device: Device


class Options(BaseModel):
    power: float = Field(1.0, description="power, in W")
    limit: int | None = Field(None, ge=1, examples=[5], description="largest count")
    cooler: Cooler = Cooler()


def test_what_is_written_is_read_back() -> None:
    experiment = ExperimentConfig(
        neurons=400,
        note='a "quoted" \\ note\nof two lines, with \x7f and é',
        task=TaskConfig(name="C:\\data\\series.csv", steps=1000),
        learning=LearningConfig(options={"selection": "uniform"}, loss="mse"),
        stop=StopConfig(target_error=1e-7, epochs=12),
    )
    assert ExperimentConfig.model_validate(tomllib.loads(commented_toml(experiment))) == experiment


@settings(deadline=None)  # the computer may be busy
@given(note=st.text(st.characters(exclude_categories=["Cs"])), error=st.floats(min_value=1e-300, max_value=1e300))
def test_any_text_and_number_survives(note: str, error: float) -> None:
    experiment = ExperimentConfig(note=note, stop=StopConfig(target_error=error))
    assert ExperimentConfig.model_validate(tomllib.loads(commented_toml(experiment))) == experiment


def test_a_key_is_explained_above_its_line_with_range_and_other_default() -> None:
    lines = commented_toml(ExperimentConfig(task=TaskConfig(steps=500))).splitlines()
    at = lines.index("steps = 500")
    assert lines[at - 1] == "# steps of the training part (10 to 1000000, default 200)"


def test_a_key_that_is_not_set_stands_there_as_a_comment_with_an_example() -> None:
    lines = commented_toml(ExperimentConfig()).splitlines()
    assert "# target_error = 0.01" in lines
    assert "above 0, not set here" in lines[lines.index("# target_error = 0.01") - 1]


def test_the_options_of_a_driver_are_all_explained_and_only_the_chosen_ones_set() -> None:
    lab = Lab(device=Device(name="laser", options={"cooler": {"target_c": 25.0}}))
    text = commented_toml(lab, {"device": Options.model_validate(lab.device.options)})
    assert tomllib.loads(text) == {"device": {"name": "laser", "options": {"cooler": {"target_c": 25.0}}}}
    for line in ["# power = 1.0", "# limit = 5", "# cooler.fan = [1, 2]", "# -- cooler: Keeps the laser cool."]:
        assert line in text.splitlines()
    assert "default 20.0" in text
    assert "Not part of the file" not in text


def test_removing_the_mark_of_a_comment_sets_the_key() -> None:
    lab = Lab(device=Device(name="laser"))
    text = commented_toml(lab, {"device": Options()})
    options = tomllib.loads(text.replace("# cooler.fan", "cooler.fan").replace("# limit", "limit"))["device"]["options"]
    assert options == {"cooler": {"fan": [1, 2]}, "limit": 5}


def test_options_without_a_known_driver_are_kept_as_they_are() -> None:
    lab = Lab(device=Device(name="laser", options={"my key": 1, "nested": {"a": [1.5, True]}}))
    assert Lab.model_validate(tomllib.loads(commented_toml(lab))) == lab


@pytest.mark.parametrize("count", [1, 500])
def test_lines_stay_readable(count: int) -> None:
    lab = Lab(device=Device(name="x", options={"values": list(range(count))}))
    text = commented_toml(lab)
    assert max(map(len, text.splitlines())) <= 120
    assert tomllib.loads(text)["device"]["options"]["values"] == list(range(count))
