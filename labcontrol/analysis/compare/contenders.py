"""What is compared: strategies by name, with the settings that set one contender apart from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from labcontrol.config import LearningConfig, settings_from_text, user_error
from labcontrol.learning import check_learning, strategy_class
from labcontrol.learning.selection import FlipSettings

DEFAULT_CONTENDERS = (
    "coordinate-descent",
    "coordinate-descent:acceptance=re-measured",
    "noise-aware",
    "speculative",
    "multiplexed-identification",
    "cma-es",
    "one-plus-lambda",
    "spsa",
    "pepg",
)

_OF_THE_EXPERIMENT = ("loss", "masks_per_replay")  # everything else is the strategy's own


@dataclass(frozen=True)
class Contender:
    """name: as given, `strategy` or `strategy:key=value:key=value`."""

    name: str
    learning: LearningConfig


def contender(name: str, learning: LearningConfig) -> Contender:
    """A contender by name.

    learning: everything else about it; its options are those of the strategy it names, so that they go to contenders
    of that strategy only, but for the rule of selection, which goes to all that have one. Raises UserError for unknown
    names and wrong settings.
    """
    strategy, *settings = name.split(":")
    options: dict[str, Any] = dict(learning.options)
    if strategy != learning.strategy:
        flips = issubclass(strategy_class(strategy).Settings, FlipSettings)
        options = {key: value for key, value in options.items() if flips and key in FlipSettings.model_fields}
    changes: dict[str, Any] = {"strategy": strategy, "options": options}
    remedy = f"Contenders are written as NAME or NAME:KEY=VALUE; 'labcontrol strategies {strategy}' lists the keys."
    for key, value in settings_from_text(settings, name, remedy).items():
        (changes if key in _OF_THE_EXPERIMENT else options)[key] = value
    try:
        chosen = LearningConfig.model_validate(learning.model_dump() | changes)
    except ValidationError as error:
        raise user_error(error, LearningConfig, name) from None
    check_learning(chosen)
    return Contender(name, chosen)
