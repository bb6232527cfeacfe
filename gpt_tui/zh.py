"""Chinese for the texts of ``i18n``."""

TEXTS: dict[str, str] = {}
