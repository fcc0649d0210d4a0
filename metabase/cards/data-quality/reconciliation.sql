select
    loaded_at,
    source,
    file_name,
    rows_read,
    rows_rejected,
    rows_loaded,
    rows_in_fact,
    is_reconciled
from ops.stage_reconciliation
order by is_reconciled, loaded_at desc
limit 30
