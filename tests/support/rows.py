"""Types of documents as the driver returns them, without the adapters."""

from typing import Any

from pymongo.collection import Collection

Row = dict[str, Any]
Rows = Collection[Row]
