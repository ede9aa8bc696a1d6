"""Step 5: export one file, prove it says what the model says, serve it."""
