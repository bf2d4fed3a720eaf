"""Assessment: how good is a restoration, against a known truth or from the data alone."""
