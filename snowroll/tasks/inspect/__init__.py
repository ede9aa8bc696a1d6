"""Parts that are good, and whatever is not like them: learned from good ones only."""

from snowroll.tasks.inspect.task import Inspect

task = Inspect()
