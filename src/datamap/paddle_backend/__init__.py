"""All that imports Paddle: models, their weights and folders, encoding, the training loop."""
