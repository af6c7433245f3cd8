"""Examples that are tested with the platform and are not part of it."""
