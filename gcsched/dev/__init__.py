"""`gcsched dev`: the same service, on stores and a relay that it starts itself."""
