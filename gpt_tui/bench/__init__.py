"""What the command line and the app cost: start-up times, and a training beside the screen against one without."""
