"""Doors to other programs: models trained elsewhere come in, models trained here go out."""
