"""A Kubernetes cluster: connect, create objects, follow what runs, read what is there.

Silent, and free of the ``kubernetes`` package until
:func:`git_ghost.workloads.cluster.connection.connect` is called: it is an extra, and takes a third
of a second to import.
"""
