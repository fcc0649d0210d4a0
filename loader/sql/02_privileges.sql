-- What the reader may see: every schema but raw_staging, tables that exist and tables still to come.
set role portfolio_owner;

grant usage on schema public_staging, public_star, public_snowflake, public_marts, ops, forecast to portfolio_reader;

grant select on all tables in schema
public_staging, public_star, public_snowflake, public_marts, ops, forecast to portfolio_reader;

alter default privileges for role portfolio_owner
in schema public_staging, public_star, public_snowflake, public_marts, ops, forecast
grant select on tables to portfolio_reader;

reset role;
