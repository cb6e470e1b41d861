"""What the engine remembers. Only this package imports SQLAlchemy.

`database.Store` opens transactions; `schema` names the tables; `*_rows` hold the statements, one module for
each table, as functions that take a connection. Whoever needs a statement adds it to such a module.
"""
