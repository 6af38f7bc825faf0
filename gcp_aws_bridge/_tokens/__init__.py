"""Google ID tokens: where they come from, and what they say."""
