"""Know each task: which outputs of a model it takes, and which columns of an observation it makes of them."""
