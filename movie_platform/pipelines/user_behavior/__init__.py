"""Purchases and reviews of a day -> what each customer spent and how many of their reviews are positive."""
