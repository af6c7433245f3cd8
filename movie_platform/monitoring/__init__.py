"""How the platform itself stands: which source is overdue, which sensor fails, what is owed for too long.

Everything here reads the lake's records and Dagster's instance. It takes part in no load, and waits for none.
"""
