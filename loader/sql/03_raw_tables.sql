-- The raw tables: the only definition of their columns. Checks hold what no row of any source may break, so that bulk
-- loads are checked by the server; ids start at 1 because 0 is the 'unknown' member of every dimension.
set role portfolio_owner;

create table if not exists raw_staging.users (
    user_id integer primary key check (user_id > 0),
    full_name text not null,
    email text not null,
    company_name text,
    industry text,
    company_size text,
    country_code char(2),
    billing_tier text not null,
    signed_up_on date not null check (signed_up_on between '1970-01-01' and '2100-12-31')
);
comment on table raw_staging.users is 'One row per user of the generated data set';

create table if not exists raw_staging.models (
    model_id integer primary key check (model_id > 0),
    model_name text not null,
    provider text not null,
    family text,
    context_window integer check (context_window > 0),
    input_usd_per_mtok numeric(10, 4) check (input_usd_per_mtok >= 0),
    output_usd_per_mtok numeric(10, 4) check (output_usd_per_mtok >= 0),
    released_on date check (released_on between '1970-01-01' and '2100-12-31'),
    is_deprecated boolean not null
);
-- NaN is more than any number, so that a lower bound alone lets it pass. Not valid: one loaded before must not stop us.
do $$
begin
    if not exists (
        select from pg_constraint
        where conrelid = 'raw_staging.models'::regclass and conname = 'models_prices_are_numbers_check'
    ) then
        alter table raw_staging.models add constraint models_prices_are_numbers_check check (
            input_usd_per_mtok < 1000000 and output_usd_per_mtok < 1000000
        ) not valid;
    end if;
end
$$;
comment on table raw_staging.models is 'One row per model of the generated data set; prices per million tokens';

create table if not exists raw_staging.endpoints (
    endpoint_id integer primary key check (endpoint_id > 0),
    path text not null,
    http_method text not null,
    category text not null,
    is_streaming boolean not null
);
comment on table raw_staging.endpoints is 'One row per API endpoint of the generated data set';

create table if not exists raw_staging.dates (
    date_id integer primary key check (date_id between 19700101 and 21001231),
    full_date date not null check (full_date between '1970-01-01' and '2100-12-31'),
    year integer not null check (year between 1970 and 2100),
    quarter integer not null check (quarter between 1 and 4),
    month integer not null check (month between 1 and 12),
    month_name text not null,
    week_of_year integer not null check (week_of_year between 1 and 53),
    day_of_month integer not null check (day_of_month between 1 and 31),
    day_of_week integer not null check (day_of_week between 1 and 7),
    day_name text not null,
    is_weekend boolean not null,
    is_month_end boolean not null
);
comment on table raw_staging.dates is 'One row per calendar day; date_id is YYYYMMDD, day_of_week 1 is Monday';

-- One partition per source, swapped whole by a load. A reference or measure that a source does not report is NULL.
-- Ten billion tokens bound a row so that no sum of two columns and no cost overflows further down.
create table if not exists raw_staging.api_requests (
    source text not null,
    request_id uuid not null,
    user_id integer,
    model_id integer,
    endpoint_id integer check (endpoint_id > 0),
    requested_at timestamptz not null check (
        requested_at >= '1970-01-01 00:00:00+00' and requested_at < '2101-01-01 00:00:00+00'
    ),
    prompt_tokens bigint check (prompt_tokens between 0 and 10000000000),
    completion_tokens bigint check (completion_tokens between 0 and 10000000000),
    latency_ms integer check (latency_ms >= 0),
    status_code smallint check (status_code between 100 and 599),
    is_flagged boolean,
    primary key (source, request_id)
) partition by list (source);
-- Parts of the two totals above, for sources that report them; a part alone never exceeds its total, nor do two.
alter table raw_staging.api_requests
add column if not exists cache_read_tokens bigint,
add column if not exists cache_write_tokens bigint,
add column if not exists reasoning_tokens bigint;
do $$
begin
    if not exists (
        select from pg_constraint
        where conrelid = 'raw_staging.api_requests'::regclass and conname = 'api_requests_cache_tokens_check'
    ) then
        alter table raw_staging.api_requests
        add constraint api_requests_cache_tokens_check check (
            cache_read_tokens >= 0 and cache_write_tokens >= 0
            and coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) <= prompt_tokens
        ),
        add constraint api_requests_reasoning_tokens_check check (reasoning_tokens between 0 and completion_tokens);
    end if;
end
$$;
-- Rows arrive in order of time, so that a few bytes per megabyte tell where a day is.
create index if not exists api_requests_requested_at on raw_staging.api_requests using brin (requested_at);
comment on table raw_staging.api_requests is 'One row per API request of a source; NULL where the source is silent';

create table if not exists raw_staging.load_batches (
    batch_id bigint generated always as identity primary key,
    source text not null,
    file_name text not null,
    sha256 text not null,
    rows_read bigint not null default 0,
    rows_loaded bigint not null default 0,
    rows_rejected bigint not null default 0,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    status text not null default 'running' check (status in ('running', 'done', 'failed')),
    arguments jsonb not null default '{}',
    error text,
    check (status <> 'done' or rows_read = rows_loaded + rows_rejected)
);
-- One chain of batches makes a source: a 'replace', then each 'append' of one more day.
alter table raw_staging.load_batches
add column if not exists mode text not null default 'replace' check (mode in ('replace', 'append')),
add column if not exists data_sha256 text,
add column if not exists last_day date,
add column if not exists first_requested_at timestamptz,
add column if not exists last_requested_at timestamptz;
create index if not exists load_batches_source on raw_staging.load_batches (source, batch_id);
comment on table raw_staging.load_batches is
'One row per load of a source. The row counts are those of api_requests; a failed load has loaded nothing';
comment on column raw_staging.load_batches.mode is
'replace: what the source held before is gone; append: one more day of a generated set';
comment on column raw_staging.load_batches.data_sha256 is
'Identity of the data, whatever wrote it: of the file, or of the tables of a generated set and of the sets before it';
comment on column raw_staging.load_batches.last_day is
'The day that a generated set reaches, and the only day of an append; NULL for other sources';
comment on column raw_staging.load_batches.first_requested_at is 'Earliest requested_at of the rows loaded';
comment on column raw_staging.load_batches.last_requested_at is 'Latest requested_at of the rows loaded';
comment on column raw_staging.load_batches.sha256 is 'Of the file, or of the manifest of a generated set';
comment on column raw_staging.load_batches.arguments is
'How the file was read: its format, options and the assumptions made where the format is silent';

create table if not exists raw_staging.rejected_rows (
    batch_id bigint not null references raw_staging.load_batches,
    file_name text not null,
    line_number bigint not null,
    row_text text not null,
    reason text not null
);
create index if not exists rejected_rows_batch on raw_staging.rejected_rows (batch_id);
comment on table raw_staging.rejected_rows is
'The first rows of a file that could not be loaded, as read; line_number counts from 1, the header included. The newest
loads only: see loader/rejects.py';

do $$
begin
    if to_regclass('raw_staging.rejected_reasons') is null then
        create table raw_staging.rejected_reasons (
            batch_id bigint not null references raw_staging.load_batches,
            file_name text not null,
            expected text not null,
            row_count bigint not null check (row_count > 0),
            first_line bigint not null,
            example text not null,
            primary key (batch_id, file_name, expected)
        );
        -- Before there were limits every rejected row was kept.
        insert into raw_staging.rejected_reasons
        select
            batch_id, file_name, left(split_part(reason, ', found', 1), 300), count(*), min(line_number),
            left((array_agg(reason order by line_number))[1], 300)
        from raw_staging.rejected_rows
        group by 1, 2, 3;
    end if;
end
$$;
comment on table raw_staging.rejected_reasons is
'One row per load, file and what was expected: how many rows could not be loaded for it, kept for ever';
comment on column raw_staging.rejected_reasons.example is 'The reason of the first such row, in full';

reset role;
