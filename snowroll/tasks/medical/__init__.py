"""Diagnoses from medical pictures and scans: DICOM, NIfTI and pictures, in two and three dimensions, one class each."""

from snowroll.tasks.medical.task import Medical

task = Medical()
