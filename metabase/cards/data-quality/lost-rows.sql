select coalesce(sum(abs(rows_read - rows_rejected - rows_loaded) + abs(rows_loaded - rows_in_fact)), 0) as lost_rows
from ops.stage_reconciliation
