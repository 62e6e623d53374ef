"""Real MongoDB and Valkey servers as children of this process: for `gcsched dev` and the tests."""
