"""Runs jobs on Dask workers. The database records which jobs are unfinished."""
