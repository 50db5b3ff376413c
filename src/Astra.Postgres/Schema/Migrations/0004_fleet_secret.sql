-- What the nodes of a fleet know and nobody else: with it they sign what they ask each other. Made by whichever node
-- migrates first; 256 random bits, hashed from three random identifiers of 122 each.
CREATE TABLE fleet_secret (
    is_only boolean PRIMARY KEY DEFAULT true CONSTRAINT fleet_has_one_secret CHECK (is_only),
    secret bytea NOT NULL CONSTRAINT secret_is_256_bits CHECK (octet_length(secret) = 32)
);

INSERT INTO fleet_secret (secret)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

GRANT SELECT ON fleet_secret TO astra_leases;
