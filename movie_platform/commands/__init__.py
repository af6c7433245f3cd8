"""The terminal: one thin module a source, and the commands about the platform as a whole."""
