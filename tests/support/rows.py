"""Documents as the driver sees them, behind the adapters' back."""

from typing import Any

from pymongo.collection import Collection

Row = dict[str, Any]
Rows = Collection[Row]
