-- Fails if a batch has lost or gained rows on its way from the file to the fact.
select
    batch_id,
    source,
    rows_read,
    rows_rejected,
    rows_loaded,
    rows_in_staging,
    rows_in_fact
from {{ ref('stage_reconciliation') }}
where not is_reconciled
