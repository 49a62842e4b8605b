"""Define the tasks: the model outputs that each one needs, and the columns of an observation."""
