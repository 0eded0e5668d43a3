DROP TRIGGER users_rights_version ON users;
DROP FUNCTION count_rights_version();
ALTER TABLE users DROP COLUMN rights_version;
