"""Makes deliveries of the four sources as they really look, defects included."""
