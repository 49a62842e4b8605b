"""Build and train models with Paddle; no other package but a callback imports it."""
