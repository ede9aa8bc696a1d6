"""Floor 1: the nouns everyone shares and the one protocol. Imports nothing of ours."""
