SELECT coalesce(max({load_number}), 0) + 1 FROM {loads}
