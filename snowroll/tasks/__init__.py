"""One folder a task. The folder's name is the task's name; nothing is registered."""
