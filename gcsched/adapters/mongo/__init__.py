"""Adapters on MongoDB."""

import os

# Motor reads this when it is imported. By default it has 5 threads per core; all of them can be
# waiting for a silent primary, and then fences and lease renewals wait as well.
os.environ.setdefault("MOTOR_MAX_WORKERS", str(max(32, 5 * (os.cpu_count() or 1))))
WORKERS = int(os.environ["MOTOR_MAX_WORKERS"])
"""The threads that talk to MongoDB, and so the most connections besides those of monitoring."""
