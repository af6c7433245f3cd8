"""Daily box office: what each movie took in, judged by a ruleset and served per day."""
