"""What a person can do in the Runs tab."""

from __future__ import annotations

from ..actions import Action

ACTIONS: tuple[Action, ...] = (
    Action("ask", "enter,c", "Ask it", "Open the chosen run in the Chat tab."),
    Action("watch", "w", "Watch", "Show the chosen run in the Train tab, live if it is being trained."),
    Action("overlay", "space", "Overlay", "Put the chosen run's loss into the plot, or take it out."),
    Action("clear", "u", "Clear", "Take all runs out of the plot.", footer=False),
    Action("loss", "t", "Train/valid", "Switch the plot between the losses on training and on validation rows."),
    Action("order", "o", "Order", "Order the runs by time, best loss or name.", footer=False),
    Action("maximize", "m", "Maximize", "Give the whole tab to the plot; and back."),
    Action("go_on", "r", "Resume", "Go on training the chosen run from its newest checkpoint.", footer=False),
    Action("look", "f5", "Look again", "Read the folder of runs now; it is read every 3 seconds anyway.", footer=False),
    Action("log_y", "l", "Log axis", "Logarithmic values.", footer=False),
    Action("smoothing", "e", "Smoothing", "Average a single run's loss less or more.", footer=False),
    Action("zoom(0.5)", "plus,equals_sign", "Zoom in", "Show fewer steps, around the cursor.", footer=False),
    Action("zoom(2)", "minus", "Zoom out", "Show more steps.", footer=False),
    Action("cursor(-1)", "left", "Cursor left", "Read out the losses one column to the left.", footer=False),
    Action("cursor(1)", "right", "Cursor right", "Read out the losses one column to the right.", footer=False),
    Action("back", "escape", "Whole view", "Take back cursor, zoom and maximizing.", footer=False),
    Action("delete", "d,delete", "Delete", "Delete the chosen run with all its checkpoints, after asking."),
)
