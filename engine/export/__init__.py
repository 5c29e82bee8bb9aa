"""Taking a DAG to another engine: a DAG file in, a file of that engine out."""
