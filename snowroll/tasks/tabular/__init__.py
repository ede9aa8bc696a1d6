"""One class for one row of a table."""

from snowroll.tasks.tabular.task import Tabular

task = Tabular()
