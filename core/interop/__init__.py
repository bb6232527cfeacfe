"""Doors to other programs: models that were trained elsewhere come in, models trained here go out."""
