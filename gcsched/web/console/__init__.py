"""The console: pages for operators, on a listener of their own. Imported only where it is on."""
