DROP TRIGGER widget_owners_updated ON users;
DROP TRIGGER widget_owners_deleted ON users;
DROP FUNCTION record_widget_owner_change();
DROP TRIGGER widgets_truncated ON widgets;
DROP TRIGGER widgets_updated ON widgets;
DROP TRIGGER widgets_inserted_or_deleted ON widgets;
DROP FUNCTION record_widget_change();
