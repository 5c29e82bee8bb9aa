"""Rules that hold without people: read, evaluated apart, and what follows from them."""
