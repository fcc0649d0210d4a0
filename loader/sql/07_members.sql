-- Who and what a real log names: one row per model, user and team of a source, made by the load that met it first. Their
-- ids are negative, those of the generated set positive, and 0 is the 'unknown' member, so that none can be another.
set role portfolio_owner;

-- A block of ids: its last value and the 255 above it.
create sequence if not exists raw_staging.member_id_blocks as integer
increment by -256 maxvalue -256 minvalue -2147483392 start with -256;

create table if not exists raw_staging.inferred_models (
    model_id integer primary key check (model_id < 0),
    source text not null,
    model_name text not null,
    provider text,
    unique nulls not distinct (source, model_name, provider)
);
comment on table raw_staging.inferred_models is
'One row per source and model that its log names; provider is NULL where the log has none';

create table if not exists raw_staging.inferred_users (
    user_id integer primary key check (user_id < 0),
    source text not null,
    user_name text not null,
    unique (source, user_name)
);
comment on table raw_staging.inferred_users is 'One row per source and user that its log names';

create table if not exists raw_staging.inferred_teams (
    team_id integer primary key check (team_id < 0),
    source text not null,
    team_name text not null,
    unique (source, team_name)
);
comment on table raw_staging.inferred_teams is 'One row per source and team that its log says a request was made for';

alter table raw_staging.api_requests
add column if not exists team_id integer check (team_id < 0),
add column if not exists cost_reported_usd numeric(18, 9);
comment on column raw_staging.api_requests.cost_reported_usd is
'What the log says that the request cost, in US dollars; NULL where it says nothing';

-- Databases of before: ids above 0 only, on the table and on each partition. Now the ids of each kind of source.
do $$
declare
    part record;
begin
    if not exists (
        select from pg_constraint
        where conrelid = 'raw_staging.api_requests'::regclass and conname = 'api_requests_cost_reported_check'
    ) then
        alter table raw_staging.api_requests
        add constraint api_requests_cost_reported_check check (cost_reported_usd >= 0 and cost_reported_usd < 1000000);
    end if;
    for part in
        select
            c.conrelid::regclass as name,
            c.conname
        from pg_constraint as c
        inner join pg_class as t on t.oid = c.conrelid
        where
            c.contype = 'c' and c.connamespace = 'raw_staging'::regnamespace
            and (
                t.oid = 'raw_staging.api_requests'::regclass
                or t.oid in (select inhrelid from pg_inherits where inhparent = 'raw_staging.api_requests'::regclass)
            )
            and pg_get_constraintdef(c.oid) in ('CHECK ((user_id > 0))', 'CHECK ((model_id > 0))')
        order by t.oid <> 'raw_staging.api_requests'::regclass
    loop
        if exists (select from pg_constraint where conrelid = part.name and conname = part.conname) then
            execute format('alter table %s drop constraint %I', part.name, part.conname);
        end if;
    end loop;
    if not exists (
        select from pg_constraint
        where conrelid = 'raw_staging.api_requests'::regclass and conname = 'api_requests_members_check'
    ) then
        alter table raw_staging.api_requests
        add constraint api_requests_members_check check (
            case
                when source = 'synthetic' then coalesce(user_id, 1) > 0 and coalesce(model_id, 1) > 0 and team_id is null
                else coalesce(user_id, -1) < 0 and coalesce(model_id, -1) < 0
            end
        );
    end if;
end
$$;

reset role;
