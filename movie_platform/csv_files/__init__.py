"""CSV as it is delivered: records with their numbers, and what a cell holds."""
