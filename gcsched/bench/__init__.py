"""Load tests: what `gcsched bench` runs, measures and draws."""
