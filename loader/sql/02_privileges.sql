-- What the reader may see: every schema but raw_staging, tables that exist and tables still to come.
set role portfolio_owner;

grant usage on schema public_staging, public_star, public_snowflake, public_marts, ops, forecast to portfolio_reader;

grant select on all tables in schema
public_staging, public_star, public_snowflake, public_marts, ops, forecast to portfolio_reader;

alter default privileges for role portfolio_owner
in schema public_staging, public_star, public_snowflake, public_marts, ops, forecast
grant select on tables to portfolio_reader;

reset role;

-- Everybody may make large objects in every database: disk that no limit of the reader's bounds, as it may leave its
-- read-only mode. Nothing here uses them. And everybody may take advisory locks, such as those that loads and builds wait
-- for. Only an administrator can take these rights away, so a run as the owner leaves them as they are.
do $$
declare
    function regprocedure;
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    for function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
        and has_function_privilege('public', oid, 'execute')
    loop
        execute format('revoke execute on function %s from public', function);
        execute format('grant execute on function %s to portfolio_owner', function);
    end loop;
    for function in
        select oid::regprocedure from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and proname in (
            'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export', 'lo_open', 'lo_put', 'lo_truncate',
            'lo_truncate64', 'lo_unlink', 'lowrite'
        ) and has_function_privilege('public', oid, 'execute')
    loop
        execute format('revoke execute on function %s from public', function);
    end loop;
end
$$;
