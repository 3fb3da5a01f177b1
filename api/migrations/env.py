"""Alembic's entry: runs on the connection handed over by `api.migrations_runner`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
