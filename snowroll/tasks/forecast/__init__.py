"""Forecasting and anomalies of plain series: sensors, sales, load, traffic."""

from snowroll.tasks.forecast.task import Forecast

task = Forecast()
