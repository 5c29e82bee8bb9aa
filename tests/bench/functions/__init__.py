"""What the tasks of the measured DAGs call, in a folder of its own: tasks see nothing else."""
