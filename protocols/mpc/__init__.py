"""The secure arithmetic engine: vectors of bounded integers with a public scale."""
