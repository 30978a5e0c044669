"""What all sections of the settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the settings; no number in it may be infinite or NaN."""

    model_config = ConfigDict(allow_inf_nan=False)
