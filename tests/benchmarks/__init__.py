"""How fast the package is, side by side with something else: no tests in here."""
