"""The movie platform: four movie data sources, proven and served from a lake and a warehouse."""
