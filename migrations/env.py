"""Alembic's entry: runs on the connection `dispatcher.store.migrating` hands over, in its transaction."""

from alembic import context

from dispatcher.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
