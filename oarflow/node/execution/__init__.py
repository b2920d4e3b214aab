"""Jobs on workers: an existing engine (Dask) carries them, the database says what is unfinished."""
