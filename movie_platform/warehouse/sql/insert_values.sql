INSERT INTO {target} VALUES {values}
