-- In the private cluster each role has connections of its own, so that none can put on another's rights with SET ROLE.
-- Peer authentication decides who may; there are no passwords.
ALTER ROLE astra_owner LOGIN;
ALTER ROLE astra_app LOGIN;
ALTER ROLE astra_journal LOGIN;
ALTER ROLE astra_leases LOGIN;
REVOKE ALL ON DATABASE astra FROM PUBLIC;
GRANT CONNECT ON DATABASE astra TO astra_owner, astra_app, astra_journal, astra_leases;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
