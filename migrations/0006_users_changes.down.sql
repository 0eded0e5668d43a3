DROP TRIGGER users_truncated ON users;
DROP TRIGGER users_updated ON users;
DROP TRIGGER users_inserted_or_deleted ON users;
