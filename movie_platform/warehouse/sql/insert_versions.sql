INSERT INTO {versions} ({columns}, {version}) SELECT {columns}, ? FROM {winning}
