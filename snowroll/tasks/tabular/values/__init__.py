"""One number for one row of a table."""

from snowroll.tasks.tabular.values.task import TabularValues

task = TabularValues()
