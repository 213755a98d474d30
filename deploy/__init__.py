"""Every way to run a cluster from one manifest: local processes, containers."""
