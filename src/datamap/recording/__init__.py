"""Record signals in training loops of other people."""
