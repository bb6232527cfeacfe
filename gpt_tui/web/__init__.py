"""``gpt-tui web``: the app in a browser. ``server`` starts an app for each page, ``guard`` says whose pages."""
