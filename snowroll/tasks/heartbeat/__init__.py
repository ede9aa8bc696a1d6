"""One class for one beat of a recording, or for all of it: ECG, and any series of numbers over time."""

from snowroll.tasks.heartbeat.task import Heartbeats

task = Heartbeats()
