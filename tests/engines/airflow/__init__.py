"""Exported DAGs on a real Airflow."""
