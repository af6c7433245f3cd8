SELECT {longest} FROM {staged}
