"""The platform on one page that needs neither network nor Dagster, and a checked file as a page and for CI."""
