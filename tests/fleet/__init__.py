"""A fleet of pods through a day: what their refreshes add up to at STS."""
