"""Each rule planned before the data is read, and judged by what was measured of it."""
