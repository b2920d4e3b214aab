"""Patients as training reads them: data sets, cases, labels, crops, batches."""
