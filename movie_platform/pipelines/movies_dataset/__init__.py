"""The Movies Dataset: one zip -> eight tables -> nine answers."""
