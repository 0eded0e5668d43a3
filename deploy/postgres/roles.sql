-- The database of the service and its two roles: one that owns the tables and migrates them, and one that can only read
-- and write rows. Run it once, as a superuser, before the first migration:
--
--   POSTGRES_OWNER_PASSWORD=… POSTGRES_SERVICE_PASSWORD=… psql -v ON_ERROR_STOP=1 -f deploy/postgres/roles.sql
--
-- docker compose runs it when the database is set up. Other names: -v database=… -v owner=… -v service=….

\if :{?database} \else \set database backend \endif
\if :{?owner} \else \set owner backend_owner \endif
\if :{?service} \else \set service backend \endif
-- From the environment: other users see the arguments of a process.
\getenv owner_password POSTGRES_OWNER_PASSWORD
\getenv service_password POSTGRES_SERVICE_PASSWORD

CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN PASSWORD :'service_password';
CREATE DATABASE :"database" OWNER :"owner";
-- Every role may connect to a new database otherwise.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"service";

\connect :"database"
-- For each table that the owner will make, so that a migration needs no grants of its own.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
