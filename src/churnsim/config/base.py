"""The base of every settings model and the number types they share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A frozen section of an experiment; unknown keys are errors; field docstrings are the manual."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Prob = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Amount = Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(strict=True, ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=0)]
PositiveCount = Annotated[int, Field(strict=True, ge=1)]
