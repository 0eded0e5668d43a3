//! The connection to PostgreSQL.
