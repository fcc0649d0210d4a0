"""Load generated data sets and real request logs into raw_staging: bulk COPY, all or nothing."""
