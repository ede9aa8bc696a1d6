"""Organs, tumours and lesions voxel by voxel, in medical pictures and scans of two and three dimensions."""

from snowroll.tasks.medical.masks.task import MedicalMasks

task = MedicalMasks()
