-- A few widgets of the first superuser, so that there is something to see.
INSERT INTO widgets (owner_id, name, description)
SELECT users.id, widget.name, widget.description
FROM users,
     (VALUES ('Cog', 'Turns when its neighbour turns'),
             ('Flywheel', 'Keeps turning'),
             ('Governor', 'Sees to it that nothing turns too fast')) AS widget (name, description)
WHERE users.username = 'admin';
