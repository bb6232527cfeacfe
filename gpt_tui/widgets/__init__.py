"""Parts of panes."""
