"""One file a verb. No verb imports another; what they share is in `project/`."""
