DROP FUNCTION record_cache_truncation();
DROP FUNCTION record_cache_change();
DROP FUNCTION cache_values(VARIADIC text[]);
DROP TABLE cache_changes;
