"""Talk to a cluster: create, follow and read objects. The only user of the Kubernetes client."""
