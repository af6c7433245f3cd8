"""A linear model of reviews: its features, its weights in whole numbers, how it scores and how it is trained."""
