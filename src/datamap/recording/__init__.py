"""Record signals in training loops that are not our own."""
