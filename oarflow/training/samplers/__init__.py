"""What draws batches from patients: one module a kind of sample."""
