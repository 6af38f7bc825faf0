"""A fleet of pods through a day: the sum of their refreshes at STS."""
