"""A Kubernetes cluster for tests: a real API server on loopback, controllers, and a node.

Containers really run, as processes in folders of their own, with mounts and environment as the
pod says. What it does not do: images, users, networks, limits.
"""

from tests.support.cluster.cluster import Cluster as Cluster
from tests.support.cluster.faults import Faults as Faults
