"""Rated movies, daily: judged by rules, the good ones served, the others set aside with their reasons."""
