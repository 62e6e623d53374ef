"""The calls of both clients: the method, its request, and how its reply is read."""
