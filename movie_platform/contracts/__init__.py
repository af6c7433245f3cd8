"""Tables and rulesets as data contracts of the Open Data Contract Standard (ODCS) 3.1, and rulesets out of them."""
