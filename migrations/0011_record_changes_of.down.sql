DROP FUNCTION record_changes_of(regclass, text[]);
