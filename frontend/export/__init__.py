"""Export what the site shows: JSON files read from the warehouse, dbt's artifacts and this repository.

Each file's shape is `frontend/schemas/<name>.schema.json`; the site's build checks it and stops on a mismatch.
"""
