-- Roles and schemas. Safe to re-run; needs an administrator the first time and portfolio_owner afterwards.
-- Plain SQL without psql commands: `python -m loader init` and a container's init folder run the same files.
-- Passwords are never here: `python -m loader init` sends them as SCRAM verifiers.

-- portfolio_owner writes everything, portfolio_reader is what dashboards, forecaster and site connect as.
do $$
declare
    reader_settings constant text[] := array[
        'default_transaction_read_only=on', 'statement_timeout=30s', 'idle_in_transaction_session_timeout=60s'
    ];
begin
    if not exists (select from pg_roles where rolname = 'portfolio_owner') then
        create role portfolio_owner nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'portfolio_reader') then
        create role portfolio_reader login;
    end if;
    if not exists (
        select from pg_roles
        where rolname = 'portfolio_reader' and rolconnlimit = 40 and rolconfig = reader_settings
    ) then
        alter role portfolio_reader connection limit 40;
        alter role portfolio_reader reset all;
        alter role portfolio_reader set default_transaction_read_only = on;
        alter role portfolio_reader set statement_timeout = '30s';
        alter role portfolio_reader set idle_in_transaction_session_timeout = '60s';
    end if;
    -- A role may change its own settings for one database; those go before the ones above.
    if exists (
        select from pg_db_role_setting
        where setrole = 'portfolio_reader'::regrole
        and setdatabase = (select oid from pg_database where datname = current_database())
    ) then
        execute format('alter role portfolio_reader in database %I reset all', current_database());
    end if;
    if not pg_has_role(current_user, 'portfolio_owner', 'set') then
        execute format('grant portfolio_owner to %I', current_user);
    end if;
exception
    when duplicate_object or unique_violation then null;  -- another database of this server created them just now
end
$$;

-- The database itself: the owner builds in it, the reader connects; nobody gets temporary tables by default.
do $$
begin
    if current_user <> 'portfolio_owner' then
        execute format('revoke temporary on database %I from public', current_database());
        execute format('grant connect, create, temporary on database %I to portfolio_owner', current_database());
        execute format('grant connect on database %I to portfolio_reader', current_database());
    end if;
end
$$;

do $$
declare
    schema_name text;
begin
    foreach schema_name in array array[
        'raw_staging', 'public_staging', 'public_star', 'public_snowflake', 'public_marts', 'ops', 'forecast'
    ] loop
        if not exists (select from pg_namespace where nspname = schema_name) then
            execute format('create schema %I authorization portfolio_owner', schema_name);
        elsif not exists (
            select from pg_namespace where nspname = schema_name and nspowner = 'portfolio_owner'::regrole
        ) then
            execute format('alter schema %I owner to portfolio_owner', schema_name);
        end if;
    end loop;
end
$$;
