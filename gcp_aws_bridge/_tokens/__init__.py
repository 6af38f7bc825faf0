"""Google ID tokens: their sources and their claims."""
