"""`tacita bench`: figures measured here and now, beside other libraries that run in their own environment."""
