-- The roles and the schema that migrations need before they can run. Run by whoever the administrator says we are, at
-- every start, and it changes nothing when everything is there. Roles belong to the whole server, so another Astra
-- database on it may have made them at this very moment.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['astra_owner', 'astra_app', 'astra_journal', 'astra_leases'] LOOP
        IF to_regrole(role_name) IS NULL THEN
            BEGIN
                CASE role_name
                    WHEN 'astra_owner' THEN CREATE ROLE astra_owner NOLOGIN NOSUPERUSER NOBYPASSRLS;
                    WHEN 'astra_app' THEN CREATE ROLE astra_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
                    WHEN 'astra_journal' THEN CREATE ROLE astra_journal NOLOGIN NOSUPERUSER NOBYPASSRLS;
                    WHEN 'astra_leases' THEN CREATE ROLE astra_leases NOLOGIN NOSUPERUSER NOBYPASSRLS;
                END CASE;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF NOT pg_has_role(current_user, role_name, 'MEMBER') THEN
            CASE role_name
                WHEN 'astra_owner' THEN GRANT astra_owner TO CURRENT_USER;
                WHEN 'astra_app' THEN GRANT astra_app TO CURRENT_USER;
                WHEN 'astra_journal' THEN GRANT astra_journal TO CURRENT_USER;
                WHEN 'astra_leases' THEN GRANT astra_leases TO CURRENT_USER;
            END CASE;
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS astra AUTHORIZATION astra_owner;
