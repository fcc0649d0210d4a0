-- What changed when: every version of a user or model of the generated set, the first included, so that history does
-- not depend on when anybody looked. A version holds from its changed_on until the next one's.
set role portfolio_owner;

create table if not exists raw_staging.user_changes (
    user_id integer not null check (user_id > 0),
    changed_on date not null check (changed_on between '1970-01-01' and '2100-12-31'),
    full_name text not null,
    email text not null,
    company_name text,
    industry text,
    company_size text,
    country_code char(2),
    billing_tier text not null,
    signed_up_on date not null,
    primary key (user_id, changed_on)
);
comment on table raw_staging.user_changes is
'One row per user and day on which the user signed up or changed; the columns are those of users after the change';

create table if not exists raw_staging.model_changes (
    model_id integer not null check (model_id > 0),
    changed_on date not null check (changed_on between '1970-01-01' and '2100-12-31'),
    model_name text not null,
    provider text not null,
    family text,
    context_window integer,
    input_usd_per_mtok numeric(10, 4),
    output_usd_per_mtok numeric(10, 4),
    released_on date,
    is_deprecated boolean not null,
    primary key (model_id, changed_on)
);
comment on table raw_staging.model_changes is
'One row per model and day on which the model was released or changed; the columns are those of models after the
change. The first version of a model without a release date holds from 1970-01-01';

-- The batches that readers see: of each source the last replace, and the appends since.
create or replace view raw_staging.live_batches as
select
    b.batch_id,
    b.source,
    b.file_name,
    b.sha256,
    b.rows_read,
    b.rows_loaded,
    b.rows_rejected,
    b.started_at,
    b.finished_at,
    b.status,
    b.arguments,
    b.error,
    b.mode,
    b.data_sha256,
    b.last_day,
    b.first_requested_at,
    b.last_requested_at
from raw_staging.load_batches as b
where
    b.status = 'done'
    and b.batch_id >= (
        select max(l.batch_id)
        from raw_staging.load_batches as l
        where l.source = b.source and l.status = 'done' and l.mode = 'replace'
    );
comment on view raw_staging.live_batches is 'One row per batch whose rows are in api_requests now';

reset role;
