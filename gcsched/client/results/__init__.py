"""What the methods of a client return: frozen values in the words of the contract."""
