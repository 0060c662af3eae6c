"""The database's schema, step by step (Alembic). A step that was released is never changed."""
