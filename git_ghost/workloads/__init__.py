"""What runs code: manifests, and the clusters that run them."""
