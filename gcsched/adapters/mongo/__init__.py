"""Adapters on MongoDB."""

import os

# Motor reads this when it is imported. Its own 5 threads for a core can all be waiting for a silent
# primary, and then the fence and the leases wait with them.
os.environ.setdefault("MOTOR_MAX_WORKERS", str(max(32, 5 * (os.cpu_count() or 1))))
WORKERS = int(os.environ["MOTOR_MAX_WORKERS"])
"""How many threads ask MongoDB, and so how many connections there can be beside the watches."""
