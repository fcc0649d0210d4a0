"""The containers that fill the warehouse and keep it up to date: first start, inbox, daily run."""
